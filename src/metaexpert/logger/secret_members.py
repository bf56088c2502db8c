"""What stands under a key in text: `key=value`, `key: value`, `--key value`, `('key', value)`, `key%3Dvalue`. Pure.

In a line of code of a traceback, what is no literal is a name, and a name is no secret: `token=self.token` stays there.
"""

import re
from collections.abc import Callable
from typing import Final, final

REDACTED: Final = "[REDACTED]"

_MARK: Final = "[REDACTED"
_MEMBER: Final = re.compile(r"""(?<![\w.\-])([\w.\-]++)\\{0,3}["']?\s{0,8}+([=:])""")
"""Begins at words alone and gives none of them back, so that its time grows with the text and no faster."""

_OPENING: Final = re.compile(
    r"""[=>]{0,2}+\s{0,8}+(?:\(|\[(?!REDACTED))?(?:(?P<escaped>\\{1,3}["'])|[bru]?(?P<quote>["']))?"""
)
_PLAIN: Final = re.compile(r"""[^\s&"'\\,;(){}\[\]<>]+""")
_TO_QUOTE: Final = {quote: re.compile(rf"(?:[^\\{quote}]|\\.)++(?={quote})", re.DOTALL) for quote in "\"'"}
_TO_ESCAPE: Final = re.compile(r"""[^\\"']+""")
_HEADER: Final = re.compile(r"""[^\r\n"']+""")
_HEADERS: Final = ("authorization", "cookie")
"""What a header of such a name has is one secret up to the end of its line."""

_SECOND_WORDS: Final = frozenset({"key", "keys", "phrase"})
"""Say what is secret together with the word before them: "api key", "seed phrase"."""

_WORD_BEFORE: Final = re.compile(r"[A-Za-z]+[ \-]\Z")
_BEFORE_CHARACTERS: Final = 16
_KEY_CHARACTERS: Final = 64
_LEAST_AFTER_COLON: Final = 6
_BESIDE: Final = re.compile(
    r"""(?:(?<![\w\-])--([\w.\-]++)["']?,?\s{1,4}+|\(b?["']([\w.\-]++)["'],\s{0,4}+)b?(["']?)(?!-)"""
)
"""A key with its value beside it: an option of a command line, in one text or in a list; a pair."""


_ANNOTATION: Final = re.compile(
    r"""\s{0,4}(?:\w+\.)?(?:str|bytes|object|Any|Secret\w*|Final|ClassVar|Optional|Union|Annotated|Literal)\b"""
    r"""[^\n=]{0,64}=\s{0,4}(?=(?:[\w.]{1,64}\(\s{0,4})?[bru]?["'])"""
)
"""Between a name and what is assigned to it: its type."""

_CALL: Final = re.compile(r"""\s{0,4}[A-Za-z_][\w.]{0,64}\(\s{0,4}(?=[bru]?["'])""")
"""What is made of a literal: `SecretStr("...")`."""

_ENCODED: Final = re.compile(r"([\w.\-]++)(?:%(?:25){0,3}22)?%(?:25){0,3}3[DdAa](?:%(?:25){0,3}2[02])*")
_ENCODED_PLAIN: Final = re.compile(r"""(?:[^\s&"'\\,;(){}\[\]<>%]|%(?!(?:25){0,3}2[26]))+""")
_ENCODED_BEFORE: Final = re.compile(r"(?:25){0,3}[0-9A-Fa-f]{2}")
"""What is left of an escape before a key, such as that of "&"."""

_NAME: Final = re.compile(r"[A-Za-z_][\w.]*(?=[\s(),:}\[\]]|\Z)")
_SOURCE_OF: Final = re.compile(r"""[ |]*File ".*", line \d+""")
_SOURCE_INDENT: Final = re.compile(r"[ |]*    ")
_MOST_SOURCE: Final = 1024


