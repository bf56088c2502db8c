"""Any Python value to JSON in the log call: redacted, bounded, and never raising.

Two ways through: `quick` takes what almost every call passes, scalars under keys already known to be harmless, in one
orjson call; `full` walks anything else under the limits of the specification (depth 8, 256 items a container, 64 KiB an
entry), cuts what exceeds them and says so in the value's place.
"""

import base64
import math
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import partial
from types import FunctionType, NoneType
from typing import Any, Final, cast, final
from uuid import UUID

import orjson

from metaexpert.logger.redaction import REDACTED, Clearing, Redactor

MAX_DEPTH: Final = 8
MAX_ITEMS: Final = 256
MAX_ENTRY_BYTES: Final = 64 * 1024
MAX_CONTEXT_BYTES: Final = 16 * 1024
"""What the fields of one bind or log_context may take of it."""

CALL_KEYWORDS: Final = frozenset({"exc_info", "stack_info", "stacklevel", "extra", "msg"})
"""Keywords with a meaning of their own; kept out of the quick way so that only calls which use them pay for them."""

_SCALARS: Final = frozenset({int, bool, NoneType, Decimal, datetime, UUID})
"""Immutable types orjson encodes in one step, beside str and float, which are looked at more closely."""

_SMALL_BYTES: Final = 1024
"""Fields encoded in fewer bytes are within every limit."""

_DESCRIPTION_BYTES: Final = 1024
_LEAST_TEXT_BYTES: Final = 16
_SEPARATORS_BYTES: Final = 6
_KNOWN_KEYS: Final = 4096
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**64 - 1
_DECIMAL_BITS: Final = 4096
"""Larger integers are written in hexadecimal: decimal takes quadratic time, and CPython refuses it at some size."""


@final
class Lazy:
    """A value computed only if its entry is logged; see `lazy`."""

    __slots__ = ("compute",)

    def __init__(self, compute: Callable[[], object]) -> None:
        self.compute = compute


def lazy(function: Callable[..., object], /, *args: object, **kwargs: object) -> Lazy:
    """Defer `function(*args, **kwargs)` until an entry that carries it is really logged."""
    return Lazy(partial(function, *args, **kwargs) if args or kwargs else function)


def _quick_default(value: object) -> object:
    if type(value) is Decimal:
        return str(value)
    raise TypeError


@final
class ValueEncoder:
    """Encodes fields for one set of redaction rules."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._harmless: set[str] = set()

        self.quick = self._quick()

    def _quick(self) -> Callable[[dict[str, Any]], bytes | None]:  # noqa: C901 - one frame, see below
        """The quick way as a function of its own: looking its parts up on `self` would cost it a tenth."""
        all_harmless = self._harmless.issuperset

        def quick(fields: dict[str, Any]) -> bytes | None:  # noqa: PLR0911 - a refusal for each reason
            """Encode plain fields as JSON members without braces, or None when they need `full`."""
            if not all_harmless(fields):
                return None
            for value in fields.values():
                kind: type = type(value)  # pyright: ignore[reportUnknownVariableType] - a call to cast() would cost
                if kind is str:
                    if len(value) > MAX_ENTRY_BYTES:
                        return None
                elif kind is float:
                    if value - value != 0.0:  # NaN or infinite: orjson would write null
                        return None
                elif kind not in _SCALARS:
                    return None
            try:
                encoded = orjson.dumps(fields, _quick_default)
            except TypeError:
                return None  # an integer over 64 bits or a lone surrogate
            # a copy of the right size: orjson's buffer is a kilobyte that was shrunk, and keeping thousands of those
            # fragments the heap until every allocation costs microseconds
            size = len(encoded)
            if size > _SMALL_BYTES and (size > MAX_ENTRY_BYTES or len(fields) > MAX_ITEMS):
                return None
            return encoded[1:-1]

        return quick

    def full(self, fields: Mapping[str, object], limit_bytes: int = MAX_ENTRY_BYTES) -> bytes:
        """Encode anything as JSON members; what cannot be encoded or is too large is replaced by a mark."""
        safe = _Walk(self._redactor, limit_bytes).mapping(fields, 0)
        self._remember(fields)
        return orjson.dumps(safe)[1:-1]

    def shown(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields for other people's handlers: as they are, but for what hidden keys carry, at any depth."""
        clearing = Clearing(self._redactor)
        return {key: REDACTED if self._redactor.hides(str(key)) else clearing.value(fields[key]) for key in fields}

    def again(self, members: bytes) -> bytes:
        """Members encoded under other rules, encoded anew under these."""
        return self.full(orjson.loads(b"{%b}" % members)) if members else members

    def items(self, fields: Mapping[str, object]) -> dict[str, bytes]:
        """Encode each field on its own, for contexts that are merged later."""
        walk = _Walk(self._redactor, MAX_CONTEXT_BYTES)
        return {str(key): orjson.dumps(value) for key, value in walk.mapping(fields, 0).items()}

    def _remember(self, fields: Mapping[str, object]) -> None:
        if len(self._harmless) < _KNOWN_KEYS:
            hides = self._redactor.hides
            self._harmless.update(
                key
                for key in fields
                if type(key) is str and key not in CALL_KEYWORDS and is_utf8(key) and not hides(key)
            )


