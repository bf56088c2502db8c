"""Local variables as text: no code of theirs is run, nothing secret is shown, everything is bounded."""

import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn, override
from uuid import UUID

import pytest

from metaexpert.logger import get_logger
from metaexpert.logger.faults.glimpse import TEXT_CHARACTERS, Glimpse
from metaexpert.logger.redaction import Redactor

SECRET = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3kL5mN7pQ9rS1tU3v"


class Side(Enum):
    BUY = 1


class Pair(NamedTuple):
    api_key: str
    symbol: str


@dataclass(slots=True)
class Slotted:
    price: Decimal
    unset: int = field(init=False)


@dataclass
class Order:
    symbol: str
    secret: str
    legs: list[int]


class Hostile:
    """Everything it could be asked for fails, and is noted."""

    ran: list[str]

    def __init__(self, ran: list[str]) -> None:
        object.__setattr__(self, "ran", ran)

    def __getattribute__(self, name: str) -> NoReturn:
        object.__getattribute__(self, "ran").append(name)
        raise RuntimeError(name)

    @override
    def __repr__(self) -> str:
        object.__getattribute__(self, "ran").append("repr")
        get_logger("hostile").error("from a repr")
        time.sleep(60)
        return ""

    __str__ = __repr__
    __len__: Any = None
    __hash__: Any = None


class LyingDict(dict[str, int]):
    @override
    def items(self) -> Any:
        raise RuntimeError("asked")

    @override
    def __len__(self) -> int:
        raise RuntimeError("asked")


class LyingZone(tzinfo):
    @override
    def __repr__(self) -> str:
        raise RuntimeError("asked")


def shown(value: object, name: str = "value", *, limit: int = 8192, redactor: Redactor | None = None) -> str:
    return Glimpse(redactor or Redactor(), limit).variable(name, value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (7, "7"),
        (0.5, "0.5"),
        (Decimal("43100.50"), "Decimal('43100.50')"),
        ("BTC'USDT", '"BTC\'USDT"'),
        (b"\x00a", "b'\\x00a'"),
        ([1, [2, [3, [4]]]], "[1, [2, [3, […]]]]"),
        ((1,), "(1)"),
        ({"a": 1, 2: "b"}, "{'a': 1, 2: 'b'}"),
        (deque([1]), "deque([1])"),
        (OrderedDict(a=1), "collections.OrderedDict({'a': 1})"),
        (datetime(2026, 1, 2, tzinfo=UTC), "datetime.datetime(2026, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)"),
        (UUID(int=5), "UUID(00000000000000000000000000000005)"),
        (PurePosixPath("/a/b"), "PurePosixPath('/a/b')"),
        (SimpleNamespace(a=1), "types.SimpleNamespace(a=1)"),
    ],
)
def test_known_types_show_their_value(value: object, text: str):
    assert shown(value) == text


def test_enums_named_tuples_and_data_classes_show_their_fields():
    assert shown(Side.BUY).endswith("Side.BUY")
    assert shown(Slotted(Decimal(1))).endswith("Slotted(price=Decimal('1'))")
    assert shown(Pair("k", "BTC")).endswith("Pair(api_key=[REDACTED], symbol='BTC')")


def test_nothing_of_an_objects_own_code_is_run():
    ran: list[str] = []
    value = Hostile(ran)
    assert shown(value).endswith("Hostile>")
    assert "Hostile>" in shown([{"a": (value,)}])
    assert shown(LyingDict(a=1)).endswith("LyingDict({'a': 1})")
    assert shown(datetime(2026, 1, 1, tzinfo=LyingZone())) == "<datetime.datetime>"
    assert ran == []


def test_a_container_that_changes_meanwhile_is_told_of():
    class Changing(Iterator[int]):
        @override
        def __next__(self) -> int:
            return 1

    values: dict[int, Any] = {}
    values.update(dict.fromkeys(range(3), values))
    assert shown(values).startswith("{0: {0: {0: {…}, ")
    assert shown(Changing()).endswith("Changing>")


@pytest.mark.parametrize("name", ["api_key", "secret_token", "password"])
def test_a_variable_whose_name_says_so_is_hidden(name: str):
    assert shown("hunter2", name) == "[REDACTED]"


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        [SECRET],
        {"headers": {"X-API-Key": "hunter2-hunter2"}},
        [("api_key", "hunter2-hunter2")],
        Order("BTC", "hunter2-hunter2", [1]),
        f"https://api.example.com/order?signature={SECRET}",
        "x" * (TEXT_CHARACTERS - 30) + " " + SECRET,
        {SECRET: 1},
        SECRET.encode(),
    ],
    ids=range(9),
)
def test_secrets_are_hidden_wherever_they_stand(value: object):
    text = shown(value)
    assert "hunter2" not in text
    assert not any(SECRET[at : at + 12] in text for at in range(len(SECRET) - 12))


def test_a_pseudonym_is_made_of_plain_values_alone():
    redactor = Redactor(pseudonyms=("account",), pseudonym_key="k")
    assert shown("DE1", "account", redactor=redactor).startswith("pseudonym:")
    assert shown(Hostile([]), "account", redactor=redactor) == "[REDACTED]"


@pytest.mark.parametrize(
    "value",
    ["a" * 10_000_000, list(range(1_000_000)), dict.fromkeys(range(9999), "x" * 999), 10**100_000],
    ids=["text", "list", "dict", "int"],
)
def test_large_values_cost_what_is_shown_of_them(value: object):
    text = shown(value)
    assert len(text) < 6000
    assert "…" in text


def test_all_variables_share_one_bound():
    glimpse = Glimpse(Redactor(), 1000)
    texts = [glimpse.variable("v", "ab " * 80) for _ in range(20)]
    assert sum(map(len, texts)) < 1600
    assert glimpse.left_characters <= 0
