"""Values no logger likes to meet, each made anew by a function: cyclic, huge, deep, lying, raising, strange."""

import asyncio
import functools
import ipaddress
import itertools
import logging
import re
import threading
import weakref
from array import array
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag, IntFlag
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple, override
from unittest.mock import MagicMock, Mock
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BaseModel, SecretStr

type Make = Callable[[], Any]

SECRET = "hunter2-never-shown"
MANY = 1_000_000
BIG_TEXT = 10_000_000


def _raising(error: type[Exception]) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise error("no")

    return refuse


def raising_at_everything(error: type[Exception], *bases: type) -> Any:
    """A class of `bases` whose own code raises `error` wherever it is run."""
    names = (  # noqa: SIM905 - as a list it would fill a page
        "__repr__ __str__ __format__ __bytes__ __getattr__ __len__ __iter__ __next__ __hash__ __eq__ __bool__ __mod__ "
        "__rmod__ __int__ __float__ __index__ __call__ __getitem__ __contains__ __lt__ __fspath__ __array__ keys items "
        "model_dump isoformat utcoffset item encode decode casefold isascii value __dir__ __reduce__"
    ).split()
    return type("Refusing", bases, {name: _raising(error) for name in names} | {"__slots__": ()})


def _instance(error: type[Exception], base: type) -> Any:
    return raising_at_everything(error, base)()


class Meta(type):
    """Classes that raise, or lie, when they are asked for anything."""

    @override
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError("no")

    @override
    def __hash__(cls) -> int:
        raise RuntimeError("no")

    @override
    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("no")

    __repr__ = __instancecheck__ = __subclasscheck__ = _raising(RuntimeError)


class OfMeta(metaclass=Meta):
    """An object of such a class."""


def pretending(kind: type) -> Any:
    """An object that says it is of another class."""
    return type("Pretending", (), {"__class__": property(lambda _: kind)})()


class Zone(tzinfo):
    """A time zone that does not know its offset, by raising or by answering what is none."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    @override
    def utcoffset(self, when: datetime | None, /) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    tzname = dst = utcoffset


@dataclass(slots=True)
class Slotted:
    """A dataclass with slots, and a secret."""

    name: str = "slotted"
    password: str = SECRET
    parts: list[Any] = field(default_factory=list[Any])


class Login(NamedTuple):
    """A tuple with names, and a secret."""

    user: str = "u"
    password: str = SECRET


class Account(BaseModel):
    """A model with secrets of both kinds."""

    name: str = "account"
    api_key: str = SECRET
    pin_code: SecretStr = SecretStr(SECRET)
    parts: list[Any] = []


class AttrsLike:
    """Made like a class of attrs."""

    __attrs_attrs__ = (SimpleNamespace(name="name"), SimpleNamespace(name="password"))

    def __init__(self) -> None:
        self.name, self.password = "attrs", SECRET

    @override
    def __repr__(self) -> str:
        return f"AttrsLike(password={self.password!r})"


class Colors(Flag):
    """Flags."""

    RED = 1
    BLUE = 2


class Bits(IntFlag):
    """Flags that are numbers."""

    A = 1
    B = 2


class Raising(Enum):
    """An enumeration whose member does not tell its value."""

    A = 1

    @property
    @override
    def value(self) -> Any:
        raise RuntimeError("no")


class LyingList(list[int]):
    """A list that lies about its length, both ways."""

    length = 0

    @override
    def __len__(self) -> int:
        return self.length


class LyingText(str):
    """A text that lies about everything one may ask before cutting it."""

    __slots__ = ()

    @override
    def __len__(self) -> int:
        return 0

    @override
    def isascii(self) -> bool:
        return True

    @override
    def __str__(self) -> str:
        return self

    @override
    def __getitem__(self, key: Any) -> str:
        return self

    @override
    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return b""


class LyingInt(int):
    """An integer that lies about its size."""

    @override
    def bit_length(self) -> int:
        return 1

    @override
    def __le__(self, other: object) -> bool:
        return True

    __ge__ = __le__

    @override
    def __int__(self) -> int:
        return 7


class Endless(Mapping[str, int]):
    """A mapping without end."""

    @override
    def __getitem__(self, key: str) -> int:
        return 1

    @override
    def __iter__(self) -> Iterator[str]:
        return (str(number) for number in itertools.count())

    @override
    def __len__(self) -> int:
        return 2**62


class HalfReadable(Mapping[str, int]):
    """A mapping whose second value and fourth key cannot be read."""

    @override
    def __getitem__(self, key: str) -> int:
        if key == "b":
            raise KeyError(key)
        return 1

    @override
    def __iter__(self) -> Iterator[str]:
        yield from "abc"
        raise OSError("gone")

    @override
    def __len__(self) -> int:
        return 9


def cyclic(kind: str) -> Any:
    """Something that holds itself."""
    inner: list[Any] = []
    holder: Any = {
        "list": inner,
        "dict": {"me": inner},
        "namespace": SimpleNamespace(parts=inner),
        "dataclass": Slotted(parts=inner),
        "model": Account(),
        "deque": deque([inner]),
    }[kind]
    if kind == "model":
        holder.parts.append(holder)
    inner.append(holder)
    return holder


def deep(levels: int = 100_000) -> Any:
    """Lists within lists."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def _fail(error: BaseException, cause: BaseException) -> None:
    raise error from cause


