"""What a text cannot hold, at a glance: questions that cost a fraction of a search, and whose No is certain. Pure.

They look at ASCII text by its shape: bytes translated by a table, in which whole classes of characters are one.
"""

from collections.abc import Iterable
from typing import Final, final

_LEAST_SPACES: Final = 11
_LEAST_PHRASE: Final = _LEAST_SPACES * len("abc ")
_CARD_SHAPES: Final = ("0000 0000", "0000-0000", "0" * 15)
_NO_WORDS: Final = (" a ", " aa ", "a" * 9)
"""Words that are too short or too long for one of a recovery phrase."""

_ISSUED: Final = "a" * 20
_LONG_TOKEN: Final = "a" * 32
_LONG_WITH_SIGNS: Final = "a" * 40

_IGNORED: Final = b"_-. \"'\\0123456789" + bytes([*range(9, 14), *range(28, 32)])
"""What may stand within a key or between a key and its sign; digits are of no account, so that fewer keys are new."""

_KEY_CHARACTERS: Final = 80
_KNOWN_KEYS: Final = 4096


def _table(*classes: tuple[str, str], other: str | None = None) -> bytes:
    """Characters of a class become one; others `other`, or stay."""
    table = bytearray(range(256)) if other is None else bytearray(other.encode() * 256)
    for characters, becomes in classes:
        for character in characters.encode():
            table[character] = ord(becomes)
    return bytes(table)


_DIGITS: Final = "0123456789"
_WITHOUT_DIGITS: Final = dict.fromkeys(map(ord, _DIGITS))
_SMALL: Final = "abcdefghijklmnopqrstuvwxyz"
_LETTERS: Final = _SMALL + _SMALL.upper()
ANY_DIGIT: Final = _table((_DIGITS, "0"))
"""Digits as one."""

_KEYS: Final = _table(*((each.upper() + each, each) for each in _SMALL), (":=", "="), other="&")
_SHAPE: Final = _table((_DIGITS, "0"), (_LETTERS, "a"), (" \t\n\v\f\r\x1c\x1d\x1e\x1f,\"'", " "), ("-", "-"), other="X")
_WORDS: Final = _table((_LETTERS + _DIGITS, "a"), other=" ")
_SIGNED_WORDS: Final = _table((_LETTERS + _DIGITS + "+/_-", "a"), other=" ")


@final
class KeyGlance:
    """Whether a hidden key may stand before a sign.

    Args:
        anywhere: what makes a key hidden wherever it stands in it, without case and punctuation.
        whole: keys that are hidden when they are nothing else.
    """

    def __init__(self, anywhere: Iterable[str], whole: Iterable[str]) -> None:
        wanted = sorted({part.translate(_WITHOUT_DIGITS) for part in anywhere}, key=len)
        self._anywhere = tuple(
            part for at, part in enumerate(wanted) if not any(shorter in part for shorter in wanted[:at])
        )
        self._whole = tuple({key.translate(_WITHOUT_DIGITS) for key in whole})
        self._clean: set[str] = set()

    def __call__(self, data: bytes) -> bool:
        """Whether ASCII text may hold `key=value` or `key: value` under a hidden key."""
        clean = self._clean
        for before in data.translate(_KEYS, _IGNORED).decode("ascii").split("=")[:-1]:
            key = before.rpartition("&")[2]
            if key not in clean and self._may_hide(key[-_KEY_CHARACTERS:]):
                return True
        return False

    def _may_hide(self, key: str) -> bool:
        for part in self._anywhere:
            if part in key:
                return True
        if key.endswith(self._whole):
            return True
        if len(self._clean) >= _KNOWN_KEYS:
            self._clean.clear()
        self._clean.add(key)
        return False


def shape_of(data: bytes) -> str:
    """ASCII text with digits as 0, letters as a; white space, commas, quotes as a space; others but "-" as X."""
    return data.translate(_SHAPE).decode("ascii")


def may_hold_card(shape: str, lower: str) -> bool:
    """Whether text of this shape, which in small letters is `lower`, may hold the number of a card."""
    grouped, dashed, bare = _CARD_SHAPES
    return grouped in shape or dashed in shape or (bare in shape and "card" in lower)


def may_hold_phrase(shape: str) -> bool:
    """Whether text of this shape may hold eleven and more words in a row."""
    if shape.count(" ") < _LEAST_SPACES:
        return False
    if not _has_row(shape.replace("0", "X")):
        return False
    for word in _NO_WORDS:
        shape = shape.replace(word, "X")
    return any(row.count(" ") >= _LEAST_SPACES for row in shape.split("X") if len(row) >= _LEAST_PHRASE)


def _has_row(shape: str) -> bool:
    """Whether so many characters are without an X among them as the words of a phrase have at the least."""
    begin = 0
    while begin + _LEAST_PHRASE <= len(shape):
        stop = shape.rfind("X", begin, begin + _LEAST_PHRASE)
        if stop < 0:
            return True
        begin = stop + 1
    return False


def longest_word(data: bytes) -> int:
    """How long a run ASCII text may hold: 0, 20 as the shortest key that is known by its beginning, 32 as any key."""
    signed = data.translate(_SIGNED_WORDS).decode("ascii")
    if _ISSUED not in signed:
        return 0
    if _LONG_WITH_SIGNS in signed or (_LONG_TOKEN in signed and _LONG_TOKEN in data.translate(_WORDS).decode("ascii")):
        return len(_LONG_TOKEN)
    return len(_ISSUED)
