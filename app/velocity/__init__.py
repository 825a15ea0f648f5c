"""Velocities: what happened at each entity of an order, in exact sliding windows of event time."""
