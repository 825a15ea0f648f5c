"""Recorded and simulated events, read as one stream in event-time order."""
