"""The written texts from which the recogniser of shopper texts learns, and a seeded grammar that varies them."""
