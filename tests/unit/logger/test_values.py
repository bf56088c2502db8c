"""Every kind of value is encoded somehow; what exceeds the limits is cut and marked; no value stops a call."""

import json
import math
import uuid
from array import array
from collections import OrderedDict, UserList, UserString, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from metaexpert.logger import Logger

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]


class Side(Enum):
    """A plain enumeration."""

    BUY = "buy"


class Code(IntEnum):
    """An enumeration of numbers."""

    FIVE = 5


class Kind(StrEnum):
    """An enumeration of texts."""

    SPOT = "spot"


class Named(str, Enum):  # noqa: UP042 - as users wrote them before StrEnum
    """An enumeration of texts as it was written before StrEnum."""

    A = "a"


class Odd(Enum):
    """An enumeration whose values are structures."""

    PAIR = ("a", 1)


@dataclass(frozen=True, slots=True)
class Fill:
    """A dataclass, with another within."""

    price: Decimal
    parts: list["Fill"] = field(default_factory=list["Fill"])


class Order(BaseModel):
    """A pydantic model."""

    symbol: str
    price: Decimal
    when: datetime


class Text(str):
    """A kind of str."""

    __slots__ = ()


class Number(int):
    """A kind of int."""


class Point(NamedTuple):
    """A tuple with names."""

    x: int
    y: int


