"""Measurement on held-out truth: the hand-written test sets, kept apart from all training material."""
