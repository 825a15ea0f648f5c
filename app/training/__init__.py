"""Training rows from replays, trainers, manifests."""
