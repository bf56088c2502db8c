"""Every value in every place of a log call: the call does not raise, and one entry arrives, within every limit."""

import json
import logging
from collections.abc import Callable
from time import thread_time
from typing import Any

import pytest
from support.strange_values import HUGE, SECRET, STRANGE, Make

from metaexpert.logger import Logger, LoggingRuntime, lazy, log_context

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]

ENTRY_BYTES = 64 * 1024
OVERHEAD_BYTES = 2 * 1024
"""Keys, numbers and marks of a line beside message and fields."""

_PROMPT_SECONDS = 0.1
"""Far above what a bounded look takes, far below what ten megabytes take."""


@pytest.fixture
def own(lines: Lines, name: str) -> Lines:
    """The lines of that logger: what makes a value may log too."""
    return lambda: [line for line in lines() if line["logger"] == name]


def unheard(log: Logger) -> None:
    """Leave the logger one handler of somebody else's, which formats nothing: pytest's own would."""
    log.propagate = False
    log.handlers = [logging.NullHandler()]


def in_every_place(log: Logger, value: Any) -> dict[str, Callable[[], object]]:
    """A log call for each place a value can stand in."""
    call: Callable[..., Any] = log.info

    def in_context() -> None:
        with log_context(value=value):
            log.info("x", good=1)

    return {
        "field": lambda: log.info("x", value=value, good=1),
        "field again": lambda: log.info("x", value=value, good=1),
        "in a list": lambda: log.info("x", value=[1, value, 2], good=1),
        "in a dict": lambda: log.info("x", value={"before": 1, "a": {"b": value}, "after": 2}, good=1),
        "hidden": lambda: log.info("x", password=value, nested={"api_key": value}, good=1),
        "in extra": lambda: log.info("x", extra={"value": value, "good": 1}),
        "bound": lambda: log.bind(value=value, good=1).info("x"),
        "context": in_context,
        "lazy": lambda: log.info("x", value=lazy(lambda: value), good=1),
        "lambda": lambda: log.info("x", value=lambda: value, good=1),
        "audit": lambda: log.audit("x", value=value, good=1),
        "exc_info": lambda: log.error("x", exc_info=value, good=1),
        "stack_info": lambda: call("x", stack_info=value, good=1),
        "stacklevel": lambda: call("x", stacklevel=value, good=1),
        "extra": lambda: log.info("x", extra=value, good=1),
        "wrong argument": lambda: log.info("x %d %d", value, good=1),
        "trade field": lambda: log.trade.order_cancelled(order_id=1, value=value),
        "trade amount": lambda: log.trade.position_changed(symbol="B", quantity=value),
    }  # fmt: skip


def formatted(log: Logger, value: Any) -> dict[str, Callable[[], object]]:
    """A log call for each way Python itself makes a text of a value, which costs what it costs."""
    return {
        "message": lambda: log.info(value),
        "argument": lambda: log.info("x %s", value),
        "two arguments": lambda: log.info("x %s %r", 1, value),
        "by name": lambda: log.info("x %(a)s", {"a": value}),
        "exception": lambda: log.error("x", exc_info=ValueError(value)),
    }


def size_of(value: Any) -> int:
    """Bytes of what a decoded value says; the limit holds before JSON's escapes."""
    match value:
        case str():
            return len(value.encode())
        case dict():
            return sum(size_of(key) + size_of(one) + 2 for key, one in value.items())
        case list():
            return sum(size_of(one) + 1 for one in value)
        case _:
            return 4


def check_entry(entry: Line, place: str) -> None:
    """What holds for any entry, whatever it was given."""
    assert size_of(entry) <= ENTRY_BYTES + OVERHEAD_BYTES, place
    assert "log_call_failed" not in entry.get("extra", {}), place
    if place not in {"trade field", "trade amount", "extra"}:
        assert entry.get("extra", {"good": 1})["good"] == 1, place


@pytest.mark.parametrize("kind", STRANGE)
class TestEveryValue:
    def test_arrives_from_every_place(self, log: Logger, own: Lines, runtime: LoggingRuntime, kind: str):
        value = STRANGE[kind]()
        unheard(log)
        calls = in_every_place(log, value)
        for call in calls.values():
            call()
        log.info("next")
        found = own()
        assert found[-1]["message"] == "next"
        for place, entry in zip(calls, found[:-1], strict=True):
            check_entry(entry, place)
        hidden = found[list(calls).index("hidden")]["extra"]
        assert (hidden["password"], hidden["nested"]) == ("[REDACTED]", {"api_key": "[REDACTED]"})
        assert runtime.stats().sinks["memory"].ledger.balanced

    def test_no_secret_shows(self, log: Logger, own: Lines, kind: str):
        value = STRANGE[kind]()
        unheard(log)
        log.info("x", value=value)
        log.info("x", value=[{"a": value}])
        log.bind(value=value).info("x")
        log.trade.order_cancelled(order_id=1, value=value)
        assert SECRET not in json.dumps(own())


@pytest.mark.parametrize("kind", [name for name in STRANGE if not name.startswith("huge")])
def test_a_message_made_of_any_value_arrives(log: Logger, own: Lines, runtime: LoggingRuntime, kind: str):
    unheard(log)
    calls = formatted(log, STRANGE[kind]())
    for call in calls.values():
        call()
    log.info("next")
    found = own()
    assert len(found) == len(calls) + 1
    assert all(size_of(entry) <= ENTRY_BYTES + OVERHEAD_BYTES for entry in found)
    assert all("log_call_failed" not in entry.get("extra", {}) for entry in found)
    assert runtime.stats().sinks["memory"].ledger.balanced


@pytest.mark.parametrize("kind", HUGE)
def test_a_huge_value_costs_what_its_kept_part_costs(log: Logger, own: Lines, kind: str):
    make: Make = HUGE[kind]
    value = make()
    unheard(log)
    for place, call in {**in_every_place(log, value), "message": lambda: log.info(value)}.items():
        assert cost_seconds(call) < _PROMPT_SECONDS, place
    assert own()


def cost_seconds(call: Callable[[], object]) -> float:
    """Processor time of the call's own thread; the least of three, so that no garbage collection is in it."""
    costs: list[float] = []
    for _ in range(3):
        began = thread_time()
        call()
        costs.append(thread_time() - began)
    return min(costs)