def caused(causes: int, *, cycle: bool = False) -> BaseException:
    """An exception with so many causes, each raised."""
    first = last = ValueError("cause 0")
    for number in range(1, causes):
        try:
            _fail(ValueError(f"cause {number}"), last)
        except ValueError as error:
            last = error
    if cycle:
        first.__cause__ = last
    return last


def fallen(frames: int) -> BaseException:
    """An exception that came through so many frames, of two kinds in turn."""

    def one(left: int) -> None:
        if left == 0:
            raise ValueError("bottom")
        other(left - 1)

    def other(left: int) -> None:
        one(left)

    try:
        one(frames)
    except ValueError as error:
        return error
    raise AssertionError


def _released() -> memoryview:
    view = memoryview(b"gone")
    view.release()
    return view


def _dead() -> Any:
    return weakref.proxy(Slots())


class Slots:
    """Something a weak reference can point to."""


async def _never() -> None:
    """A coroutine nobody awaits."""


def _closed_coroutine() -> Any:
    coroutine = _never()
    coroutine.close()
    return coroutine


def _future() -> Any:
    loop = asyncio.new_event_loop()
    loop.close()
    return asyncio.Future(loop=loop)


def _closed_file() -> Any:
    with Path(__file__).open(encoding="utf-8") as file:
        return file


def _uuid_without_number() -> UUID:
    return UUID.__new__(UUID)


_BIG = list(range(MANY))

