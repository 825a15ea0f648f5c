"""From score to decision."""
