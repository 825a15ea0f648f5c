"""Learning from what happened: challengers from the topics, and comparisons that decide."""