ORDINARY: dict[str, Make] = {
    "none": lambda: None,
    "true": lambda: True,
    "minus zero": lambda: -0.0,
    "nan": lambda: float("nan"),
    "infinity": lambda: float("-inf"),
    "decimal nan": lambda: Decimal("NaN"),
    "signalling nan": lambda: Decimal("sNaN"),
    "decimal infinity": lambda: Decimal("-Infinity"),
    "large decimal": lambda: Decimal(10) ** 1000,
    "decimal exponent": lambda: Decimal("1E+999999"),
    "64 bits": lambda: 2**64 - 1,
    "65 bits": lambda: -(2**64),
    "surrogate": lambda: "a\ud800b",
    "control": lambda: "\0\x1b[31m\r\n\u2028\x7f\u202e",
    "date": lambda: date.min,
    "earliest": lambda: datetime.min.replace(tzinfo=timezone(timedelta(hours=23))),
    "latest": lambda: datetime.max.replace(tzinfo=timezone(timedelta(hours=-23))),
    "seconds of offset": lambda: datetime(2026, 1, 1, tzinfo=timezone(timedelta(seconds=30))),
    "local mean time": lambda: datetime(1800, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam")),
    "time": lambda: time(1, 2, tzinfo=UTC),
    "timedelta": lambda: timedelta.min,
    "uuid": lambda: UUID(int=2**128 - 1),
    "flag": lambda: Colors.RED | Colors.BLUE,
    "int flag": lambda: Bits.A | Bits.B,
    "bytearray": lambda: bytearray(b"\xff\0"),
    "view": lambda: memoryview(array("I", [1, 2])),
    "strided view": lambda: memoryview(b"abcdef")[::2],
    "two dimensions": lambda: memoryview(bytes(12)).cast("B", (3, 4)),
    "path": lambda: Path("/tmp/\udcff"),  # noqa: S108 - nothing is written there
    "ip address": lambda: ipaddress.ip_network("10.0.0.0/8"),
    "fraction": lambda: Fraction(1, 3),
    "complex": lambda: complex("nan+infj"),
    "range": lambda: range(10**18),
    "pattern": lambda: re.compile("a" * 1000),
    "type": lambda: dict[str, int],
    "class": lambda: Slots,
    "function": lambda: deep,
    "method": lambda: "".join,
    "partial": lambda: functools.partial(print, SECRET),
    "coroutine": _closed_coroutine,
    "future": _future,
    "lock": threading.Lock,
    "thread": threading.current_thread,
    "logger": lambda: logging.getLogger("some.logger"),
    "file": _closed_file,
    "module": lambda: re,
    "not implemented": lambda: NotImplemented,
    "ellipsis": lambda: ...,
    "generator": lambda: (number for number in itertools.count()),
    "endless iterator": itertools.count,
    "named tuple": Login,
    "slots": Slotted,
    "model": Account,
    "attrs": AttrsLike,
    "namespace": lambda: SimpleNamespace(password=SECRET),
    "ordered": lambda: OrderedDict(password=SECRET),
    "default": lambda: defaultdict(list, token=[SECRET]),
    "counter": lambda: Counter("abc"),
    "chain": lambda: ChainMap({"secret": SECRET}, {"b": "2"}),
    "proxy": lambda: MappingProxyType({"api-key": SECRET}),
    "user dict": lambda: UserDict(password=SECRET),
    "user list": lambda: UserList([{"password": SECRET}]),
    "user string": lambda: UserString("text"),
    "deque": lambda: deque([{"password": SECRET}], 5),
    "array": lambda: array("d", [1.0, float("nan")]),
    "sets": lambda: {frozenset({1}), frozenset()},
    "keys": lambda: {1: 1, "1": 2, "True": 3, None: 4, "None": 5, (1,): 6, 1.5: 7, b"1": 8, "\ud800": 9, "\\ud800": 10},
    "empty key": lambda: {"": 1, "…": 2},
    "numpy scalar": lambda: np.float32("nan"),
    "numpy long": lambda: np.longdouble(1.5),
    "numpy moment": lambda: np.datetime64("2026-01-01T00:00:00.000000001", "ns"),
    "numpy not a time": lambda: np.timedelta64("NaT", "s"),
    "numpy text": lambda: np.str_("a\ud800"),
    "numpy bytes": lambda: np.bytes_(b"\xff"),
    "numpy complex": lambda: np.complex64(1j),
    "numpy record": lambda: np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]),
    "numpy objects": lambda: np.array([{"password": SECRET}, None], dtype=object),
    "numpy nothing": lambda: np.array(3),
    "numpy masked": lambda: np.ma.array([1, 2], mask=[True, False]),
    "numpy floats": lambda: np.array([[1.0, np.nan], [np.inf, -np.inf]]),
    "exception": lambda: ValueError(SimpleNamespace(a=1)),
    "os error": lambda: OSError(2, "gone", "\udcff"),
    "group": lambda: BaseExceptionGroup("g", [ValueError(1), KeyboardInterrupt()]),
    "mock": Mock,
    "magic mock": MagicMock,
    "mock of a model": lambda: Mock(spec=Account),
    "mock of bool": lambda: Mock(spec=True),
}

