"""What was done to the lines of a log file, told by comparing them with the digests their chain has; pure."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, cast

import orjson

from metaexpert.logger.files.evidence.chain_format import DIGEST_BYTES, Record, digests_of, head_of, shortened
from metaexpert.logger.files.evidence.verdict import Finding, Kind

_SHOWN_CHARACTERS = 60
_TIME_CHARACTERS = 23


def what_happened(
    expected: Sequence[bytes], actual: Sequence[bytes], first_line: int, before: bytes, *, is_cut: bool
) -> Finding | None:
    """The first difference between a chain and a file.

    Args:
        expected: the beginnings of the digests that the chain has from some line on.
        actual: the lines that the file has from there on, as far as looked at.
        first_line: the number of the first of them.
        before: the line before them.
        is_cut: whether what follows the last of `actual` is a line without its end.

    Returns:
        None where the lines are what the chain says.
    """
    digests = [sha256(line).digest()[:DIGEST_BYTES] for line in actual]
    at = _first_difference(expected, digests)
    number = first_line + at
    if at == len(expected):
        return None
    before = actual[at - 1] if at else before
    if at == len(digests):
        return _truncated(number, before, is_cut=is_cut)
    later_in_file = _place(expected[at], digests, at + 1)
    later_in_chain = _place(digests[at], expected, at + 1)
    match later_in_file, later_in_chain:
        case None, None:
            text, kind, line = f"line {number} was changed", Kind.CHANGED, actual[at]
        case None, int(place):
            return _removed(number, place - at, before)
        case int(place), None:
            many = _many(place - at, "line was", "lines were")
            text, kind, line = f"{many} inserted at line {number}", Kind.INSERTED, actual[at]
        case _, place:
            text = f"line {number} was moved there from line {first_line + (place or 0)}"
            kind, line = Kind.REORDERED, actual[at]
    entry_id, time = entry_of(line)
    return Finding(kind, f"{text}{_told(line)}", number, entry_id, time)


def blamed_chain(record: Record, previous: bytes, lines: Sequence[bytes]) -> bool:
    """Whether a line of the chain would be right with other digests: then those were changed, and not the file."""
    digests = digests_of(lines)
    stated = record.values.get("digests")
    if not isinstance(stated, str) or record.values.get("count") != len(lines):
        return False
    body = record.body.replace(stated.encode(), shortened(digests).encode(), 1)
    return head_of(body, previous, digests) == record.head


def entry_of(line: bytes) -> tuple[str, str]:
    """The id and the time of the entry on a line; empty where it does not say."""
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError:
        text = line[:_TIME_CHARACTERS].decode("utf-8", "replace")
        return "", text if text[:4].isdecimal() else ""
    if not isinstance(values, dict):
        return "", ""
    members = cast("dict[str, Any]", values)
    return str(members.get("id", "")), str(members.get("timestamp", members.get("@timestamp", "")))


def _told(line: bytes) -> str:
    """The entry as people find it."""
    entry_id, time = entry_of(line)
    if entry_id:
        return f": entry {entry_id} of {time}"
    shown = line[:_SHOWN_CHARACTERS].decode("utf-8", "backslashreplace")
    return f": {shown!r}"


def _truncated(number: int, before: bytes, *, is_cut: bool) -> Finding:
    what = f"line {number} is cut in its middle" if is_cut else f"the file ends before line {number}"
    entry_id, time = entry_of(before)
    return Finding(Kind.TRUNCATED, f"{what}; the last whole line{_told(before)}", number, entry_id, time)


def _removed(number: int, count: int, before: bytes) -> Finding:
    entry_id, time = entry_of(before)
    behind = f"; they followed line {number - 1}{_told(before)}" if number > 1 else ""
    many = _many(count, "line was", "lines were")
    return Finding(Kind.REMOVED, f"{many} removed from line {number} on{behind}", number, entry_id, time)


def _many(count: int, one: str, several: str) -> str:
    return f"1 {one}" if count == 1 else f"{count} {several}"


def _first_difference(expected: Sequence[bytes], actual: Sequence[bytes]) -> int:
    for at, (one, other) in enumerate(zip(expected, actual, strict=False)):
        if one != other:
            return at
    return min(len(expected), len(actual))


def _place(wanted: bytes, among: Sequence[bytes], begin: int) -> int | None:
    try:
        return among.index(wanted, begin)
    except ValueError:
        return None
