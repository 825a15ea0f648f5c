"""What a ruleset would have done with recorded orders."""
