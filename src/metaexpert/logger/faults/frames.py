"""Where an exception came about, and in which coroutines: frames told as places, with their local variables if wanted.

User code comes first: what the standard library and installed packages were at is rarely what was wrong.
"""

import sys
from asyncio import current_task
from asyncio.events import _get_running_loop  # pyright: ignore[reportPrivateUsage] - None instead of an exception
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE
from itertools import islice
from pathlib import Path
from sysconfig import get_paths
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final, cast

from metaexpert.logger.exception_parts import came_of, members_of, traceback_of
from metaexpert.logger.faults.fingerprint import place_of
from metaexpert.logger.faults.glimpse import Glimpse, Rules
from metaexpert.logger.texts import safe_text

_AWAITS: Final = CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE
_MOST_COROUTINES: Final = 32
_MOST_FRAMES_OUT: Final = 1000
_MOST_FRAMES: Final = 512
_MOST_EXCEPTIONS: Final = 16
_MOST_MEMBERS: Final = 4
_LAST_MEMBERS: Final = 15
"""As many as a printed group shows."""

_LIBRARY: Final = tuple(
    {f"{get_paths()[name]}/" for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {f"{Path(__file__).parents[1]}/"}
)
_INSTALLED: Final = ("/site-packages/", "/dist-packages/")
_NAME_BYTES: Final = 200
_MODULE: Final = "<module>"
_NOISE: Final = frozenset({ModuleType, FunctionType, type})


def _kind_of_locals() -> type:
    return type(sys._getframe().f_locals)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of a function


_LOCALS: Final = frozenset({dict, _kind_of_locals()})
"""What frames of functions give their variables in; anything else is somebody's own mapping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLimits:
    """How much of local variables is shown.

    Attributes:
        frames: frames at most.
        values: variables of each.
        characters: what all of them take together.
        depth: how many containers deep they are looked into.
    """

    frames: int = 5
    values: int = 24
    characters: int = 8 * 1024
    depth: int = 3


def last_frame(error: BaseException) -> tuple[CodeType, int] | None:
    """Code and line of the last frame a printed traceback of the exception would show."""
    for each in _last_first(error):
        current = traceback_of(each)
        if current is not None:
            for _ in range(sys.getrecursionlimit() * 2):
                if current.tb_next is None:
                    break
                current = current.tb_next
            return current.tb_frame.f_code, current.tb_lineno or 0
    return None


def raised_in(error: BaseException) -> str:
    """Module and function of that frame; empty where there is none."""
    last = last_frame(error)
    return "" if last is None else place_of(last[0].co_filename, last[0].co_name)


def _last_first(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a printed traceback from its end: the last member of a group, itself, what it came of."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < _MOST_EXCEPTIONS:
        seen.add(id(current))
        for member in reversed(members_of(current, _LAST_MEMBERS)):
            yield from islice(_last_members(member, seen), _MOST_EXCEPTIONS)
        yield current
        current = came_of(current)


def _last_members(error: BaseException, seen: set[int], depth: int = 0) -> Iterator[BaseException]:
    if id(error) in seen or len(seen) >= _MOST_EXCEPTIONS:
        return
    seen.add(id(error))
    if depth < _MOST_MEMBERS:
        for member in reversed(members_of(error, _LAST_MEMBERS)):
            yield from _last_members(member, seen, depth + 1)
    yield error


# ---- local variables ------------------------------------------------------------------------------------------


def shown_locals(error: BaseException, rules: Rules, limits: LocalLimits) -> list[dict[str, Any]]:
    """The variables of the frames it came through, the innermost of the first cause foremost, user code first."""
    found = list(_frames_of(error))
    chosen = sorted(found, key=lambda each: _is_library(each[0].f_code.co_filename))[: limits.frames]
    glimpse = Glimpse(rules, limits.characters, depth=limits.depth)
    return [_told(frame, line, glimpse, limits.values) for frame, line in chosen if glimpse.left_characters > 0]


def _told(frame: FrameType, line: int, glimpse: Glimpse, most: int) -> dict[str, Any]:
    code = frame.f_code
    values: dict[str, str] = {}
    for name, value in _variables(frame):
        if len(values) >= most or glimpse.left_characters <= 0:
            values["…"] = "[cut]"
            break
        values[safe_text(name, _NAME_BYTES)] = glimpse.variable(name, value)
    file = glimpse.text(code.co_filename)
    return {"file": file, "line": line, "function": safe_text(code.co_name, _NAME_BYTES), "values": values}


def _variables(frame: FrameType) -> Iterator[tuple[str, object]]:
    """Its variables; of a module, whose variables are all it defines, none that every module has."""
    own = cast("Mapping[Any, object]", frame.f_locals)
    if type(own) not in _LOCALS:
        return
    is_module = frame.f_code.co_name == _MODULE
    for name in list(islice(own, _MOST_FRAMES)):
        if type(name) is not str or name.startswith("__"):
            continue
        value = own.get(name)
        if not (is_module and type(value) in _NOISE):
            yield name, value


def _frames_of(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Each frame once, innermost first, those of what came first before the others."""
    seen: set[int] = set()
    for each in _first_first(error, set()):
        for frame, line in reversed(list(_traced(each))):
            if id(frame) not in seen:
                seen.add(id(frame))
                yield frame, line


def _traced(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    current = traceback_of(error)
    for _ in range(_MOST_FRAMES):
        if current is None:
            return
        yield current.tb_frame, current.tb_lineno or 0
        current = current.tb_next


def _first_first(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    if id(error) in seen or len(seen) >= _MOST_EXCEPTIONS:
        return
    seen.add(id(error))
    cause = came_of(error)
    for before in (*members_of(error, _MOST_MEMBERS), *(() if cause is None else (cause,))):
        yield from _first_first(before, seen)
    yield error


def _is_library(path: str) -> bool:
    return path.startswith(("<frozen ", *_LIBRARY)) or any(part in path for part in _INSTALLED)


# ---- coroutines -----------------------------------------------------------------------------------------------


def coroutines_of_task(frame: FrameType) -> list[str]:
    """The running task's coroutines from its own one to the calling frame, each as "file:line in function"."""
    loop = _get_running_loop()
    task = None if loop is None else current_task(loop)
    if task is None:
        return []
    awaiting: list[str] = []
    outermost = getattr(task.get_coro(), "cr_frame", None)
    current: FrameType | None = frame
    for _ in range(_MOST_FRAMES_OUT):
        if current is None:
            break
        if current.f_code.co_flags & _AWAITS:
            awaiting.append(f"{current.f_code.co_filename}:{current.f_lineno} in {current.f_code.co_qualname}")
        if current is outermost:
            break
        current = current.f_back
    return awaiting[:_MOST_COROUTINES][::-1]
