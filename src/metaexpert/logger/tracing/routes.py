"""What of a request's address may be told: its path without what may be secret, and its route, without ids. Pure.

Neither ever has the query, the fragment or the user's part. A route names a kind of request, so that there are few of
them; what tells one order from another is `{id}`. A path keeps numbers, symbols and UUIDs; a part that could be a key
is `{token}`.
"""

import re
from typing import Final

_MOST_CHARACTERS: Final = 256
_LONG_MIXED: Final = 10
_LONG_CAPITALS: Final = 24
"""Parts with digits and so many characters might be keys; symbols, as of options, have capitals alone."""

_NUMBER: Final = re.compile(r"[0-9]+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORD: Final = re.compile(r"[A-Za-z]+(?:[._\-][A-Za-z]+)*")
_VERSION: Final = re.compile(r"v[0-9]{1,2}(?:\.[0-9]{1,2})*|[0-9]{1,2}\.[0-9]{1,2}|[0-9]")
_ID: Final = re.compile(r"(?=[^0-9]*[0-9])[0-9A-Fa-f\-]{6,}")
_LONGEST_WORD: Final = 40
_AWS_KEY: Final = re.compile(r"A[KS]IA[A-Z0-9]{16}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9._\-]*")


def path_of(path: str) -> str:
    """A path, of which parts that could be secret are not shown."""
    return _bounded("/".join([_shown(part) for part in path.split("/")]))


def _shown(part: str) -> str:
    if _NUMBER.fullmatch(part) or _UUID.fullmatch(part):
        return part
    return "{token}" if _may_be_secret(part) else part


def _may_be_secret(part: str) -> bool:
    """Letters and digits mixed beyond what names and symbols have, too long for a word, or none of these."""
    if not _PLAIN.fullmatch(part) or len(part) >= _LONGEST_WORD or _AWS_KEY.fullmatch(part):
        return True
    if not any(map(str.isdecimal, part)):
        return False
    return len(part) >= (_LONG_MIXED if any(map(str.islower, part)) else _LONG_CAPITALS)


def route_of(path: str) -> str:
    """A path with `{id}` in place of what names one thing of a kind."""
    return _bounded("/".join([_kind(part) for part in path.split("/")]))


def _kind(part: str) -> str:
    if not part or _WORD.fullmatch(part) or _VERSION.fullmatch(part):
        return part if len(part) < _LONGEST_WORD else "{id}"
    if _NUMBER.fullmatch(part) or _ID.fullmatch(part) or _may_be_secret(part):
        return "{id}"
    return part


def _bounded(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
