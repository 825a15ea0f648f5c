"""Torture: workers and broker are killed under load, and everything that came of it is checked."""