def is_utf8(text: str) -> bool:
    """Whether `text` has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def utf8_size(text: str) -> int:
    """Bytes of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def safe_text(text: str, limit_bytes: int = MAX_ENTRY_BYTES) -> str:
    """`text` as UTF-8 can hold it, cut to `limit_bytes` with a mark; lone surrogates become escapes."""
    cut = 0
    if len(text) > limit_bytes:
        cut, text = len(text) - limit_bytes, text[:limit_bytes]
    if not is_utf8(text):
        text = text.encode("utf-8", "backslashreplace").decode()
    if utf8_size(text) > limit_bytes:
        kept = text.encode()[:limit_bytes].decode("utf-8", "ignore")
        cut, text = cut + len(text) - len(kept), kept
    return f"{text}…[cut {cut} characters]" if cut else text


def type_name(value: object) -> str:
    """The value's type, qualified by its module except for builtins."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def described(value: object, describe: Callable[[object], str] = repr) -> str:
    """`repr` or `str` of a value whose own code may fail, bounded."""
    try:
        return safe_text(describe(value), _DESCRIPTION_BYTES)
    except Exception as failure:  # noqa: BLE001 - the value is the user's code; the entry must arrive whatever it does
        return f"<{type_name(value)} not describable: {type(failure).__name__}>"


class _Walk:
    """One pass over one entry's fields, with the bytes it may still use; every value costs some, so it ends."""

    def __init__(self, redactor: Redactor, limit_bytes: int) -> None:
        self._redactor = redactor
        self._left_bytes = limit_bytes

    def mapping(self, fields: Mapping[Any, object], depth: int) -> dict[str, object]:
        safe: dict[str, object] = {}
        for number, key in enumerate(fields):
            if number >= MAX_ITEMS or self._left_bytes <= 0:
                safe["…"] = self._cut_mark(fields, number)
                break
            name = safe_text(key, _DESCRIPTION_BYTES) if type(key) is str else described(key, str)
            self._left_bytes -= utf8_size(name) + _SEPARATORS_BYTES
            safe[name] = REDACTED if self._redactor.hides(name) else self.value(fields[key], depth + 1)
        return safe

    def value(self, value: object, depth: int) -> object:
        self._left_bytes -= _SEPARATORS_BYTES
        try:
            return self._convert(value, depth)
        except Exception as error:  # noqa: BLE001 - as in described()
            return f"<{type_name(value)} not encodable: {type(error).__name__}>"

    def _convert(self, value: object, depth: int) -> object:  # noqa: C901, PLR0911 - one table of types
        match value:
            case None | bool():
                return value
            case str():
                return self._text(value)
            case int():
                return self._integer(value)
            case float():
                return float(value) if math.isfinite(value) else str(float(value))
            case Lazy():
                return self.value(value.compute(), depth)
            case FunctionType() if value.__name__ == "<lambda>":
                return self.value(value(), depth)
            case Enum():
                return self.value(value.value, depth)
            case Decimal() | UUID():
                return self._text(str(value))
            case datetime() | date() | time():
                return value.isoformat()
            case bytes() | bytearray() | memoryview():
                return self._binary(cast("bytes", value))
            case BaseException():
                return self._text(f"{type_name(value)}: {value}")
            case _:
                return self._structure(value, depth)

    def _structure(self, value: object, depth: int) -> object:
        members = _members(value)
        if members is None:
            return self._opaque(value)
        if depth >= MAX_DEPTH:
            return f"…[cut: {type_name(value)} deeper than {MAX_DEPTH} levels]"
        if isinstance(members, Mapping):
            return self.mapping(cast("Mapping[Any, object]", members), depth)
        safe: list[object] = []
        for number, member in enumerate(members):
            if number >= MAX_ITEMS or self._left_bytes <= 0:
                safe.append(self._cut_mark(value, number))
                break
            safe.append(self.value(member, depth + 1))
        return safe

    def _cut_mark(self, container: object, kept: int) -> str:
        """What stands for the rest of a container."""
        reason = "" if self._left_bytes > 0 else ", entry over 64 KiB"
        size = len(cast("list[object]", container)) - kept if hasattr(container, "__len__") else "further"
        return f"…[cut {size} items{reason}]"

    def _opaque(self, value: object) -> object:
        kind = type(value)
        if kind.__module__ == "numpy" and hasattr(value, "item"):
            return self._convert(cast("Any", value).item(), MAX_DEPTH)
        if callable(value):
            return f"{getattr(value, '__module__', None)}.{getattr(value, '__qualname__', kind.__qualname__)}"
        return self._text(repr(value))

    def _text(self, text: str) -> str:
        text = safe_text(str(text), max(self._left_bytes, _LEAST_TEXT_BYTES))
        self._left_bytes -= utf8_size(text)
        return text

    def _integer(self, value: int) -> object:
        if _INT_MIN <= value <= _INT_MAX:
            self._left_bytes -= 8
            return int(value)
        return self._text(hex(value) if value.bit_length() > _DECIMAL_BITS else str(int(value)))

    def _binary(self, value: bytes) -> str:
        data = bytes(value[: max(self._left_bytes, _LEAST_TEXT_BYTES)])
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = "base64:" + base64.b64encode(data).decode()
        cut = len(value) - len(data)
        return self._text(text) + (f"…[cut {cut} bytes]" if cut else "")


def _members(value: object) -> Mapping[Any, object] | Iterable[object] | None:
    """The parts of a structured value, or None when it has none we know."""
    if isinstance(value, Mapping | list | tuple | AbstractSet):
        return cast("Mapping[Any, object] | Iterable[object]", value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclass_fields(value)}
    dump = getattr(type(value), "model_dump", None)
    if dump is not None:
        return cast("Mapping[Any, object]", dump(value))
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 0):
        return cast("Iterable[object]", value)
    return None
