"""What the protocol modules share: JSON values, and an HTTP answer as a plain value."""

import zlib
from dataclasses import dataclass
from typing import cast

import orjson

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None

GZIP_WINDOW_BITS = 31


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response, decided without doing any I/O."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A request body that could not be decoded, and the reason in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A request body beyond the server's limit."""

    limit_bytes: int


def load_json(data: bytes | str) -> Json:
    """Parse strict JSON (a lone surrogate is an error).

    Raises:
        orjson.JSONDecodeError: `data` is not JSON.
    """
    return cast("Json", orjson.loads(data))


def json_answer(status: int, value: Json) -> Answer:
    """Answer with `value` as JSON."""
    return Answer(status, orjson.dumps(value), "application/json")


def text_answer(status: int, text: str) -> Answer:
    """Answer with one line of text, as Go's `http.Error` writes it."""
    return Answer(status, text.encode() + b"\n")


def decode_body(body: bytes, content_encoding: str, limit_bytes: int) -> bytes | Unreadable | TooLarge:
    """Undo the content encoding; never inflates more than `limit_bytes`."""
    if content_encoding in {"", "identity"}:
        return body if len(body) <= limit_bytes else TooLarge(limit_bytes)
    if content_encoding == "gzip":
        return _gunzip(body, limit_bytes)
    return Unreadable(f'Content-Encoding "{content_encoding}" not supported')


def _gunzip(body: bytes, limit_bytes: int) -> bytes | Unreadable | TooLarge:
    inflater = zlib.decompressobj(wbits=GZIP_WINDOW_BITS)
    try:
        plain = inflater.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        return Unreadable(f"gzip: {error}")
    if len(plain) > limit_bytes:
        return TooLarge(limit_bytes)
    if not inflater.eof:
        return Unreadable("gzip: unexpected EOF")
    if inflater.unused_data:
        return Unreadable("gzip: invalid header")
    return plain