HUGE: dict[str, Make] = {
    "text": lambda: "a" * BIG_TEXT,
    "wide text": lambda: "語" * (BIG_TEXT // 3),
    "emoji": lambda: "🎉" * (BIG_TEXT // 4),
    "bytes": lambda: b"a" * BIG_TEXT,
    "binary": lambda: b"\xff" * BIG_TEXT,
    "bytearray": lambda: bytearray(BIG_TEXT),
    "view": lambda: memoryview(bytes(BIG_TEXT)),
    "list": lambda: _BIG,
    "tuple": lambda: tuple(_BIG),
    "set": lambda: set(_BIG),
    "dict": lambda: dict.fromkeys(_BIG),
    "keys": lambda: dict.fromkeys(_BIG).keys(),
    "values": lambda: dict.fromkeys(_BIG).values(),
    "deque": lambda: deque(_BIG),
    "array": lambda: array("i", _BIG),
    "texts": lambda: ["a" * BIG_TEXT] * 10,
    "within": lambda: {"a": [{"b": ("a" * BIG_TEXT, _BIG)}]},
    "key": lambda: {"a" * BIG_TEXT: 1},
    "tuple as key": lambda: {tuple(_BIG): 1},
    "integer": lambda: 1 << 3_400_000,
    "numpy": lambda: np.zeros((1000, 1000)),
    "error": lambda: ValueError(_BIG, "a" * BIG_TEXT),
    "bush": lambda: functools.reduce(lambda bush, _: [bush] * 256, range(10), 1),
    "deep": deep,
    "class name": type("A" * 100_000, (), {}),
    "class name with surrogates": type("Odd", (), {"__module__": "\udfff"}),
}
"""Each costs what its kept part costs."""

HOSTILE: dict[str, Make] = {
    **{
        f"{error.__name__} {base.__name__}": functools.partial(_instance, error, base)
        for error in (RuntimeError, RecursionError, MemoryError, StopIteration, AttributeError)
        for base in (object, str, int, float, list, dict, tuple, bytes, set, Decimal, Exception)
    },
    **{
        f"says it is {kind.__name__}": functools.partial(pretending, kind)
        for kind in (str, int, bool, float, type(None), dict, list, bytes, datetime, Decimal, Mapping, BaseException)
    },
    "of a raising metaclass": OfMeta,
    "raising metaclass": lambda: OfMeta,
    "lying short list": lambda: LyingList(_BIG),
    "lying text": lambda: LyingText("a" * 100_000),
    "lying int": lambda: LyingInt(10**30),
    "endless": Endless,
    "half readable": HalfReadable,
    "dead proxy": _dead,
    "released view": _released,
    "raising zone": lambda: datetime(2026, 1, 1, tzinfo=Zone(RuntimeError("no"))),
    "zone of text": lambda: datetime(2026, 1, 1, tzinfo=Zone("x")),
    "zone of none": lambda: datetime(2026, 1, 1, tzinfo=Zone(None)),
    "zone of years": lambda: datetime(2026, 1, 1, tzinfo=Zone(timedelta(days=400))),
    "raising zone of a time": lambda: time(1, tzinfo=Zone(RuntimeError("no"))),
    "uuid without number": _uuid_without_number,
    "raising member": lambda: Raising.A,
    "many causes": lambda: caused(5_000),
    "cycle of causes": lambda: caused(3, cycle=True),
    "many members": lambda: ExceptionGroup("g", [ValueError(number) for number in range(10_000)]),
    "many frames": lambda: fallen(400),
    **{
        f"cyclic {kind}": functools.partial(cyclic, kind)
        for kind in ("list", "dict", "namespace", "dataclass", "model", "deque")
    },
}

STRANGE: dict[str, Make] = {
    **{f"ordinary: {name}": make for name, make in ORDINARY.items()},
    **{f"huge: {name}": make for name, make in HUGE.items()},
    **{f"hostile: {name}": make for name, make in HOSTILE.items()},
}
