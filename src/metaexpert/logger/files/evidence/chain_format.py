"""How hash chains look on disk: lines of JSON that each end in a head, which covers all before it; pure.

    {"kind":"lines","line":1,"count":2,"end":128,"digests":"…","head":"<64 hex>","mac":"<64 hex>"}

The *body* of a line is its bytes before `,"head":`. Its head is SHA-256 of the previous line's head (32 bytes, zeros
before the first), of SHA-256 of the body, and of the SHA-256 digests of the log lines it is about, one after the
other. Its `mac`, where there is a key, is HMAC-SHA256 of the head. So no byte of a line is without cover.
"""

import hmac
import json
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, cast, final

import orjson

VERSION: Final = 1

NOTHING: Final = bytes(32)
"""The head before the first line."""

DIGEST_BYTES: Final = 8
"""How much of a log line's digest stands in the chain, to find the first wrong one; heads cover the whole digests."""

_FULL_DIGEST_BYTES: Final = 32

MAX_LINES: Final = 4096
"""Log lines that one line of a chain is about, at most."""

MAX_RECORD_BYTES: Final = 256 * 1024
"""No line of a chain is longer."""

SUFFIX: Final = ".seals"
"""What the name of a log's seals ends in, behind the log's own name."""

_HEAD: Final = b',"head":"'
_MAC: Final = b'","mac":"'
_END: Final = b'"}\n'
_HEX: Final = 64
_KEYED_TAIL: Final = len(_HEAD) + _HEX + len(_MAC) + _HEX + len(_END)
_TAIL: Final = len(_HEAD) + _HEX + len(_END)


class FormatError(ValueError):
    """A line is not one of a chain's."""


@final
@dataclass(frozen=True, slots=True)
class Record:
    """One line of a chain or of the seals.

    Attributes:
        body: what the head covers.
        values: what it says.
        head: its head.
        mac: HMAC of the head; empty without a key.
    """

    body: bytes
    values: Mapping[str, Any]
    head: bytes
    mac: bytes

    @classmethod
    def parsed(cls, line: bytes) -> "Record":
        """Read a line with its newline.

        Raises:
            FormatError: it is none.
        """
        at, head, mac = _tail(line)
        body = line[:at]
        try:
            values = _loaded(body + b"}")
        except (ValueError, RecursionError) as error:
            raise FormatError(f"no JSON: {error}") from None
        if not isinstance(values, dict) or type(cast("dict[str, Any]", values).get("kind")) is not str:
            raise FormatError("no object with a kind")
        return cls(body, cast("dict[str, Any]", values), head, mac)

    @property
    def kind(self) -> str:
        """What it is about."""
        return self.values["kind"]

    def text(self, name: str) -> str:
        """A value that is text.

        Raises:
            FormatError: it is missing or something else.
        """
        value = self.values.get(name)
        if not isinstance(value, str):
            raise FormatError(f"{name} is no text")
        return value

    def number(self, name: str) -> int:
        """A value that is a number from 0.

        Raises:
            FormatError: it is missing or something else.
        """
        value = self.values.get(name)
        if type(value) is not int or value < 0:
            raise FormatError(f"{name} is no number from 0")
        return value

    def digests(self) -> list[bytes]:
        """The beginnings of the digests of its log lines.

        Raises:
            FormatError: there are not as many as it says.
        """
        text = self.text("digests")
        try:
            joined = b64decode(text, validate=True)
        except (NotBase64, ValueError):
            raise FormatError("digests are not base64") from None
        if len(joined) != self.number("count") * DIGEST_BYTES or len(joined) > MAX_LINES * DIGEST_BYTES:
            raise FormatError("there are not as many digests as lines")
        return [joined[at : at + DIGEST_BYTES] for at in range(0, len(joined), DIGEST_BYTES)]

    def epoch(self) -> int | None:
        """Which key its MAC, and those of the records that follow it, are made with; None without keys.

        Raises:
            FormatError: it is something else than a number.
        """
        return None if self.values.get("epoch") is None else self.number("epoch")

    def follows(self, previous: bytes, digests: bytes = b"") -> bool:
        """Whether its head is that of a line after the one with the head `previous`, about lines of these digests."""
        return self.head == head_of(self.body, previous, digests)

    def is_signed_by(self, key: bytes) -> bool:
        """Whether its MAC was made with `key`."""
        return hmac.compare_digest(self.mac, hmac.digest(key, self.head, "sha256"))


def _tail(line: bytes) -> tuple[int, bytes, bytes]:
    """Where the body ends, head and MAC."""
    for size, keyed in ((_KEYED_TAIL, True), (_TAIL, False)):
        at = len(line) - size
        head_at = at + len(_HEAD)
        if at > 0 and line[at:head_at] == _HEAD and line.endswith(_END):
            head = line[head_at : head_at + _HEX]
            if not keyed:
                return at, _unhex(head), b""
            if line[head_at + _HEX :].startswith(_MAC):
                return at, _unhex(head), _unhex(line[-len(_END) - _HEX : -len(_END)])
    raise FormatError("it does not end in a head")


def _unhex(text: bytes) -> bytes:
    try:
        value = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise FormatError("a head is 64 hexadecimal digits") from None
    if value.hex().encode() != text:  # one way to write it, or bytes could be changed without a trace
        raise FormatError("a head is 64 hexadecimal digits, in lower case, without spaces")
    return value


def _loaded(text: bytes) -> Any:
    """JSON, which in names that are not UTF-8 may have lone surrogates as escapes."""
    return json.loads(text) if b"\\ud" in text else orjson.loads(text)


def _dumped(values: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(values)
    except TypeError:
        return json.dumps(values, separators=(",", ":")).encode()


def head_of(body: bytes, previous: bytes, digests: bytes = b"") -> bytes:
    """The head of a line: see the module."""
    return sha256(previous + sha256(body).digest() + digests).digest()


def written(values: Mapping[str, Any], previous: bytes, key: bytes | None, digests: bytes = b"") -> tuple[bytes, bytes]:
    """A line with its newline, and its head.

    Args:
        values: what it says; `kind` first.
        previous: the head of the line before it.
        key: what its MAC is made with.
        digests: those of the log lines it is about, joined.
    """
    body = _dumped(values)[:-1]
    head = head_of(body, previous, digests)
    if key is None:
        return b"%b%b%b%b" % (body, _HEAD, head.hex().encode(), _END), head
    mac = hmac.digest(key, head, "sha256").hex().encode()
    return b"%b%b%b%b%b%b" % (body, _HEAD, head.hex().encode(), _MAC, mac, _END), head


def digests_of(lines: Sequence[bytes]) -> bytes:
    """SHA-256 of each log line, without its newline, one after the other."""
    return b"".join([sha256(line).digest() for line in lines])


def shortened(digests: bytes) -> str:
    """The beginnings of digests, given one after the other, as a record has them."""
    words = memoryview(digests).cast("Q")[:: _FULL_DIGEST_BYTES // DIGEST_BYTES]  # a fifth of what slices take
    return b64encode(words.tobytes()).decode()
