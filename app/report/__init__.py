"""A page about what was decided in a span of time, and how right it was."""
