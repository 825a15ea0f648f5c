"""Mirrors the tree; `broker/` needs a real Kafka, `benchmarks/` measures."""
