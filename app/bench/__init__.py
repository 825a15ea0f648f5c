"""The benchmark: events per CPU-second of a worker over a backlog, and the latency of its outputs at a fixed rate."""
