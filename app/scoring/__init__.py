"""What happens to clicks, orders and sessions within a step, once their records are sorted by user."""
