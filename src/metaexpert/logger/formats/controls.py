r"""Control characters and bidirectional overrides as escapes, so that no text forges a line or turns one around; pure.

In lines that people read they become what Python writes (`\x1b`, `\u202e`). In JSON they become `\uXXXX`, which every
parser reads as the character itself: nothing is lost, and no display that shows the document raw acts on it.
"""

import re
from typing import Final

_UNSAFE: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_UNSAFE_UTF8: Final = re.compile(
    rb"[\x7f\xc2\xd8\xe2](?:(?<=\x7f)|(?<=\xc2)[\x80-\x9f]|(?<=\xd8)\x9c"
    rb"|(?<=\xe2)(?:\x80[\x8e\x8f\xa8-\xae]|\x81[\xa6-\xa9]))"
)
"""Of these what JSON allows in a string, as UTF-8 has it; each begins with a byte that begins a character."""

_FIRST_BYTES: Final = (0xE2, 0xC2, 0xD8)
DELETE: Final = 0x7F
"""The one that is ASCII, as a number: bytes are asked for a number in a tenth of the time."""


def neutralised(text: str) -> str:
    """`text` with everything that could break out of its line written as an escape."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def harmless(document: bytes) -> bytes:
    r"""A JSON document with what acts on a display, or ends a line for some readers, written as `\uXXXX`."""
    if document.isascii() and DELETE not in document:
        return document
    return escaped(document)


def escaped(document: bytes) -> bytes:
    """The same for a document that is not plain ASCII."""
    if DELETE not in document and (
        not any(map(document.__contains__, _FIRST_BYTES)) or document.decode().isprintable()
    ):
        return document
    return _UNSAFE_UTF8.sub(_escape, document)


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match.group().decode())
