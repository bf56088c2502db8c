"""One pass over one entry's fields: any value to what JSON has, redacted and bounded.

Every value costs some of the entry's bytes, so a pass ends, whatever refers to what. What cannot be encoded, or is too
much, is replaced by a mark in its place; everything beside it stays. Built-in containers are read in one step, so that
a thread that changes them meanwhile changes nothing here. Types are judged by `type()`: `__class__` may lie.
"""

import base64
import math
from array import array
from collections import Counter, OrderedDict, UserList, UserString, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import partial
from itertools import islice
from pathlib import PurePath
from types import FunctionType, MappingProxyType, NoneType, SimpleNamespace
from typing import Any, Final, cast, final
from uuid import UUID

from metaexpert.logger.described import VIEWS, described, error_text, integer_text, name_of, type_name
from metaexpert.logger.nesting import nesting
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.texts import exact, safe_text, utf8_size

MAX_DEPTH: Final = 8
MAX_ITEMS: Final = 256
_KEY_BYTES: Final = 1024
_FIELD_BYTES: Final = 1024
"""Left for each further field of a call, however large the ones before it are."""

_LEAST_TEXT_BYTES: Final = 16
_SEPARATORS_BYTES: Final = 6
_NUMBER_BYTES: Final = 8
_CONTAINER_BYTES: Final = 16
"""Charged for each container beside its members: what takes the most time takes the most of the bound."""

_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**64 - 1

type _Pairs = list[tuple[Any, Any]]


@final
class Lazy:
    """A value computed only if its entry is logged; see `lazy`."""

    __slots__ = ("compute",)

    def __init__(self, compute: Callable[[], object]) -> None:
        self.compute = compute


def lazy(function: Callable[..., object], /, *args: object, **kwargs: object) -> Lazy:
    """Defer `function(*args, **kwargs)` until an entry that carries it is really logged."""
    return Lazy(partial(function, *args, **kwargs) if args or kwargs else function)