@final
class KeyedValues:
    """Hides values under keys.

    Args:
        hides: whether what stands under a key is secret.
    """

    def __init__(self, hides: Callable[[str], bool]) -> None:
        self._hides = hides

    def without_members(self, text: str) -> str:
        """Without values of `key=value`, or of `key: value`, under keys that are hidden."""
        parts: list[str] = []
        done = at = 0
        while (member := _MEMBER.search(text, at)) is not None:
            at = member.end()
            key = member[1][-_KEY_CHARACTERS:]
            if key.isdecimal() or not self._is_hidden(key, text, member.start()):
                continue
            begin, end = _value(text, at, key.lower(), member[2])
            if end > begin and not text.startswith(_MARK, begin) and not _is_code(text, begin):
                parts += (text[done:begin], REDACTED)
                done = at = end
        return "".join((*parts, text[done:])) if parts else text

    def without_pairs(self, text: str) -> str:
        """Without values beside hidden keys: `--api-key value`, `('api_key', 'value')`."""
        parts: list[str] = []
        done = 0
        for pair in _BESIDE.finditer(text):
            key = (pair[1] or pair[2])[-_KEY_CHARACTERS:]
            quote, begin = pair[3], pair.end()
            found = (_TO_QUOTE[quote] if quote else _PLAIN).match(text, begin)
            if found is None or not self._hides(key) or text.startswith(_MARK, begin):
                continue
            if not quote and (found.end() - begin < _LEAST_AFTER_COLON or _is_code(text, begin)):
                continue  # a usage's name of the value, or prose, or code
            parts += (text[done:begin], REDACTED)
            done = found.end()
        return "".join((*parts, text[done:])) if parts else text

    def without_encoded(self, text: str) -> str:
        """Without values of `key%3Dvalue`, an address within an address, under keys that are hidden."""
        parts: list[str] = []
        done = at = 0
        while (member := _ENCODED.search(text, at)) is not None:
            at = member.end()
            key = member[1][-_KEY_CHARACTERS:]
            if text.startswith("%", member.start() - 1) and member.start():
                key = _ENCODED_BEFORE.sub("", key, count=1)
            value = _ENCODED_PLAIN.match(text, at)
            if value is None or not self._hides(key) or text.startswith(_MARK, at):
                continue
            parts += (text[done:at], REDACTED)
            done = at = value.end()
        return "".join((*parts, text[done:])) if parts else text

    def _is_hidden(self, key: str, text: str, begin: int) -> bool:
        if self._hides(key):
            return True
        if key.lower() not in _SECOND_WORDS:
            return False
        before = _WORD_BEFORE.search(text[max(0, begin - _BEFORE_CHARACTERS) : begin])
        return before is not None and self._hides(before[0] + key)


def _value(text: str, at: int, key: str, sign: str) -> tuple[int, int]:
    """Where the value after a key's sign begins and ends."""
    if sign == ":" and (annotation := _ANNOTATION.match(text, at)):
        at, sign = annotation.end(), "="
    if call := _CALL.match(text, at):
        at = call.end()
    opening = _OPENING.match(text, at)
    begin = opening.end() if opening else at
    quote = opening and opening["quote"]
    if quote and (quoted := _TO_QUOTE[quote].match(text, begin)):
        return begin, quoted.end()
    if opening and opening["escaped"]:
        pattern, least = _TO_ESCAPE, 1
    elif sign == ":" and not quote and key.endswith(_HEADERS):
        pattern, least = _HEADER, _LEAST_AFTER_COLON
    else:
        pattern, least = _PLAIN, 1 if sign == "=" else _LEAST_AFTER_COLON  # after a colon there is prose as well
    found = pattern.match(text, begin)
    return (begin, found.end()) if found and found.end() - begin >= least else (begin, begin)


def _is_code(text: str, begin: int) -> bool:
    """Whether a name stands here in a line of source below a traceback's "File ..." and outside its literals."""
    if _NAME.match(text, begin) is None:
        return False
    line = text.rfind("\n", 0, begin) + 1
    before = text[line:begin]
    if not line or len(before) > _MOST_SOURCE or not _SOURCE_INDENT.match(before) or "#" in before:
        return False
    if before.count('"') % 2 or before.count("'") % 2:
        return False
    return _SOURCE_OF.match(text, text.rfind("\n", 0, line - 1) + 1, line) is not None
