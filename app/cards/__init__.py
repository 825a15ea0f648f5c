"""Model cards: what a version is for, what it was made from, how good it is for whom, and what it must not decide."""
