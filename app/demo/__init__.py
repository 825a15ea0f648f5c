"""The demo: everything on one machine, with a simulated shop whose truth is known."""
