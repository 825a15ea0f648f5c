"""What can go wrong with the development broker."""


class DevelopmentBrokerError(Exception):
    """The broker cannot be had, started or stopped; the message says what was found and what to do."""