@final
class Walk:
    """The pass, with the bytes it may still use.

    Args:
        redactor: decides which keys' values are hidden.
        limit_bytes: what the result may take, before JSON escapes.
    """

    def __init__(self, redactor: Redactor, limit_bytes: int) -> None:
        self._redactor = redactor
        self._hides = redactor.hides
        self._left_bytes = limit_bytes

    def fields(self, fields: Mapping[Any, object]) -> dict[str, object]:
        """The fields of a call, as a dict of what orjson encodes."""
        nesting.depth += 1
        try:
            return self._mapping(fields, 0)
        finally:
            nesting.depth -= 1

    def value(self, value: Any, depth: int) -> object:
        """One value that stands `depth` containers deep."""
        self._left_bytes -= _SEPARATORS_BYTES
        try:
            kind = cast("type[Any]", type(value))
            known = _BY_TYPE.get(kind)
            if known is not None:
                return known(self, value, depth)
            if nesting.too_deep:
                return self.text(f"<{name_of(kind)} not looked at: log calls within log calls>")
            return next(encode for base, encode in _BY_BASE if issubclass(kind, base))(self, value, depth)
        except Exception as failure:  # noqa: BLE001 - the value is the user's code; the entry must arrive
            return self.text(f"<{type_name(value)} not encodable: {type_name(failure)}>")

    def text(self, text: str, _: int = 0) -> str:
        """A text without what looks like a secret, cut to what is left."""
        if len(text) >= self._redactor.least_characters:
            text = self._redactor.scrub(exact(text))
        return self._bounded(text)

    def _bounded(self, text: str) -> str:
        if type(text) is not str or len(text) > self._left_bytes or not text.isascii():
            text = safe_text(text, max(self._left_bytes, _LEAST_TEXT_BYTES))
            self._left_bytes -= utf8_size(text)
        else:
            self._left_bytes -= len(text)
        return text

    # ---- containers -------------------------------------------------------------------------------------------

    def _room(self) -> int:
        """How many members of a container are worth a look: one more than can be kept."""
        self._left_bytes -= _CONTAINER_BYTES
        return min(MAX_ITEMS, max(self._left_bytes, 0) // _SEPARATORS_BYTES) + 1

    def _object(self, pairs: _Pairs, rest: Callable[[int], str], depth: int) -> dict[str, object]:
        """A JSON object of at most MAX_ITEMS of `pairs`; `rest` says what follows after so many."""
        safe: dict[str, object] = {}
        kept = 0
        for key, member in pairs:
            if kept >= MAX_ITEMS or self._left_bytes <= 0:
                break
            told = safe_text(key, _KEY_BYTES) if type(key) is str else described(key, str)
            name = _free(self._redactor.scrub(told), safe)
            self._left_bytes -= utf8_size(name) + _SEPARATORS_BYTES
            if self._hides(told):
                safe[name] = self._redactor.in_place_of(told, member)
            elif type(member) is str and (shown := self._redactor.id_under(told, member)) is not None:
                safe[name] = self._bounded(shown)
            else:
                safe[name] = self._fairly(member, depth, len(pairs) - kept - 1)
            kept += 1
        mark = rest(kept)
        if mark:
            safe[_free("…", safe)] = mark
        return safe

    def _fairly(self, member: object, depth: int, further: int) -> object:
        """The value of a key; a call's own field leaves something for those behind it."""
        kept_bytes = 0 if depth else min(self._left_bytes // 2, further * _FIELD_BYTES)
        self._left_bytes -= kept_bytes
        try:
            return self.value(member, depth + 1)
        finally:
            self._left_bytes += kept_bytes

    def _mapping(self, fields: Mapping[Any, object], depth: int) -> dict[str, object]:
        pairs, failure = _pairs(fields, self._room())
        return self._object(pairs, lambda kept: self._rest(fields, kept, pairs, failure), depth)

    def mapping(self, fields: Mapping[Any, object], depth: int) -> object:
        """Anything with keys and values."""
        return self._too_deep(fields) if depth >= MAX_DEPTH else self._mapping(fields, depth)

    def attributes(self, value: object, names: Iterable[str], depth: int) -> object:
        """An object of known attributes, each read by itself."""
        if depth >= MAX_DEPTH:
            return self._too_deep(value)
        pairs: _Pairs = [(name, _read(getattr, value, name)) for name in islice(names, self._room())]
        return self._object(pairs, lambda kept: self._cut("further") if kept < len(pairs) else "", depth)

    def sequence(self, members: Iterable[Any], depth: int) -> object:
        """Anything that holds members in itself, so that looking at them uses nothing up."""
        if depth >= MAX_DEPTH:
            return self._too_deep(members)
        found, failure = _some(members, self._room())
        safe: list[object] = []
        for member in found:
            if len(safe) >= MAX_ITEMS or self._left_bytes <= 0:
                break
            safe.append(self.value(member, depth + 1))
        mark = self._rest(members, len(safe), found, failure)
        return [*safe, mark] if mark else safe

    def _too_deep(self, value: object) -> str:
        return self.text(f"…[cut: {type_name(value)} deeper than {MAX_DEPTH} levels]")

    def _rest(self, container: Iterable[Any], kept: int, found: list[Any], failure: str) -> str:
        """What stands for the rest of a container, empty when nothing is missing."""
        if kept < len(found):
            return self._cut(_missing(container, kept))
        return f"…[not readable further: {failure}]" if failure else ""

    def _cut(self, missing: int | str) -> str:
        return f"…[cut {missing} items{'' if self._left_bytes > 0 else ', entry too large'}]"

    # ---- numbers, bytes, dates --------------------------------------------------------------------------------

    def integer(self, value: int, _: int) -> object:
        """An integer, as text beyond 64 bits."""
        value = int.__pos__(value)
        if _INT_MIN <= value <= _INT_MAX:
            self._left_bytes -= _NUMBER_BYTES
            return value
        return self._bounded(integer_text(value, max(self._left_bytes, _LEAST_TEXT_BYTES)))

    def real(self, value: float, _: int) -> object:
        """A float, as text when JSON has no number for it."""
        self._left_bytes -= _NUMBER_BYTES
        value = float.__pos__(value)
        return value if math.isfinite(value) else repr(value)

    def binary(self, value: bytes | bytearray, _: int) -> str:
        """Bytes as the text they are, else in base64."""
        kind: Any = bytes if issubclass(type(value), bytes) else bytearray
        return self._bytes(kind.__getitem__(value, slice(0, self._binary_room())), kind.__len__(value))

    def view(self, value: memoryview, _: int) -> str:
        """A memoryview's bytes; of one that is no plain run of bytes, what Python says of it."""
        if not value.c_contiguous:
            return self.text(repr(value))
        return self._bytes(bytes(value.cast("B")[: self._binary_room()]), value.nbytes)

    def _binary_room(self) -> int:
        return max(self._left_bytes, _LEAST_TEXT_BYTES)

    def _bytes(self, start: bytes | bytearray, size: int) -> str:
        try:
            text = _decoded(start, whole=len(start) == size)
        except UnicodeDecodeError:
            start = start[: max(self._left_bytes * 3 // 4, _LEAST_TEXT_BYTES)]
            text = "base64:" + base64.b64encode(start).decode()
        text = self._redactor.scrub(text)
        self._left_bytes -= utf8_size(text)
        return text if len(start) == size else f"{text}…[cut {size - len(start)} bytes]"

    def moment(self, value: datetime | time, _: int) -> str:
        """A date and time; without its offset where the time zone does not tell it."""
        try:
            return self.text(value.isoformat())
        except Exception as failure:  # noqa: BLE001 - a time zone is the user's code
            zone = f"<{type_name(value.tzinfo)} not readable: {type_name(failure)}>"
            return self.text(f"{value.replace(tzinfo=None).isoformat()} {zone}")

    def day(self, value: date, _: int) -> str:
        """A date."""
        return self.text(value.isoformat())

    # ---- what is not what it looks like -----------------------------------------------------------------------

    def constant(self, value: object, _: int) -> object:
        """None, True or False."""
        return value

    def as_text(self, value: object, _: int) -> str:
        """What `str` makes of it."""
        return self.text(str(value))

    def lazy(self, value: Lazy, depth: int) -> object:
        """A value computed now."""
        return self._computed(value.compute, depth)

    def function(self, value: FunctionType, depth: int) -> object:
        """A lambda's result; any other function by its name."""
        return self._computed(value, depth) if value.__name__ == "<lambda>" else self.named(value, depth)

    def _computed(self, compute: Callable[[], object], depth: int) -> object:
        if depth > MAX_DEPTH:
            return self.text(f"…[cut: computed deeper than {MAX_DEPTH} levels]")
        if nesting.too_deep:
            return self.text("<not computed: log calls within log calls>")
        return self.value(compute(), depth + 1)

    def member(self, value: Enum, depth: int) -> object:
        """An enumeration's member by its value."""
        return self.value(value.value, depth + 1) if depth <= MAX_DEPTH else self._too_deep(value)

    def error(self, value: BaseException, _: int) -> str:
        """An exception as a traceback's last line shows it."""
        return self.text(f"{type_name(value)}: {error_text(value, self._binary_room())}")

    def namespace(self, value: SimpleNamespace, depth: int) -> object:
        """Its attributes."""
        return self.mapping(vars(value), depth)

    def named_tuple(self, value: tuple[Any, ...], depth: int) -> object:
        """A tuple; one with names by them, so that keys are judged."""
        names = getattr(type(value), "_fields", None)
        if type(names) is not tuple:
            return self.sequence(value, depth)
        return self.attributes(value, cast("tuple[str, ...]", names), depth)

    def named(self, value: object, _: int) -> str:
        """What can be called, by its name."""
        if isinstance(value, type):
            module, name = value.__module__, value.__qualname__
        else:
            module = getattr(value, "__module__", None)
            name = getattr(value, "__qualname__", type(value).__qualname__)
        return self.text(f"{described(module, str)}.{described(name, str)}")

    def anything(self, value: Any, depth: int) -> object:
        """A dataclass, an attrs class, a pydantic model, numpy's, or else what can be called or described."""
        kind = cast("type[Any]", type(value))
        if is_dataclass(kind):
            return self.attributes(value, (field.name for field in dataclass_fields(kind)), depth)
        attributes = getattr(kind, "__attrs_attrs__", None)
        if attributes is not None:
            return self.attributes(value, (attribute.name for attribute in attributes), depth)
        dump = getattr(kind, "model_dump", None)
        if dump is not None:
            return self._too_deep(value) if depth >= MAX_DEPTH else self.value(dump(value), depth)
        if kind.__module__ == "numpy" and hasattr(kind, "ndim"):
            return self._numpy(value, depth)
        return self.named(value, depth) if callable(value) else self.text(repr(value))

    def _numpy(self, value: Any, depth: int) -> object:
        """Arrays as lists; scalars as Python's numbers where it has them."""
        if value.ndim:
            return self.sequence(value, depth)
        item = None if value.dtype.kind in "mM" else value.item()
        return self.text(str(value)) if item is None or type(item) is type(value) else self.value(item, depth + 1)


type _Encode = Callable[[Walk, Any, int], object]

_BY_TYPE: Final[dict[type, _Encode]] = {
    **dict.fromkeys((NoneType, bool), Walk.constant),
    str: Walk.text,
    int: Walk.integer,
    float: Walk.real,
    **dict.fromkeys((Decimal, UUID), Walk.as_text),
    datetime: Walk.moment,
    time: Walk.moment,
    date: Walk.day,
    **dict.fromkeys((bytes, bytearray), Walk.binary),
    memoryview: Walk.view,
    **dict.fromkeys((dict, OrderedDict, defaultdict, Counter, MappingProxyType), Walk.mapping),
    **dict.fromkeys((list, tuple, set, frozenset, deque, array), Walk.sequence),
    **dict.fromkeys(VIEWS, Walk.sequence),
    Lazy: Walk.lazy,
    FunctionType: Walk.function,
    SimpleNamespace: Walk.namespace,
}
"""Types that run no code but Python's own, or that the pass knows how to ask."""

_BY_BASE: Final[tuple[tuple[type | tuple[type, ...], _Encode], ...]] = (
    (Enum, Walk.member),
    (int, Walk.integer),
    (float, Walk.real),
    ((str, Decimal, UUID, UserString, PurePath), Walk.as_text),
    ((datetime, time), Walk.moment),
    (date, Walk.day),
    (bytes, Walk.binary),
    (bytearray, Walk.binary),
    (BaseException, Walk.error),
    (SimpleNamespace, Walk.namespace),
    (tuple, Walk.named_tuple),
    ((list, deque, array, UserList, AbstractSet, ValuesView), Walk.sequence),
    (Mapping, Walk.mapping),
    (object, Walk.anything),
)
"""The others, by the first that fits."""

_BUILT_IN_MAPPINGS: Final = frozenset({dict, OrderedDict, defaultdict, Counter})


def _pairs(fields: Mapping[Any, Any], most: int) -> tuple[_Pairs, str]:
    """At most so many of a mapping's keys and values, and why there are no more if that is a failure."""
    if type(fields) in _BUILT_IN_MAPPINGS:
        return _some(dict[Any, Any].items(cast("dict[Any, Any]", fields)), most)
    keys, failure = _some(fields, most)
    return [(key, _read(type(fields).__getitem__, fields, key)) for key in keys], failure


def _some(members: Iterable[Any], most: int) -> tuple[list[Any], str]:
    """At most so many members, and why there are no more if that is a failure."""
    found: list[Any] = []
    try:
        found.extend(islice(members, most))
    except Exception as failure:  # noqa: BLE001 - what was found until then is kept
        return found, type_name(failure)
    return found, ""


def _read(reading: Callable[[Any, Any], Any], container: object, key: Any) -> Any:
    """One member of something with code of its own."""
    try:
        return reading(container, key)
    except Exception as failure:  # noqa: BLE001 - the other members are encoded
        return f"<not readable: {type_name(failure)}>"


def _missing(container: Any, kept: int) -> int | str:
    """How many members are not shown, if the container tells."""
    try:
        return len(container) - kept
    except Exception:  # noqa: BLE001 - then it is not known, which is said
        return "further"


def _free(name: str, taken: Mapping[str, object]) -> str:
    """The name, numbered where different keys have the same text, as 1 and "1" do."""
    number = len(taken)
    unique = name
    while unique in taken:
        unique = f"{name}…[{number}]"
        number += 1
    return unique


def _decoded(start: bytes | bytearray, *, whole: bool) -> str:
    """The text of bytes, or of the first of them: a character cut in two at their end is left out."""
    try:
        return start.decode()
    except UnicodeDecodeError as failure:
        if whole or failure.start < len(start) - 3:
            raise
        return start[: failure.start].decode()
