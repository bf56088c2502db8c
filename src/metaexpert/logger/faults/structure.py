"""Causes, group members and notes of an exception as values, beside the traceback that shows them as text."""

from collections.abc import Callable
from typing import Any, Final, cast

from metaexpert.logger.described import described, type_name
from metaexpert.logger.errors import came_of

_MOST_CAUSES: Final = 16
_MOST_MEMBERS: Final = 16
_MOST_LEVELS: Final = 4
_MOST_NOTES: Final = 16
_TEXT_BYTES: Final = 512

type Scrub = Callable[[str], str]


def structure_of(error: BaseException, scrub: Scrub) -> dict[str, Any]:
    """`causes`, `group` and `notes`, each where there is one, bounded.

    Args:
        error: the exception.
        scrub: takes secrets out of a text.
    """
    parts = {"causes": _causes(error, scrub), "group": _members(error, scrub, 1), "notes": notes_of(error, scrub)}
    return {key: part for key, part in parts.items() if part}


def notes_of(error: BaseException, scrub: Scrub) -> list[str]:
    """What `add_note` added."""
    try:
        notes: object = getattr(error, "__notes__", None)
    except Exception as failure:  # noqa: BLE001 - the exception's own code; the entry must arrive
        return [f"<notes not readable: {type_name(failure)}>"]
    found = cast("list[object]", notes) if type(notes) is list else []
    return [scrub(described(note, str, _TEXT_BYTES)) for note in found[:_MOST_NOTES]]


def _causes(error: BaseException, scrub: Scrub) -> list[dict[str, Any]]:
    """What it came of, the nearest first: `by` says whether it was raised from it, or while it was handled."""
    causes: list[dict[str, Any]] = []
    seen = {id(error)}
    current = error
    while len(causes) < _MOST_CAUSES:
        cause = current.__cause__
        before = came_of(current)
        if before is None or id(before) in seen:
            break
        seen.add(id(before))
        causes.append({**_shown(before, scrub), "by": "cause" if cause is not None else "context"})
        current = before
    return causes


def _members(error: BaseException, scrub: Scrub, level: int) -> list[dict[str, Any]]:
    if not issubclass(type(error), BaseExceptionGroup):
        return []
    members = cast("BaseExceptionGroup[Any]", error).exceptions
    shown = [_member(each, scrub, level) for each in members[:_MOST_MEMBERS]]
    return [*shown, {"cut": len(members) - len(shown)}] if len(members) > len(shown) else shown


def _member(error: BaseException, scrub: Scrub, level: int) -> dict[str, Any]:
    below = _members(error, scrub, level + 1) if level < _MOST_LEVELS else []
    return {**_shown(error, scrub), "group": below} if below else _shown(error, scrub)


def _shown(error: BaseException, scrub: Scrub) -> dict[str, Any]:
    return {"type": scrub(type_name(error)), "message": scrub(described(error, str, _TEXT_BYTES))}
