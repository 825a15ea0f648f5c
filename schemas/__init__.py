"""The contracts: events in and out, the topic catalogue, and the documents generated from them."""
