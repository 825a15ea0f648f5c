"""What a worker runs: one small file per Faust agent, wiring topics to the engine."""
