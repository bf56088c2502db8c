"""Any Python value to JSON in the log call: redacted, bounded, and never raising.

Two ways through: `quick` takes what almost every call passes, scalars under keys already known to be harmless, in one
orjson call; `full` walks anything else under the limits of the specification (depth 8, 256 items a container, 64 KiB an
entry), cuts what exceeds them and says so in the value's place.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import NoneType
from typing import Any, Final, final
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from metaexpert.logger.described import described, type_name
from metaexpert.logger.redaction import Clearing, Redactor
from metaexpert.logger.texts import MAX_ENTRY_BYTES, is_utf8, safe_text, utf8_size
from metaexpert.logger.walk import MAX_DEPTH, MAX_ITEMS, Lazy, Walk, lazy

__all__ = [
    "CALL_KEYWORDS",
    "MAX_CONTEXT_BYTES",
    "MAX_DEPTH",
    "MAX_ENTRY_BYTES",
    "MAX_ITEMS",
    "Lazy",
    "ValueEncoder",
    "described",
    "is_orjsons",
    "is_utf8",
    "lazy",
    "safe_text",
    "type_name",
    "utf8_size",
]

MAX_CONTEXT_BYTES: Final = 16 * 1024
"""What the fields of one bind or log_context may take of it."""

CALL_KEYWORDS: Final = frozenset({"exc_info", "stack_info", "stacklevel", "extra", "msg"})
"""Keywords with a meaning of their own; kept out of the quick way so that only calls which use them pay for them."""

_SCALARS: Final = frozenset({int, bool, NoneType, Decimal})
"""Immutable types orjson encodes in one step, beside those that are looked at more closely."""

_ZONES: Final = frozenset({timezone, ZoneInfo})
_MINUTE: Final = timedelta(minutes=1)
_LOOKED_AT: Final = frozenset({datetime, UUID})
_UUID_BITS: Final = 128

_SMALL_BYTES: Final = 1024
"""Fields encoded in fewer bytes are within every limit."""

_KNOWN_KEYS: Final = 4096
_KNOWN_KEY_CHARACTERS: Final = 128
_KNOWN_TEXTS: Final = 2048
_KNOWN_TEXT_CHARACTERS: Final = 256


def is_orjsons(value: Any) -> bool:
    """Whether orjson writes it as Python does, and lives: it ends the process where a time zone raises.

    orjson rounds an offset to minutes.
    """
    if type(value) is UUID:
        return value.int >> _UUID_BITS == 0
    zone = value.tzinfo
    return zone is None or zone is UTC or (type(zone) in _ZONES and not value.utcoffset() % _MINUTE)


def _quick_default(value: object) -> object:
    if type(value) is Decimal:
        return str(value)
    raise TypeError


@final
class ValueEncoder:
    """Encodes fields for one set of redaction rules."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self.harmless: set[str] = set()
        """Keys the quick way takes."""
        self.prepared: dict[str, Any] = {}
        """What others have made ready for these rules and no other, by name."""
        self.clean: set[str] = set()
        """Messages without secrets; a set of strings' own, which any thread may fill."""
        self.quick = self._quick()

    def _quick(self) -> Callable[[dict[str, Any]], bytes | None]:  # noqa: C901 - one frame, see below
        """The quick way as a function of its own: looking its parts up on `self` would cost it a tenth."""
        all_harmless = self.harmless.issuperset
        scrub, least_characters = self._redactor.scrub, self._redactor.least_characters

        def quick(fields: dict[str, Any]) -> bytes | None:  # noqa: PLR0911 - a refusal for each reason
            """Encode plain fields as JSON members without braces, or None when they need `full`."""
            try:
                if not all_harmless(fields):
                    return None
                for value in fields.values():
                    kind: type = type(value)  # pyright: ignore[reportUnknownVariableType] - a call to cast() would cost
                    if kind is str:
                        # most texts are a word; the comparison spares them the search for secrets
                        size = len(value)
                        if size > MAX_ENTRY_BYTES or (size >= least_characters and scrub(value) is not value):
                            return None
                    elif kind is float:
                        if value - value != 0.0:  # NaN or infinite: orjson would write null
                            return None
                    elif kind not in _SCALARS and not (kind in _LOOKED_AT and is_orjsons(value)):
                        return None
                encoded = orjson.dumps(fields, _quick_default)
            except Exception:  # noqa: BLE001 - an integer over 64 bits, a lone surrogate, or somebody's own code
                return None
            # a copy of the right size: orjson's buffer is a kilobyte that was shrunk, and keeping thousands of those
            # fragments the heap until every allocation costs microseconds
            size = len(encoded)
            if size > _SMALL_BYTES and (size > MAX_ENTRY_BYTES or len(fields) > MAX_ITEMS):
                return None
            return encoded[1:-1]

        return quick

    def full(self, fields: Mapping[str, object], limit_bytes: int = MAX_ENTRY_BYTES) -> bytes:
        """Encode anything as JSON members; what cannot be encoded or is too large is replaced by a mark."""
        return orjson.dumps(self.plain(fields, limit_bytes))[1:-1]

    def plain(self, fields: Mapping[str, object], limit_bytes: int = MAX_ENTRY_BYTES) -> dict[str, object]:
        """As `full`, under the keys the entry will have, before it is made JSON."""
        plain = Walk(self._redactor, limit_bytes).fields(fields)
        self._remember(fields)
        return plain

    def shown(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields for other people's handlers: as they are, but for what hidden keys carry, at any depth."""
        clearing = Clearing(self._redactor)
        return {
            self._redactor.scrub(name): clearing.member(name, value)
            for name, value in ((described(key, str), value) for key, value in fields.items())
        }

    def text(self, text: str) -> str:
        """A message without secrets; one that is written again and again is looked through once."""
        if text in self.clean:
            return text
        scrubbed = self._redactor.scrub(text)
        if scrubbed is text and len(text) <= _KNOWN_TEXT_CHARACTERS:
            if len(self.clean) >= _KNOWN_TEXTS:
                self.clean.clear()
            self.clean.add(text)
        return scrubbed

    def scrub(self, text: str) -> str:
        """Any other text without secrets."""
        return self._redactor.scrub(text)

    @property
    def searches(self) -> tuple[Callable[[str], str], int, int]:
        """`scrub`, and the characters from which on it is to be shown a text, and a number of digits that stands alone.

        What comes back from it is the same object where there is no secret.
        """
        redactor = self._redactor
        return redactor.scrub, redactor.least_characters, redactor.least_number_characters

    def is_harmless(self, key: str) -> bool:
        """Whether the quick way takes values under `key`."""
        self._remember((key,))
        return key in self.harmless

    def hides(self, key: str) -> bool:
        """Whether a value under `key` must not leave the call."""
        return self._redactor.hides(key)

    def in_place_of(self, key: str, value: object) -> str:
        """What is shown of it instead."""
        return self._redactor.in_place_of(key, value)

    def again(self, members: bytes) -> bytes:
        """Members encoded under other rules, encoded anew under these."""
        return self.full(orjson.loads(b"{%b}" % members)) if members else members

    def items(self, fields: Mapping[str, object]) -> dict[str, bytes]:
        """Encode each field on its own, for contexts that are merged later."""
        plain = Walk(self._redactor, MAX_CONTEXT_BYTES).fields(fields)
        return {key: orjson.dumps(value) for key, value in plain.items()}

    def _remember(self, fields: Iterable[str]) -> None:
        if len(self.harmless) < _KNOWN_KEYS:
            hides = self._redactor.hides
            self.harmless.update(
                key
                for key in fields
                if type(key) is str
                and len(key) <= _KNOWN_KEY_CHARACTERS
                and key not in CALL_KEYWORDS
                and is_utf8(key)
                and not hides(key)
                and self._redactor.scrub(key) is key
            )
