"""From bytes to columns: decode, validate, dead letters, alignment by event time."""
