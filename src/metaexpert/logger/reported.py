"""Whether an entry tells of an exception already, so that nobody logs it again on its way out."""

from contextlib import suppress
from typing import Final

_REPORTED: Final = "__metaexpert_reported__"


def mark_reported(error: BaseException) -> None:
    """An ERROR entry tells of this exception."""
    with suppress(Exception):  # its class may refuse attributes, or run code of its own
        setattr(error, _REPORTED, True)


def is_reported(error: BaseException) -> bool:
    """Whether an ERROR entry tells of it."""
    with suppress(Exception):
        return getattr(error, _REPORTED, False) is True
    return False
