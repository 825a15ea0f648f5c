"""Smaller and faster variants of a model, measured against it."""
