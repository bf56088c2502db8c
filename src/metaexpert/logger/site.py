"""Where a call stands: file, module, function and line from a code object and an instruction, looked up once a site."""

from functools import lru_cache
from pathlib import PurePath
from types import CodeType
from typing import NamedTuple


class Site(NamedTuple):
    """The place of a log call."""

    module: str
    function: str
    line: int


def line_of(code: CodeType, lasti: int) -> int:
    """Line of the instruction at byte offset `lasti` in `code`."""
    for start, end, line in code.co_lines():
        if start <= lasti < end and line is not None:
            return line
    return code.co_firstlineno


@lru_cache(maxsize=256)
def module_of(filename: str) -> str:
    """Module name as stdlib's LogRecord derives it: the file's name without its ending."""
    return PurePath(filename).stem


def _nowhere() -> None:
    """Lends its code to `placed`."""


@lru_cache(maxsize=4096)
def placed(filename: str, function: str, line: int) -> CodeType:
    """A code object that stands at a place known by name only, as in a LogRecord; it begins on `line`."""
    return _nowhere.__code__.replace(
        co_filename=filename, co_name=function, co_qualname=function, co_firstlineno=max(line, 0)
    )


def site_of(code: CodeType, lasti: int) -> Site:
    """The place of the call captured as `code` and `lasti`."""
    return Site(module_of(code.co_filename), code.co_name, line_of(code, lasti))
