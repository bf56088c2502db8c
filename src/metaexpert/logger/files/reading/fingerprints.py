"""Which errors are the same one: a fingerprint of an entry's exception type, its place and its message; pure.

What differs from one occurrence to the next (numbers, ids, quoted text, times, addresses) does not count, nor do line
numbers, which move with every change of the program.
"""

import re
from dataclasses import dataclass
from hashlib import blake2s
from typing import Any, Final, cast, final

from metaexpert.logger.files.reading.entries import LogEntry

_FRAME: Final = re.compile(r'^[ |+]*File "([^"\n]*)", line \d+(?:, in (\S+))?', re.MULTILINE)
_PATH: Final = re.compile(r"[\\/]")
_DIGEST_BYTES: Final = 4
_MOST_CHARACTERS: Final = 512
_VARIABLE: Final = (
    (re.compile(r"(?<!\w)'[^'\n]*'(?!\w)|\"[^\"\n]*\""), "<text>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<id>"),
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"[+-]?\d+(?:[.,:]\d+)*(?:[eE][+-]?\d+)?"), "<n>"),
)


@final
@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the occurrences of one error have in common.

    Attributes:
        digest: eight hexadecimal digits that name it.
        kind: the exception's type; empty for an entry without exception.
        place: module and function where it was raised, else where it was logged.
        message: what the exception says, else the entry, with `<n>`, `<text>`, `<id>` and `<time>` for what varies.
    """

    digest: str
    kind: str
    place: str
    message: str


def fingerprint_of(entry: LogEntry) -> Fingerprint:
    """The entry's fingerprint; one that its line brings along (`fingerprint`) names it."""
    kind, said, traceback = _exception(entry)
    place = _raised_at(traceback) or _logged_at(entry)
    message = normalised(said or entry.message)
    brought = entry.value("fingerprint")
    parts = f"{kind}\0{place}\0{message}".encode("utf-8", "backslashreplace")
    digest = brought if isinstance(brought, str) and brought else blake2s(parts, digest_size=_DIGEST_BYTES).hexdigest()
    return Fingerprint(digest, kind, place, message)


def normalised(message: str) -> str:
    """The first line of a message with marks for what varies."""
    text = message.lstrip().split("\n", 1)[0][:_MOST_CHARACTERS]
    for pattern, mark in _VARIABLE:
        text = pattern.sub(mark, text)
    return text


def _exception(entry: LogEntry) -> tuple[str, str, str]:
    told = entry.values.get("exception")
    if not isinstance(told, dict):
        return "", "", ""
    table = cast("dict[str, Any]", told)
    return str(table.get("type") or ""), str(table.get("message") or ""), str(table.get("traceback") or "")


def _raised_at(traceback: str) -> str:
    """Module and function of the last frame."""
    frames = _FRAME.findall(traceback)
    if not frames:
        return ""
    path, function = frames[-1]
    module = _PATH.split(path)[-1].removesuffix(".py")
    return f"{module}.{function}" if function else module


def _logged_at(entry: LogEntry) -> str:
    module, function = entry.values.get("module"), entry.values.get("function")
    return f"{module}.{function}" if module and function else entry.logger