WHEN = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class TestKinds:
    @pytest.mark.parametrize(
        ("value", "encoded"),
        [
            (None, None),
            (True, True),
            ("text", "text"),
            ("", ""),
            ("ünïcödé 語 🎉", "ünïcödé 語 🎉"),
            ("tab\tnewline\nnul\0", "tab\tnewline\nnul\0"),
            (0, 0),
            (-(2**63), -(2**63)),
            (2**64 - 1, 2**64 - 1),
            (3.25, 3.25),
            (1e300, 1e300),
            (Text("kind"), "kind"),
            (Number(7), 7),
            (Decimal("0.10"), "0.10"),
            (Decimal("-Infinity"), "-Infinity"),
            (Decimal("12345678901234567890.123456789"), "12345678901234567890.123456789"),
            (WHEN, "2026-01-02T03:04:05.000678+00:00"),
            (datetime(2026, 1, 2), "2026-01-02T00:00:00"),  # noqa: DTZ001 - users log naive ones
            (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2026-01-02T00:00:00+05:30"),
            (date(2026, 1, 2), "2026-01-02"),
            (time(1, 2, 3), "01:02:03"),
            (ID, "12345678-1234-5678-1234-567812345678"),
            (Side.BUY, "buy"),
            (Code.FIVE, 5),
            (Kind.SPOT, "spot"),
            (Odd.PAIR, ["a", 1]),
            (b"bytes", "bytes"),
            (bytearray(b"more"), "more"),
            pytest.param(memoryview(b"view"), "view", id="memoryview"),  # its repr is another in each process
            (b"\xff\x00", "base64:/wA="),
            ([1, [2]], [1, [2]]),
            ((1, "a"), [1, "a"]),
            (Point(1, 2), {"x": 1, "y": 2}),
            (SimpleNamespace(a=1), {"a": 1}),
            (deque([1, 2]), [1, 2]),
            (array("i", [1, 2]), [1, 2]),
            ({"a": 1}.values(), [1]),
            (UserList([1]), [1]),
            (UserString("text"), "text"),
            (PurePosixPath("/var/log"), "/var/log"),
            (Named("a"), "a"),
            ({"a": {"b": 1}}, {"a": {"b": 1}}),
            ({1: "a", None: "b", (1, 2): "c"}, {"1": "a", "None": "b", "(1, 2)": "c"}),
            (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
            (defaultdict(list, a=[1]), {"a": [1]}),
            ({7}, [7]),
            (frozenset({7}), [7]),
            ({"a": 1}.keys(), ["a"]),
            (Fill(Decimal("1.50"), [Fill(Decimal(2))]), {"price": "1.50", "parts": [{"price": "2", "parts": []}]}),
            (
                Order(symbol="BTC", price=Decimal("1.50"), when=WHEN),
                {"symbol": "BTC", "price": "1.50", "when": "2026-01-02T03:04:05.000678+00:00"},
            ),
            (ValueError("bad"), "ValueError: bad"),
            (json.JSONDecodeError("bad", "doc", 0), "json.decoder.JSONDecodeError: bad: line 1 column 1 (char 0)"),
            (int, "builtins.int"),
        ],
        ids=repr,
    )
    def test_encodes_as(self, log: Logger, lines: Lines, value: object, encoded: object):
        for _ in range(2):
            log.info("x", value=value)
        log.bind(value=value).info("x")
        found = [entry["extra"]["value"] for entry in lines()]
        assert found == [encoded] * 3
        assert [type(one) for one in found] == [type(encoded)] * 3

    @pytest.mark.parametrize(
        ("value", "contained"),
        [
            (math.nan, "nan"),
            (math.inf, "inf"),
            (-math.inf, "-inf"),
            (Decimal("NaN"), "nan"),
            (2**64, "18446744073709551616"),
            (-(2**63) - 1, "-9223372036854775809"),
            (10**40, "1" + "0" * 40),
            (1 + 2j, "1+2j"),
            (Fraction(1, 3), "3"),
            (timedelta(seconds=90), "90"),
            (range(3), "range(0, 3)"),
            (ExceptionGroup("several", [ValueError("one")]), "several"),
            (object, "object"),
            (len, "len"),
            (math, "math"),
            ("\ud800 lone", "ud800"),
        ],
        ids=repr,
    )
    def test_says_what_it_was(self, log: Logger, lines: Lines, value: object, contained: str):
        for _ in range(2):
            log.info("x", value=value)
        for entry in lines():
            shown = entry["extra"]["value"]
            assert contained in str(shown).lower()
            assert shown is not None

    def test_an_enormous_integer_is_encoded_and_not_refused(self, log: Logger, lines: Lines):
        log.info("x", value=10**6000, other=1)
        extra = lines()[0]["extra"]
        assert int(extra["value"], 0) == 10**6000
        assert extra["other"] == 1

    def test_nan_within_structures_stays_visible(self, log: Logger, lines: Lines):
        log.info("x", prices=[1.0, math.nan, {"a": math.inf}])
        assert lines()[0]["extra"] == {"prices": [1.0, "nan", {"a": "inf"}]}

    def test_lone_surrogates_in_message_key_and_arguments(self, log: Logger, lines: Lines):
        log.info("\ud800 %s", "\udfff", **{"\udead": "\ud800"})
        found = lines()[0]
        assert "ud800" in found["message"]
        assert "udfff" in found["message"]
        assert ["udead" in key for key in found["extra"]] == [True]

    def test_an_iterator_is_not_used_up(self, log: Logger, lines: Lines):
        numbers = iter([1, 2, 3])
        squares = (number * number for number in [1, 2])
        log.info("x", numbers=numbers, squares=squares)
        assert list(numbers) == [1, 2, 3]
        assert list(squares) == [1, 4]
        assert "iterator" in lines()[0]["extra"]["numbers"]

    def test_numpy_itself(self, log: Logger, lines: Lines):
        log.info("x", scalar=np.float64(1.5), whole=np.int32(3), array=np.array([[1, 2], [3, 4]]))
        assert lines()[0]["extra"] == {"scalar": 1.5, "whole": 3, "array": [[1, 2], [3, 4]]}


class TestSameWayTwice:
    """The first call with a key and the next ones take different ways through the encoder; nobody may notice."""

    scalars = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.decimals(), st.datetimes(), st.uuids()
    )

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(fields=st.dictionaries(st.text(max_size=8), scalars, max_size=6))
    def test_an_entry_looks_the_same_each_time(self, log: Logger, lines: Lines, fields: dict[str, Any]):
        for _ in range(2):
            log.info("x", extra=fields)
            log.info("%s", "x", extra=fields)
        names = {name for name in fields if name.isidentifier() and name not in {"extra", "exc_info"}}
        safe = {name: fields[name] for name in names}
        log.info("x", **safe)
        log.info("x", **safe)
        found = [entry.get("extra") for entry in lines()]
        assert found[0] == found[1] == found[2] == found[3]
        assert found[4] == found[5]
        assert set(found[4] or {}) == names


CUT = "cut"
ENTRY_BYTES = 64 * 1024
OVERHEAD_BYTES = 2 * 1024
"""Keys, numbers and marks of a line beside message and fields."""


def size_of(value: Any) -> int:
    """Bytes of what a decoded value says, escapes not counted: the limit is checked before encoding."""
    match value:
        case str():
            return len(value.encode())
        case dict():
            return sum(size_of(key) + size_of(one) + 2 for key, one in value.items())
        case list():
            return sum(size_of(one) + 1 for one in value)
        case _:
            return 4


class TestLimits:
    def test_depth_up_to_eight_is_kept_and_deeper_is_cut(self, log: Logger, lines: Lines):
        deep: Any = "bottom"
        for level in range(20, 0, -1):
            deep = {f"d{level}": deep}
        log.info("x", deep=deep)
        extra: Any = lines()[0]["extra"]["deep"]
        depth = 1
        while isinstance(extra, dict):
            extra = next(iter(extra.values()))
            depth += 1
        assert 7 <= depth <= 9
        assert CUT in extra
        assert "bottom" not in extra

    @pytest.mark.parametrize("shape", ["list", "dict", "set", "tuple"])
    def test_cyclic_and_huge_containers_are_cut_and_marked(self, log: Logger, lines: Lines, shape: str):
        shapes: dict[str, Any] = {
            "list": list(range(1000)),
            "dict": {f"k{n}": n for n in range(1000)},
            "set": set(range(1000)),
            "tuple": tuple(range(1000)),
        }
        log.info("x", value=shapes[shape])
        value = lines()[0]["extra"]["value"]
        assert len(value) == 257
        assert "744" in str(value)
        assert CUT in str(value)

    def test_256_items_are_kept_whole(self, log: Logger, lines: Lines):
        log.info("x", numbers=list(range(256)), table={str(n): n for n in range(256)})
        assert lines()[0]["extra"] == {"numbers": list(range(256)), "table": {str(n): n for n in range(256)}}

    @pytest.mark.parametrize("repeat", [1, 2, 3])
    def test_more_than_256_fields_are_cut_each_time(self, log: Logger, lines: Lines, repeat: int):
        for _ in range(repeat):
            log.info("x", **{f"k{n}": n for n in range(300)})
        extra = lines()[-1]["extra"]
        assert len(extra) == 257
        assert CUT in str(extra)

    @pytest.mark.parametrize("kind", ["list", "dict", "object"])
    def test_a_cycle_ends(self, log: Logger, lines: Lines, kind: str):
        cyclic: Any = [] if kind == "list" else {}
        if kind == "list":
            cyclic.append(cyclic)
        elif kind == "dict":
            cyclic["self"] = cyclic
        else:
            cyclic = SimpleNamespace()
            cyclic.me = cyclic
        log.info("x", cyclic=cyclic, other=1)
        assert lines()[0]["extra"]["other"] == 1

    @pytest.mark.parametrize("leaf", ["leaf", None, 1, {}, (), ""], ids=repr)
    def test_many_small_values_count_too(self, log: Logger, lines: Lines, leaf: object):
        """A bush of references: were the walk not bounded, eight levels of 256 items would block the call for ever."""
        bush: Any = [leaf] * 30
        for _ in range(3):
            bush = [bush] * 30
        log.info("x", bush=bush)
        found = lines()[0]
        assert size_of(found) <= ENTRY_BYTES + OVERHEAD_BYTES
        assert CUT in str(found["extra"])

    @pytest.mark.parametrize(
        "text", ["a" * 200_000, "é" * 60_000, "語" * 60_000, "🎉" * 60_000, "\0" * 80_000, '"' * 80_000],
        ids=["ascii", "two bytes", "three bytes", "four bytes", "control", "quotes"],
    )  # fmt: skip
    @pytest.mark.parametrize("form", ["field", "list", "message", "argument", "bind", "trade", "bytes", "key", "repr"])
    def test_an_entry_over_64_kib_is_cut_and_marked(self, log: Logger, lines: Lines, form: str, text: str):
        class Talkative:
            def __repr__(self) -> str:
                return text

        calls: dict[str, Callable[[], object]] = {
            "field": lambda: log.info("x", big=text),
            "list": lambda: log.info("x", big=[text[:10_000]] * 40),
            "message": lambda: log.info(text),
            "argument": lambda: log.info("%s", text),
            "bind": lambda: log.bind(big=text).info("x"),
            "trade": lambda: log.trade.order_cancelled(order_id=1, reason=text),
            "bytes": lambda: log.info("x", big=text.encode("utf-8", "surrogatepass")),
            "key": lambda: log.info("x", big={text: 1}),
            "repr": lambda: log.info("x", big=Talkative()),
        }
        for _ in range(2):
            calls[form]()
        for found in lines():
            assert size_of(found) <= ENTRY_BYTES + OVERHEAD_BYTES
            assert CUT in str(found)

    def test_message_and_fields_together_keep_to_the_limit(self, log: Logger, lines: Lines):
        bound = log.bind(a="a" * 40_000)
        for _ in range(2):
            bound.info("m" * 60_000, b="b" * 60_000)
        for found in lines():
            assert size_of(found) <= ENTRY_BYTES + OVERHEAD_BYTES
            assert CUT in str(found)

    def test_an_exceptions_text_is_bounded_too(self, log: Logger, lines: Lines):
        log.error("x", exc_info=ValueError("語" * 200_000))
        found = lines()[0]
        assert size_of(found) <= ENTRY_BYTES + OVERHEAD_BYTES
        assert CUT in found["exception"]["message"]

    def test_what_is_below_the_limit_is_whole(self, log: Logger, lines: Lines):
        text = "a" * 30_000
        log.info("x", big=text, more=text)
        assert lines()[0]["extra"] == {"big": text, "more": text}
