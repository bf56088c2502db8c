"""Whether an entry tells of an exception already, so that nobody logs it again on its way out."""

from typing import Final

from metaexpert.logger.exception_parts import is_remembered, remember

_REPORTED: Final = "__metaexpert_reported__"


def mark_reported(error: BaseException) -> None:
    """An ERROR entry tells of this exception."""
    remember(error, _REPORTED)


def is_reported(error: BaseException) -> bool:
    """Whether an ERROR entry tells of it."""
    return is_remembered(error, _REPORTED)
