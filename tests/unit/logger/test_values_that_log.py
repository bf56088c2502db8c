"""A value whose own code logs, even itself: its entries arrive too, and it comes to an end."""

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, override

import pytest

from metaexpert.logger import Logger, LoggingRuntime, lazy
from metaexpert.logger.nesting import nesting

type Lines = Callable[[], list[dict[str, Any]]]

SLOW_SECONDS = 0.05


class Chatty:
    """It logs itself, twice, in every way, whenever it is looked at."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def _speak(self) -> str:
        self._log.info("inner %s", self)
        self._log.info("inner", value=self)
        return "chatty"

    @override
    def __repr__(self) -> str:
        return self._speak()

    @override
    def __str__(self) -> str:
        return self._speak()


class ChattyError(Exception):
    """Its text logs it."""

    log: Logger

    @override
    def __str__(self) -> str:
        self.log.error("inner", exc_info=self)
        return "told"


@pytest.mark.parametrize(
    "call",
    [
        lambda log, value: log.info("outer", value=value),
        lambda log, value: log.info("outer %s", value),
        lambda log, value: log.info(value),
        lambda log, value: log.info("outer %d", value),
        lambda log, value: log.bind(value=value).info("outer"),
        lambda log, value: log.trade.order_filled(order_id=1, side="BUY", price=value, quantity=value),
    ],
    ids=["field", "argument", "message", "wrong argument", "bind", "trade"],
)
def test_one_that_logs_itself_ends(
    log: Logger, lines: Lines, runtime: LoggingRuntime, call: Callable[[Logger, Any], object]
):
    call(log, Chatty(log))
    assert nesting.depth == 0
    log.info("next")
    found = lines()
    assert found[-1]["message"] == "next"
    assert any("log calls within log calls" in str(entry) for entry in found)
    assert any("chatty" in str(entry) for entry in found)
    assert 3 < len(found) < 2_000
    assert runtime.stats().sinks["memory"].ledger.balanced


def test_an_exception_that_logs_itself_ends(log: Logger, lines: Lines):
    error = ChattyError()
    error.log = log
    log.error("outer", exc_info=error)
    found = lines()
    outer = next(entry for entry in found if entry["message"] == "outer")
    assert outer["exception"]["message"] == "told"
    assert len(found) < 1_000
    assert nesting.depth == 0


def test_a_lambda_that_logs_itself_ends(log: Logger, lines: Lines):
    def speak() -> object:
        log.info("inner", value=lazy(speak))
        return "spoke"

    log.info("outer", value=lazy(speak))
    found = lines()
    assert found[-1]["extra"] == {"value": "spoke"}
    assert found[0]["extra"] == {"value": "<not computed: log calls within log calls>"}
    assert len(found) < 10


def test_a_lazy_value_that_is_ever_lazy_ends(log: Logger, lines: Lines):
    def ever() -> object:
        return lazy(ever)

    log.info("x", value=lazy(ever), other=1)
    assert "cut" in lines()[0]["extra"]["value"]


def test_a_slow_value_costs_its_own_time_once(log: Logger, lines: Lines):
    class Slow:
        @override
        def __repr__(self) -> str:
            time.sleep(SLOW_SECONDS)
            return "slow"

    began = time.thread_time(), time.perf_counter()
    log.info("x", value=Slow())
    assert time.thread_time() - began[0] < SLOW_SECONDS
    assert time.perf_counter() - began[1] >= SLOW_SECONDS
    assert lines()[0]["extra"] == {"value": "slow"}


@pytest.mark.parametrize("shape", ["dict", "list", "set", "bytearray"])
def test_what_another_thread_changes_meanwhile_arrives(log: Logger, lines: Lines, shape: str):
    shared: Any = {"dict": dict, "list": list, "set": set, "bytearray": bytearray}[shape]()
    failures: list[BaseException] = []
    done = Event()

    def change() -> None:
        number = 0
        try:
            while not done.is_set():
                number = (number + 1) % 200
                if shape == "dict":
                    shared[number] = number
                    shared.pop((number * 7) % 200, None)
                elif shape == "set":
                    shared.add(number)
                    shared.discard((number * 7) % 200)
                else:
                    shared.append(number)
                    if len(shared) > 150:
                        del shared[:100]
        except BaseException as failure:  # noqa: BLE001 - told to the test
            failures.append(failure)

    thread = Thread(target=change)
    thread.start()
    for _ in range(100):
        log.info("x", value=shared, nested=[shared], other=1)
    done.set()
    thread.join()
    assert failures == []
    found = lines()
    assert len(found) == 100
    assert all(entry["extra"]["other"] == 1 for entry in found)
    assert not any("not encodable" in str(entry) or "not readable" in str(entry) for entry in found)


@pytest.mark.parametrize("where", ["function", "file", "logger"])
def test_names_that_are_no_utf_8_arrive(log: Logger, lines: Lines, where: str):
    source = "def call(log):\n    log.info('x', good=1)\n"
    space: dict[str, Any] = {}
    exec(compile(source, "caf\udce9.py" if where == "file" else "plain.py", "exec"), space)  # noqa: S102 - a file's name
    call = space["call"]
    if where == "function":
        call.__code__ = call.__code__.replace(co_name="\udce9")
    call(log.getChild("\udce9") if where == "logger" else log)
    log.info("next")
    assert [entry["message"] for entry in lines()] == ["x", "next"]
