"""What a call site always says the same, encoded once: level, logger, module, function, line.

A site's last message is kept encoded with it too: where the message is a constant it is the same object every time.
"""

from collections.abc import Callable
from types import CodeType
from typing import Final, final

import orjson

from metaexpert.logger.site import Site, site_of
from metaexpert.logger.values import safe_text

_MAX_SITES: Final = 10_000
_KEPT_MESSAGE_CHARACTERS: Final = 256
_NAME_BYTES: Final = 1024
_SHORT_NAME_CHARACTERS: Final = 200
"""Names up to which are within that in any encoding."""

type SiteKey = tuple[int, int, int, str, str]
"""id() of the code object, instruction, level, logger, log type."""

type EncodeSite = Callable[[Site, int, str, str], tuple[bytes, bytes]]
"""What stands before and after the message, for a site, level, logger and log type."""


def encode_text(text: str) -> bytes:
    """A JSON string; lone surrogates become escapes that can be read."""
    try:
        return orjson.dumps(text)
    except TypeError:
        return orjson.dumps(safe_text(text))


def encode_name(name: str) -> bytes:
    """A JSON string of a name, cut where it is none: of a logger, a task, a module or a function."""
    return encode_text(bounded_name(name))


def bounded_name(name: str) -> str:
    """A name as it may be written; one of megabytes would stand on each line."""
    return name if len(name) <= _SHORT_NAME_CHARACTERS else safe_text(name, _NAME_BYTES)


@final
class SitePieces:
    """The encoded pieces of one site."""

    __slots__ = ("_after", "_before", "_code", "head", "message")

    def __init__(self, before: bytes, after: bytes, code: CodeType) -> None:
        self._before = before
        self._after = after
        self._code = code  # kept alive, so that its id() is not given to another
        self.message: str | None = None
        self.head = b""

    def with_message(self, message: str) -> bytes:
        """The pieces around `message`."""
        head = b"%b%b%b" % (self._before, encode_text(message), self._after)
        if len(message) <= _KEPT_MESSAGE_CHARACTERS:
            self.message, self.head = message, head
        return head


@final
class Sites:
    """Pieces by site.

    Args:
        encode: makes a site's pieces.
    """

    def __init__(self, encode: EncodeSite) -> None:
        self.known: dict[SiteKey, SitePieces] = {}
        self._encode = encode

    def add(self, code: CodeType, lasti: int, level: int, logger: str, log_type: str) -> SitePieces:
        """The pieces of a site met for the first time."""
        before, after = self._encode(site_of(code, lasti), level, logger, log_type)
        if len(self.known) >= _MAX_SITES:
            self.known.clear()
        pieces = self.known[id(code), lasti, level, logger, log_type] = SitePieces(before, after, code)
        return pieces
