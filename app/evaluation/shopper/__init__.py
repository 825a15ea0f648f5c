"""The shopper test: hand-written Chinese and English texts with intent, language and slots; never for training."""
