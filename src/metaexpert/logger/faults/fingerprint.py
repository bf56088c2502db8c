"""Which errors are the same one: type, place and message without what varies; pure.

What differs from one occurrence to the next (numbers, ids, quoted text, times, addresses) does not count, nor do line
numbers, which move with every change of the program. The log call and whoever reads logs back share this rule.
"""

import re
from hashlib import blake2s
from typing import Final

TOLD_BEFORE: Final = "Traceback (most recent call last): …[that of "
"""How a traceback begins that refers to the entry which has it in full."""

_FRAME: Final = re.compile(r'[ |+]*File "([^"\n]*)", line \d+(?:, in (\S+))?')
_FRAME_BEGINS: Final = 'File "'
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


def digest_of(kind: str, place: str, message: str) -> str:
    """Eight hexadecimal digits that name an error.

    Args:
        kind: the exception's type; empty for an entry without exception.
        place: module and function, see `place_of`.
        message: as `normalised` makes it.
    """
    parts = f"{kind}\0{place}\0{message}".encode("utf-8", "backslashreplace")
    return blake2s(parts, digest_size=_DIGEST_BYTES).hexdigest()


def normalised(message: str) -> str:
    """The first line of a message with marks for what varies."""
    text = message.lstrip().split("\n", 1)[0][:_MOST_CHARACTERS]
    for pattern, mark in _VARIABLE:
        text = pattern.sub(mark, text)
    return text


def place_of(path: str, function: str) -> str:
    """Module and function, whatever folder the module is in."""
    module = _PATH.split(path)[-1].removesuffix(".py")
    return f"{module}.{function}" if function else module


def raised_at(traceback: str) -> str:
    """The place of a printed traceback's last frame; empty where it has none."""
    end = len(traceback)
    while (at := traceback.rfind(_FRAME_BEGINS, 0, end)) >= 0:
        begin = traceback.rfind("\n", 0, at) + 1
        found = _FRAME.match(traceback, begin)
        if found is not None:
            return place_of(found[1], found[2] or "")
        end = at
    return ""
