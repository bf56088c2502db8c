"""Protobuf's wire format, as far as OTLP needs it (https://protobuf.dev/programming-guides/encoding/).

Written by hand: the official package would cost every program a megabyte and half a second, for five messages. Field
numbers are those of https://github.com/open-telemetry/opentelemetry-proto.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from metaexpert.logger.formats.otlp_model import MAX_INTEGER, MIN_INTEGER
from metaexpert.logger.values import safe_text

_SHORT: Final = tuple(bytes((number,)) for number in range(128))
_CONTINUES: Final = 0x80
_BITS: Final = 7
_MAX_VARINT_BYTES: Final = 10
_UNSIGNED: Final = 2**64
_DOUBLE: Final = struct.Struct("<cd").pack
_KEPT_KEYS: Final = 4096
_KEPT_KEY_CHARACTERS: Final = 128

_VARINT: Final = 0
_LENGTH: Final = 2
_FIXED_BYTES: Final = {1: 8, 5: 4}
"""Wire types of a fixed size: eight bytes, four bytes."""

_MAX_FIELDS: Final = 1000
"""Fields read of a message; garbage of megabytes would hold up the loop."""

_keys: Final[dict[str, bytes]] = {}


def varint(number: int) -> bytes:
    """A number from 0 to 2**64 - 1."""
    if number < _CONTINUES:
        return _SHORT[number]
    encoded = bytearray()
    while number >= _CONTINUES:
        encoded.append(number & 0x7F | _CONTINUES)
        number >>= _BITS
    encoded.append(number)
    return bytes(encoded)


def field(tag: bytes, content: bytes) -> bytes:
    """A field of text, bytes or a message."""
    return b"%b%b%b" % (tag, varint(len(content)), content)


def utf8(text: str) -> bytes:
    """Text as protobuf wants it; lone surrogates become escapes that can be read."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return safe_text(text).encode()


def key_values(tag: bytes, values: Mapping[str, Any]) -> bytes:
    """`KeyValue` messages, each in a field with this tag."""
    encoded: list[bytes] = []
    for name, value in values.items():
        content = any_value(value)
        pair = b"%b\x12%b%b" % (_keys.get(name) or _key(name), varint(len(content)), content)
        encoded += (tag, varint(len(pair)), pair)
    return b"".join(encoded)


def _key(name: str) -> bytes:
    encoded = field(b"\x0a", utf8(name))
    if len(name) <= _KEPT_KEY_CHARACTERS and len(_keys) < _KEPT_KEYS:
        _keys[name] = encoded
    return encoded


def any_value(value: object) -> bytes:  # noqa: PLR0911 - one return for each type
    """An `AnyValue` of what JSON can hold; an empty one for null, and text for an integer over 64 bits."""
    if type(value) is str:  # most are, and a comparison costs less than the search below
        return field(b"\x0a", utf8(value))
    match value:
        case bool():
            return b"\x10\x01" if value else b"\x10\x00"
        case int() if MIN_INTEGER <= value <= MAX_INTEGER:
            return b"\x18" + varint(value % _UNSIGNED)
        case float():
            return _DOUBLE(b"\x21", value)
        case list() | dict():
            return _nested(cast("list[Any] | dict[str, Any]", value))
        case None:
            return b""
        case _:
            return field(b"\x0a", utf8(str(value)))


def _nested(value: list[Any] | dict[str, Any]) -> bytes:
    if isinstance(value, dict):
        return field(b"\x32", key_values(b"\x0a", value))
    return field(b"\x2a", b"".join([field(b"\x0a", any_value(each)) for each in value]))


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a position, and where it ends.

    Raises:
        ValueError: there is none.
    """
    number = 0
    for count in range(_MAX_VARINT_BYTES):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << (_BITS * count)
        if byte < _CONTINUES:
            return number % _UNSIGNED, at
    raise ValueError("no whole number")


def read_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message in order: number, and the value of a varint or the bytes of others.

    Raises:
        ValueError: it is no whole message.
    """
    at = count = 0
    while at < len(data):
        count += 1
        if count > _MAX_FIELDS:
            raise ValueError("more fields than any answer has")
        tag, at = read_varint(data, at)
        kind = tag & 0x07
        if kind == _VARINT:
            value, at = read_varint(data, at)
            yield _number(tag), value
            continue
        if kind == _LENGTH:
            size, at = read_varint(data, at)
        elif kind in _FIXED_BYTES:
            size = _FIXED_BYTES[kind]
        else:
            raise ValueError(f"no wire type of proto3: {kind}")
        if at + size > len(data):
            raise ValueError("the message ends in a field")
        yield _number(tag), data[at : at + size]
        at += size


def _number(tag: int) -> int:
    if tag < 1 << 3:
        raise ValueError("0 is no field's number")
    return tag >> 3
