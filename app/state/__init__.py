"""Tables as columns: rows, windows, the RocksDB store, changelog and recovery."""
