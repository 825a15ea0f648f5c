"""Mirrors app/worker."""
