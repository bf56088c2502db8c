"""Warnings of trade entries: entries of their own, behind the one they are about, which arrives whatever it is."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from metaexpert.logger import LoggerConfig, LoggingRuntime, MemoryOptions, get_logger, log_context
from metaexpert.logger.entry import DETAILS, LASTI, OF_ANOTHER_RUN, RECOVERED_FROM, SEQ, Capture
from metaexpert.logger.notices import Notices
from metaexpert.logger.testing import new_entry
from metaexpert.logger.trade.watch import TradeWatch

log = get_logger("trade.watch")

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]


def fill(**changes: Any) -> None:
    fields: dict[str, Any] = {"order_id": "A-1", "side": "BUY", "quantity": "1", "price": "2"}
    log.trade.order_filled(**(fields | changes))


def config(**changes: Any) -> LoggerConfig:
    quiet: dict[str, Any] = {"log_to_console": False, "log_to_file": False, "clock": {"enabled": False}}
    return LoggerConfig(sinks=(MemoryOptions(),), **(quiet | changes))


@pytest.fixture
def lines(start: Callable[..., LoggingRuntime], lines_of: Callable[[LoggingRuntime], list[Line]]) -> Lines:
    """What arrived, by the default configuration."""
    runtime = start(check_trades=LoggerConfig().check_trades)
    return lambda: lines_of(runtime)


def test_a_fill_after_a_cancel_is_warned_of_and_arrives(lines: Lines):
    log.trade.order_placed(order_id="A-1", side="BUY", quantity="1", exchange="okx")
    log.trade.order_cancelled(order_id="A-1", exchange="okx")
    fill(exchange="okx")
    found = lines()
    assert [entry["log_type"] for entry in found] == ["trade", "trade", "trade", "general"]
    warning = found[3]
    assert (warning["level"], warning["logger"]) == ("WARNING", "metaexpert.trade")
    assert warning["message"] == "order A-1: order_filled after order_cancelled"
    assert warning["extra"] == {
        "rule": "after_end",
        "trade_seq": found[2]["seq"],
        "event": "order_filled",
        "order_id": "A-1",
        "exchange": "okx",
    }


def test_what_is_bound_or_in_the_context_is_given_too(lines: Lines):
    trade: Any = log.bind(order_id="B-7", side="BUY", problems=["of another kind"]).trade
    trade.order_placed(quantity="1")
    with log_context(quantity="1"):
        trade.order_partially_filled(executed_quantity="0.6", executed_price="2")
        trade.order_partially_filled(executed_quantity="0.6", executed_price="2")
    *trades, warning = lines()
    assert ["problems" in entry["trade_data"] for entry in trades] == [False] * 3
    assert warning["extra"]["rule"] == "over_fill"
    assert warning["extra"]["order_id"] == "B-7"


def test_what_is_wrong_in_itself_is_warned_of(lines: Lines):
    fill(price="cheap")
    trade, warning = lines()
    assert trade["trade_data"]["problems"] == ["price: 'cheap' is no decimal number"]
    assert warning["message"] == "order_filled has invalid fields: price: 'cheap' is no decimal number"
    assert warning["extra"]["rule"] == "invalid_field"


def test_switched_off_nothing_is_warned_of_and_a_reload_switches(
    start: Callable[..., LoggingRuntime], lines_of: Callable[[LoggingRuntime], list[Line]], runner: asyncio.Runner
):
    runtime = start(check_trades=False)
    fill(price="cheap")
    assert len(lines_of(runtime)) == 1
    runner.run(runtime.reload(config()))
    fill(price="cheap")
    assert len(lines_of(runtime)) == 2
    runner.run(runtime.reload(config(check_trades=False)))
    fill(price="cheap")
    assert len(lines_of(runtime)) == 1


def test_a_reload_forgets_no_order(
    start: Callable[..., LoggingRuntime], lines_of: Callable[[LoggingRuntime], list[Line]], runner: asyncio.Runner
):
    runtime = start(check_trades=True)
    log.trade.order_placed(order_id="A-1", side="BUY", quantity="1")
    assert len(lines_of(runtime)) == 1
    runner.run(runtime.reload(config(log_level="WARNING")))
    fill(quantity="2")
    assert [entry["extra"].get("rule") for entry in lines_of(runtime) if "extra" in entry] == ["over_fill"]


def of_another_run(entry: Capture) -> Capture:
    return (*entry[:LASTI], OF_ANOTHER_RUN, *entry[LASTI + 1 :])  # type: ignore[return-value]  # one place differs


def recovered(entry: Capture) -> Capture:
    return (RECOVERED_FROM + 1, *entry[SEQ + 1 :])  # type: ignore[return-value]  # as above


@pytest.mark.parametrize("former", [of_another_run, recovered])
def test_entries_of_former_runs_are_not_looked_at_again(former: Callable[[Capture], Capture]):
    watch = TradeWatch(Notices())
    wrong = new_entry("x", trade_data={"event": "order_filled", "problems": ["price: is missing"]})
    watch.look([former(wrong)])
    assert watch.take() == []
    watch.look([wrong])
    assert len(watch.take()) == 1


def test_a_fault_of_its_own_costs_a_warning_alone():
    watch = TradeWatch(Notices())
    entry = new_entry("x", trade_data={"event": "order_filled"})
    broken: Any = (*entry[:DETAILS], (b"", b"", b"{no json"), *entry[DETAILS + 1 :])
    watch.look([broken])
    assert watch.take() == []


def test_what_is_bound_as_none_is_not_given(lines: Lines):
    unnamed: Any = log.bind(order_id=None, side=None).trade
    unnamed.order_placed(quantity="1")
    unnamed.order_placed(quantity="1")
    *_, trade, first, second = lines()
    assert trade["trade_data"]["problems"] == ["order_id: is missing", "side: is missing"]
    assert [each["extra"]["rule"] for each in (first, second)] == ["invalid_field"] * 2


def correct(original: Any, **values: str) -> None:
    log.trade.correction(original=original, reason="wrong", actor="desk-3", values=values)


def test_a_correction_of_nothing_is_told(lines: Lines):
    correct("the fill of this morning", price="1")
    correct("0199f0a1b2c3d4e5f-17", price="1")
    first, _, invalid = lines()
    assert first["trade_data"]["problems"] == ["original: 'the fill of this morning' is no entry's id"]
    assert invalid["extra"]["rule"] == "invalid_field"
    run = str(first["id"]).rpartition("-")[0]
    correct(f"{run}-{first['seq'] + 10**6}", price="1")
    correct(first["id"], price="1")
    assert [each["extra"].get("rule") for each in lines() if "extra" in each] == ["unknown_entry"]


def test_a_corrected_fill_counts_with_its_correction(lines: Lines):
    log.trade.order_placed(order_id="C-1", side="BUY", quantity="3")
    log.trade.order_partially_filled(order_id="C-1", executed_quantity="2.5", executed_price="1")
    correct(lines()[1]["id"], executed_quantity="0.5")
    log.trade.order_partially_filled(order_id="C-1", executed_quantity="2.5", executed_price="1")
    assert [each["log_type"] for each in lines()] == ["trade"] * 2


def test_a_warning_of_a_long_id_is_short(lines: Lines):
    long = "x" * 20_000
    log.trade.order_placed(order_id=long, side="BUY", quantity="1")
    log.trade.order_placed(order_id=long, side="BUY", quantity="1")
    *_, warning = lines()
    assert warning["extra"]["rule"] == "placed_twice"
    assert len(str(warning)) < 2_000
