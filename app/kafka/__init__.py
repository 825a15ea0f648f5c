"""Batches off and on to Kafka: the Faust transport, the producer, the development broker."""
