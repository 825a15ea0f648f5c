"""The engine: from a fetched record batch to durable outputs, in the order the data goes."""
