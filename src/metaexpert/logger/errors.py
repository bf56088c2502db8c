"""Exceptions and stacks as encoded JSON values, made in the call while the traceback still stands.

Ordinary exceptions look as Python prints them. One with hundreds of causes, members or frames, or with a text of
megabytes, is shown in part, since Python would format all of it before anything could be cut.
"""

import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from types import FrameType, TracebackType
from typing import Any, Final, cast

import orjson

from metaexpert.logger.described import described, error_text, type_name
from metaexpert.logger.exception_parts import (
    arguments_of,
    came_of,
    cause_of,
    is_large,
    members_of,
    notes_in,
    sources_of,
    speaks_for_itself,
)
from metaexpert.logger.exception_parts import traceback_of as raised_through
from metaexpert.logger.nesting import nesting
from metaexpert.logger.texts import MAX_ENTRY_BYTES, safe_ends

TRACEBACK_LIMIT_BYTES: Final = 32 * 1024
MESSAGE_LIMIT_BYTES: Final = 4 * 1024
_MAX_EXCEPTIONS: Final = 32
_MAX_FRAMES: Final = 128
_SHOWN_FRAMES: Final = 20
_SHOWN_TEXT_BYTES: Final = 1024

_CAUSED: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_MEANWHILE: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


def exception_of(exc_info: object) -> BaseException | None:
    """The exception meant by stdlib's `exc_info=`: True, an exception, or an exc_info tuple."""
    if exc_info is None or exc_info is False:
        return None
    if issubclass(type(exc_info), BaseException):
        return cast("BaseException", exc_info)
    if type(exc_info) is tuple:
        parts = cast("tuple[object, ...]", exc_info)
        return next((cast("Any", part) for part in parts[:3] if issubclass(type(part), BaseException)), None)
    return sys.exception() if _is_true(exc_info) else None


def _is_true(value: object) -> bool:
    try:
        return bool(value)
    except Exception:  # noqa: BLE001 - whoever passes such a value wants an exception shown
        return True


def encode_exception(error: BaseException, scrub: Callable[[str], str]) -> bytes:
    """`{"type", "message", "traceback"}` with causes, notes and groups, bounded.

    Args:
        error: the exception.
        scrub: takes secrets out of a text.
    """
    nesting.depth += 1
    try:
        return orjson.dumps(
            {
                "type": scrub(type_name(error)),
                "message": scrub(described(error, str, MESSAGE_LIMIT_BYTES)),
                "traceback": traceback_of(error, scrub),
            }
        )
    finally:
        nesting.depth -= 1


def traceback_of(error: BaseException, scrub: Callable[[str], str]) -> str:
    """The printed traceback with causes, notes and groups, bounded."""
    return scrub(safe_ends(_traceback_of(error), TRACEBACK_LIMIT_BYTES))


def encode_stack(frame: FrameType, scrub: Callable[[str], str]) -> bytes:
    """The call stack that ends in `frame`, as stdlib's `stack_info` prints it."""
    shown = "".join(traceback.format_stack(frame, _MAX_FRAMES))
    return orjson.dumps(scrub(safe_ends("Stack (most recent call last):\n" + shown, TRACEBACK_LIMIT_BYTES)))


def _traceback_of(error: BaseException) -> str:
    try:
        if not nesting.too_deep and _is_ordinary(error):
            return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - an exception's own code failed; what it does not speak for can be shown
        return _in_part(error)
    return _in_part(error)


# ---- how much there is ----------------------------------------------------------------------------------------


def _is_ordinary(error: BaseException) -> bool:
    """Whether Python's own formatting takes a bounded time, and runs nobody's code but `__str__`."""
    reached = list(islice(_family(error), _MAX_EXCEPTIONS + 1))
    if len(reached) > _MAX_EXCEPTIONS:
        return False
    frames = islice((frame for each in reached for frame in _frames(each)), _MAX_FRAMES + 1)
    return sum(1 for _ in frames) <= _MAX_FRAMES and not any(
        _has_long_text(each) or not speaks_for_itself(each) for each in reached
    )


def _family(error: BaseException) -> Iterator[BaseException]:
    """The exception, its causes and contexts, and the members of groups, each once."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [*sources_of(each), *members_of(each, _MAX_EXCEPTIONS + 1)]


def _frames(error: BaseException) -> Iterator[TracebackType]:
    current = raised_through(error)
    while current is not None:
        yield current
        current = current.tb_next


def _has_long_text(error: BaseException) -> bool:
    """Whether its arguments and notes are so large, or so many, that its text is."""
    if len(notes_in(error)) > _MAX_EXCEPTIONS or len(arguments_of(error)) > _MAX_EXCEPTIONS:
        return True
    source = vars(SyntaxError)["text"].__get__(error) if issubclass(type(error), SyntaxError) else ""
    return is_large((source, *arguments_of(error), *notes_in(error)), MAX_ENTRY_BYTES)


# ---- the part that is shown -----------------------------------------------------------------------------------


def _in_part(error: BaseException) -> str:
    """The last causes, the first members, first and last frames; says what is missing."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        if len(seen) >= _MAX_EXCEPTIONS:
            parts.append("…[cut: further causes]\n")
            break
        seen.add(id(current))
        parts.append(_one(current))
        cause, current = cause_of(current), came_of(current)
        if current is not None:
            parts.append(_MEANWHILE if cause is None else _CAUSED)
    return "".join(reversed(parts))


def _one(error: BaseException) -> str:
    told = [_told(_frame_lines, error), _last_line(error)]
    told += [f"{described(note, str)}\n" for note in _notes(error)]
    members = members_of(error)
    told += [f"  | {_last_line(member)}" for member in members[:_SHOWN_FRAMES]]
    if len(members) > _SHOWN_FRAMES:
        told.append(f"  | …[cut {len(members) - _SHOWN_FRAMES} exceptions]\n")
    return "".join(told)


def _last_line(error: BaseException) -> str:
    text = described(error, lambda each: error_text(cast("BaseException", each), _SHOWN_TEXT_BYTES), _SHOWN_TEXT_BYTES)
    return f"{type_name(error)}: {text}\n" if text else f"{type_name(error)}\n"


def _notes(error: BaseException) -> list[object]:
    return notes_in(error)[:_SHOWN_FRAMES]


def _frame_lines(error: BaseException) -> str:
    """The first and the last frames."""
    raised = raised_through(error)
    if raised is None:
        return ""
    last = deque(_numbered(error), maxlen=_SHOWN_FRAMES)
    count = last[-1][0]
    lines = ["Traceback (most recent call last):\n"]
    if count <= 2 * _SHOWN_FRAMES:
        return "".join(lines + traceback.format_tb(raised))
    lines += traceback.format_tb(raised, _SHOWN_FRAMES)
    lines.append(f"  …[cut {count - 2 * _SHOWN_FRAMES} frames]\n")
    return "".join(lines + traceback.format_tb(last[0][1]))


def _numbered(error: BaseException) -> Iterator[tuple[int, TracebackType]]:
    return enumerate(_frames(error), 1)


def _told(tell: Callable[[BaseException], str], error: BaseException) -> str:
    try:
        return tell(error)
    except Exception as failure:  # noqa: BLE001 - as in _traceback_of
        return f"<not describable: {type_name(failure)}>\n"
