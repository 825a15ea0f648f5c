"""The catalogue: one definition per feature of a session, a history or a window."""
