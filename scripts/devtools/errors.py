"""The one way in which a developer's command fails before it has run anything."""


class DevError(Exception):
    """What is wrong, where, and what to do about it; shown without a traceback."""
