"""Settings, metrics, health and logs."""
