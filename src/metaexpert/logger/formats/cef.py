"""ArcSight's Common Event Format, CEF:0 (Micro Focus Security ArcSight Common Event Format, version 26).

Keys and their lengths are the dictionary's. What it has no key for stands, as JSON, under keys of ours, named as the
guidelines for custom extensions want it: nothing of an entry is lost, not even what a key of the dictionary cut.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, final

import orjson

from metaexpert.__version__ import __version__
from metaexpert.logger.entry import (
    DETAILS,
    EXCEPTION,
    LEVEL,
    LOG_TYPE,
    SEQ,
    TIME_NS,
    TRADE_DATA,
    Capture,
    data_key,
    extra_json,
)
from metaexpert.logger.formats.failures import text_of
from metaexpert.logger.formats.sites import bounded_name
from metaexpert.logger.identity import Identity
from metaexpert.logger.texts import safe_ends
from metaexpert.logger.values import safe_text

VENDOR: Final = "MetaExpert"
PRODUCT: Final = "Logger"

_SEVERITIES: Final = ((50, 10), (40, 8), (30, 6), (20, 3), (10, 1))
"""Lowest level number and severity: very high (9, 10), high (7, 8), medium (4 to 6), low (0 to 3)."""

_NAME_CHARACTERS: Final = 512
_MESSAGE_CHARACTERS: Final = 1023
_STRING_CHARACTERS: Final = 4000
_ACTION_CHARACTERS: Final = 63
_FLEX_CHARACTERS: Final = 1023
_TRACEBACK_BYTES: Final = 3900
_NANOSECONDS_A_MILLISECOND: Final = 1_000_000
_WHOLE_NUMBER: Final = re.compile(r"\d{1,18}")
_NUMBER: Final = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?")

_HEADER: Final = re.compile(r"[\\|\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_EXTENSION: Final = re.compile(r"[\\=\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_WRITTEN: Final = {"\\": "\\\\", "|": "\\|", "=": "\\=", "\n": "\\n", "\r": "\\r"}

_STRINGS: Final = (("cs2", "symbol"), ("cs3", "order_id"), ("cs4", "strategy_id"), ("cs5", "client_order_id"))
_NUMBERS: Final = (("cfp1", "price"), ("cfp2", "quantity"), ("cfp3", "fee"))
"""Custom keys of the dictionary for what trades are looked for by; each names its field in its label."""

_ABOUT_FAILURES: Final = (("flexString1", "fingerprint"), ("flexString2", "same_as"))
"""The same for what repeated errors are joined by."""


def severity(level: int) -> int:
    """CEF's severity of a stdlib level."""
    return next((number for floor, number in _SEVERITIES if level >= floor), 0)


def header_text(text: str) -> str:
    r"""A header field: `|` and `\` are escaped, what would break the line is written as spaces or escapes."""
    return _HEADER.sub(lambda found: " " if found.group() in "\r\n" else _escape(found), text)


def extension_text(text: str) -> str:
    r"""A value of the extension: `=` and `\` are escaped, line ends are `\n` and `\r`."""
    return _EXTENSION.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    return _WRITTEN.get(character) or "\\" + character.encode("unicode_escape").decode()


