"""Causes, group members and notes of an exception as values, beside the traceback that shows them as text."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from metaexpert.logger.described import described, type_name
from metaexpert.logger.exception_parts import came_of, cause_of, members_of, notes_in

_MOST_CAUSES: Final = 16
_MOST_MEMBERS: Final = 16
_MOST_LEVELS: Final = 4
_MOST_SHOWN: Final = 64
"""Members of all levels together."""
_MOST_NOTES: Final = 16
_TEXT_BYTES: Final = 512

type Scrub = Callable[[str], str]


def structure_of(error: BaseException, scrub: Scrub) -> dict[str, Any]:
    """`causes`, `group` and `notes`, each where there is one, bounded.

    Args:
        error: the exception.
        scrub: takes secrets out of a text.
    """
    parts = {
        "causes": _causes(error, scrub),
        "group": _members(error, scrub, 1, iter(range(_MOST_SHOWN))),
        "notes": notes_of(error, scrub),
    }
    return {key: part for key, part in parts.items() if part}


def notes_of(error: BaseException, scrub: Scrub) -> list[str]:
    """What `add_note` added."""
    return [scrub(described(note, str, _TEXT_BYTES)) for note in notes_in(error)[:_MOST_NOTES]]


def _causes(error: BaseException, scrub: Scrub) -> list[dict[str, Any]]:
    """What it came of, the nearest first: `by` says whether it was raised from it, or while it was handled."""
    causes: list[dict[str, Any]] = []
    seen = {id(error)}
    current = error
    while len(causes) < _MOST_CAUSES:
        cause = cause_of(current)
        before = came_of(current)
        if before is None or id(before) in seen:
            break
        seen.add(id(before))
        causes.append({**_shown(before, scrub), "by": "cause" if cause is not None else "context"})
        current = before
    return causes


def _members(error: BaseException, scrub: Scrub, level: int, left: Iterator[int]) -> list[dict[str, Any]]:
    members = members_of(error)
    chosen = [each for each in members[:_MOST_MEMBERS] if next(left, None) is not None]
    shown = [_member(each, scrub, level, left) for each in chosen]
    return [*shown, {"cut": len(members) - len(shown)}] if len(members) > len(shown) else shown


def _member(error: BaseException, scrub: Scrub, level: int, left: Iterator[int]) -> dict[str, Any]:
    below = _members(error, scrub, level + 1, left) if level < _MOST_LEVELS else []
    return {**_shown(error, scrub), "group": below} if below else _shown(error, scrub)


def _shown(error: BaseException, scrub: Scrub) -> dict[str, Any]:
    return {"type": scrub(type_name(error)), "message": scrub(described(error, str, _TEXT_BYTES))}
