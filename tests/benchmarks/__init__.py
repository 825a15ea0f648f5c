"""What measures; run by hand, never part of the verdict."""