@final
class CefLines:
    """Encodes entries as CEF events, a line each.

    Args:
        identity: the process that writes.
    """

    def __init__(self, identity: Identity) -> None:
        self._boot_id = identity.boot_id
        self._device = {
            "dvchost": identity.host[:255],
            "dvcpid": str(identity.pid),
            "deviceProcessName": identity.service[:1023],
        }

    def __call__(self, entry: Capture) -> bytes:
        """The entry's event, without newline."""
        message, data = entry[4], _data(entry)
        event = str(data.get("event") or "")
        signature = f"{entry[LOG_TYPE]}.{event}" if event else entry[LOG_TYPE]
        name = event.replace("_", " ") or message or entry[LOG_TYPE]
        head = "|".join(
            [
                f"CEF:0|{VENDOR}|{PRODUCT}|{__version__}",
                header_text(_cut(signature, _MESSAGE_CHARACTERS)),
                header_text(_cut(name, _NAME_CHARACTERS)),
                str(severity(entry[LEVEL])),
            ]
        )
        extension = " ".join([f"{key}={extension_text(value)}" for key, value in self._extension(entry, data)])
        return f"{head}|{extension}".encode("utf-8", "backslashreplace")

    def _extension(self, entry: Capture, data: dict[str, Any]) -> Iterator[tuple[str, str]]:
        message, details = entry[4], entry[DETAILS]
        yield "rt", str(max(entry[TIME_NS], 0) // _NANOSECONDS_A_MILLISECOND)
        yield from self._device.items()
        yield "externalId", f"{self._boot_id}-{entry[SEQ]}"
        yield "cat", entry[LOG_TYPE]
        yield "msg", _cut(message, _MESSAGE_CHARACTERS)
        yield from _labelled("cs1", "logger", bounded_name(entry[3]))
        yield "MetaExpertLoggerLevel", bounded_name(logging.getLevelName(entry[LEVEL]))
        yield "MetaExpertLoggerTimeNs", str(entry[TIME_NS])
        extra: dict[str, Any] = orjson.loads(extra_json(entry[7], entry[8])) if entry[7] or entry[8] else {}
        yield from _fields(extra | data)
        if details is not None and details[EXCEPTION]:
            yield from _failure(orjson.loads(details[EXCEPTION]))
        if len(message) > _MESSAGE_CHARACTERS:
            yield "MetaExpertLoggerMessage", message
        if extra:
            yield "MetaExpertLoggerExtra", orjson.dumps(extra).decode()
        if details is not None:
            yield from _kept(details, data_key(entry[LOG_TYPE]))


def _fields(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, name in _STRINGS:
        if _is_plain(fields.get(name)):
            yield from _labelled(key, name, str(fields[name]))
    for key, name in _NUMBERS:
        text = str(fields.get(name, ""))
        if _NUMBER.fullmatch(text):
            yield from _labelled(key, name, text)
    if _is_plain(fields.get("actor")):
        yield "suser", _cut(str(fields["actor"]), _MESSAGE_CHARACTERS)
    for key, name in (("act", "event"), ("outcome", "status")):
        if _is_plain(fields.get(name)):
            yield key, _cut(str(fields[name]), _ACTION_CHARACTERS)


def _failure(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "reason", _cut(f"{text_of(told, 'type')}: {text_of(told, 'message')}", _MESSAGE_CHARACTERS)
    # what it came of stands at the beginning of a traceback, what it came to at its end
    yield from _labelled("cs6", "traceback", safe_ends(text_of(told, "traceback"), _TRACEBACK_BYTES))
    for key, name in _ABOUT_FAILURES:
        if text := text_of(told, name):
            yield from _labelled(key, name, text, _FLEX_CHARACTERS)
    seen = text_of(told, "seen")
    if _WHOLE_NUMBER.fullmatch(seen):
        yield from _labelled("cn1", "seen", seen)


def _kept(details: tuple[bytes, bytes, bytes], key: str) -> Iterator[tuple[str, str]]:
    names = ("Exception", "StackInfo", "TradeData" if key == "trade_data" else "ErrorContext")
    for name, encoded in zip(names, details, strict=True):
        if encoded:
            yield f"MetaExpertLogger{name}", encoded.decode()


def _labelled(key: str, label: str, value: str, characters: int = _STRING_CHARACTERS) -> Iterator[tuple[str, str]]:
    yield key, _cut(value, characters)
    yield f"{key}Label", label


def _data(entry: Capture) -> dict[str, Any]:
    details = entry[DETAILS]
    return orjson.loads(details[TRADE_DATA]) if details is not None and details[TRADE_DATA] else {}


def _is_plain(value: object) -> bool:
    return value is not None and not isinstance(value, dict | list) and value != ""


def _cut(text: str, characters: int) -> str:
    return safe_text(text) if len(text) <= characters else f"{safe_text(text[: characters - 1])}…"
