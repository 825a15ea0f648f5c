"""Orders to the owners of their entities and back: velocities when entities live in many partitions."""
