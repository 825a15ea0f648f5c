"""What a shopper's text says: its intent, its language and what is wanted."""
