"""One adapter for each data set: its files to events as the contract names them."""
