"""What makes the path a worker: the loop that steps, sends and makes durable, and its wiring to Faust."""
