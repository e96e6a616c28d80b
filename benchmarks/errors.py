"""Errors that a person at the command line can act on: one sentence, no traceback."""


class UsageError(Exception):
    """What the user asked for cannot be done; the message says why and what would work."""
