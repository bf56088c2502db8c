"""A regular expression a person wrote, to be searched for in UTF-8 bytes; pure.

What differs between characters and their bytes is rewritten: a lone `.` is one character, a character of several bytes
is repeated as a whole and may be among others in brackets, and has a small and a capital form.
"""

import re
from typing import Final

from metaexpert.logger.files.reading.conditions import QueryError

CHARACTER: Final = r"(?:[\x00-\x09\x0b-\x7f]|[\xc2-\xf4][\x80-\xbf]{1,3})"
"""What a lone `.` becomes."""

_TOKEN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\.(?![*+])|[^\x00-\x7f]", re.DOTALL)


def bytes_pattern(written: str, *, ignore_case: bool) -> re.Pattern[bytes]:
    """The pattern for bytes.

    Args:
        written: the pattern for text.
        ignore_case: whether capitals are taken for small letters.

    Raises:
        QueryError: it is none, or excludes characters beyond ASCII by brackets, which bytes cannot tell.
    """
    try:
        re.compile(written)
        text = _TOKEN.sub(lambda match: _rewritten(match, ignore_case=ignore_case), written)
        return re.compile(text.encode(), re.IGNORECASE if ignore_case else re.NOFLAG)
    except re.error as error:
        raise QueryError(f"grep {written!r} is no regular expression: {error}") from None


def _rewritten(match: re.Match[str], *, ignore_case: bool) -> str:
    written = match.group()
    if written == ".":
        return CHARACTER
    if written[0] == "\\" or written.isascii():
        return written
    if written[0] == "[":
        return _any_of(written, ignore_case=ignore_case)
    repeated = match.string[match.end() : match.end() + 1] in {"*", "+", "?", "{"}
    return _character(written, ignore_case=ignore_case) if repeated or ignore_case else written


def _character(character: str, *, ignore_case: bool) -> str:
    forms = {character, character.lower(), character.upper()} if ignore_case else {character}
    return f"(?:{'|'.join(sorted(forms))})"


def _any_of(brackets: str, *, ignore_case: bool) -> str:
    if brackets[1] == "^" or re.search(r"[^\x00-\x7f]-|-[^\x00-\x7f]", brackets):
        raise QueryError(f"grep: {brackets} is not supported: name the characters beyond ASCII, without ^ and ranges")
    beyond = [_character(each, ignore_case=ignore_case) for each in brackets if not each.isascii()]
    ascii_only = "".join(each for each in brackets if each.isascii())
    return f"(?:{'|'.join(beyond if ascii_only == '[]' else [*beyond, ascii_only])})"
