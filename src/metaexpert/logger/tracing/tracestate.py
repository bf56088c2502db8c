"""The `tracestate` header (W3C Trace Context, https://www.w3.org/TR/trace-context/#tracestate-header): what others say.

It is sent on as it came, in order, within the length everybody passes on; a list that does not parse is left out as a
whole. Pure.
"""

import re
from collections.abc import Iterable
from typing import Final

_KEY: Final = r"[a-z0-9][a-z0-9_\-*/@]{0,255}"
_VALUE: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER: Final = re.compile(f"({_KEY})=({_VALUE})")
_WHITE: Final = " \t"
_MOST_MEMBERS: Final = 32
_MOST_CHARACTERS: Final = 512
_MOST_RECEIVED_CHARACTERS: Final = 20_000
"""More than the largest list there may be; what is longer is not even looked at."""
_LONG_MEMBER: Final = 128
"""The first to go where the list is too long."""


def parse_tracestate(headers: Iterable[str]) -> str:
    """One value for all that came; empty where there is none, or one of its members is wrong."""
    headers = list(headers)
    if sum(map(len, headers)) > _MOST_RECEIVED_CHARACTERS:
        return ""
    members: dict[str, str] = {}
    for number, member in enumerate(_members(headers)):
        match = _MEMBER.fullmatch(member)
        if match is None or number >= _MOST_MEMBERS:
            return ""
        members.setdefault(match[1], member)
    return ",".join(_bounded(list(members.values())))


def _members(headers: Iterable[str]) -> Iterable[str]:
    for header in headers:
        for part in header.split(","):
            member = part.strip(_WHITE)
            if member:
                yield member


def _bounded(members: list[str]) -> list[str]:
    """As many as everybody passes on, the long ones and then the last ones left out first."""
    if _length(members) > _MOST_CHARACTERS:
        members = [member for member in members if len(member) <= _LONG_MEMBER]
    while _length(members) > _MOST_CHARACTERS:
        members.pop()
    return members


def _length(members: list[str]) -> int:
    return sum(map(len, members)) + len(members) - 1
