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

_LONG_TOKEN: Final = "a" * 32
_LONG_WITH_SIGNS: Final = "a" * 40

_IGNORED: Final = b"_-. \"'\\" + bytes([*range(9, 14), *range(28, 32)])
"""What may stand within a key or between a key and its sign."""


def _table(*classes: tuple[str, str], other: str | None = None) -> bytes:
    """Characters of a class become one; others `other`, or stay."""
    table = bytearray(range(256)) if other is None else bytearray(other.encode() * 256)
    for characters, becomes in classes:
        for character in characters.encode():
            table[character] = ord(becomes)
    return bytes(table)


_DIGITS: Final = "0123456789"
_SMALL: Final = "abcdefghijklmnopqrstuvwxyz"
_LETTERS: Final = _SMALL + _SMALL.upper()
_KEYS: Final = _table(*((letter.upper(), letter) for letter in _SMALL), (":", "="))
_SHAPE: Final = _table((_DIGITS, "0"), (_SMALL, "a"), (" \t\n\v\f\r\x1c\x1d\x1e\x1f,\"'", " "), ("-", "-"), other="X")
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
        wanted = sorted({*anywhere}, key=len)
        self._anywhere = tuple(
            part for at, part in enumerate(wanted) if not any(shorter in part for shorter in wanted[:at])
        )
        self._whole = tuple(whole)

    def __call__(self, data: bytes) -> bool:
        """Whether ASCII text may hold `key=value` or `key: value` under a hidden key."""
        text = data.translate(_KEYS, _IGNORED).decode("ascii").rpartition("=")[0]
        for part in self._anywhere:
            if part in text:
                return True
        return any(map(self._ends_in_one, text.split("=")))

    def _ends_in_one(self, text: str) -> bool:
        return text.endswith(self._whole)


def shape_of(data: bytes) -> str:
    """ASCII text with digits as 0, small letters as a; white space, commas, quotes as a space; others but "-" as X."""
    return data.translate(_SHAPE).decode("ascii")


def may_hold_card(shape: str) -> bool:
    """Whether text of this shape may hold the number of a card."""
    grouped, dashed, bare = _CARD_SHAPES
    return grouped in shape or dashed in shape or bare in shape


def may_hold_phrase(shape: str) -> bool:
    """Whether text of this shape may hold eleven and more words of small letters in a row."""
    if shape.count(" ") < _LEAST_SPACES:
        return False
    for word in _NO_WORDS:
        shape = shape.replace(word, "X")
    return any(row.count(" ") >= _LEAST_SPACES for row in shape.split("X") if len(row) >= _LEAST_PHRASE)


def may_hold_long_word(data: bytes) -> bool:
    """Whether ASCII text may hold a run as long as a key."""
    signed = data.translate(_SIGNED_WORDS).decode("ascii")
    if _LONG_TOKEN not in signed:
        return False
    return _LONG_WITH_SIGNS in signed or _LONG_TOKEN in data.translate(_WORDS).decode("ascii")
