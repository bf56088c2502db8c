"""A session on paper: what the market says, what the rules do, what the log and the handlers are told, in order."""

import asyncio
from collections.abc import AsyncGenerator
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from support.market_events import instrument, quote, trade

from metaexpert.broker.paper.broker import PaperBroker
from metaexpert.broker.paper.engine import PaperEngine
from metaexpert.broker.paper.options import PaperOptions
from metaexpert.core.desk import Desk, DeskParts
from metaexpert.core.events import MarketEvent
from metaexpert.core.handlers import Handlers
from metaexpert.core.market import MarketMemory
from metaexpert.core.order_ids import OrderIds
from metaexpert.core.orders import Order, OrderRequest, Refusal
from metaexpert.core.portfolio import Portfolio
from metaexpert.core.recorder import Recorder
from metaexpert.core.session import Session, SessionParts, StopPolicy
from metaexpert.core.timers import Timer
from metaexpert.logger import get_logger
from metaexpert.logger.testing import RecordedEntries
from metaexpert.risk.risk import Halt, NoRisk, Protection
from metaexpert.risk.view import Holdings, Prices


class Desktop:
    """A session over a paper market, with all its parts at hand."""

    def __init__(self, *, risk: NoRisk | None = None, stop_policy: StopPolicy = "cancel", audit: bool = False) -> None:
        instruments = {"BTCUSDT": instrument(contract=True)}
        self.market = MarketMemory(("1m",), 10)
        self.portfolio = Portfolio(instruments, self.market)
        self.handlers = Handlers()
        self.timers: list[Timer] = []
        engine = PaperEngine(PaperOptions(), instruments, {"USDT": Decimal(10_000)}, random=Random(1))
        self.broker = PaperBroker(engine, lambda: self.market.now_ns)
        recorder = Recorder(get_logger("test.trades"))
        self.desk = Desk(
            DeskParts(
                broker=self.broker,
                portfolio=self.portfolio,
                market=self.market,
                risk=risk or NoRisk(),
                recorder=recorder,
                handlers=self.handlers,
                ids=OrderIds("test", 1),
                before_send=None,
                audit_before_send=audit,
            )
        )
        self.session = Session(
            SessionParts(
                handlers=self.handlers,
                market=self.market,
                portfolio=self.portfolio,
                recorder=recorder,
                risk=risk or NoRisk(),
                timers=self.timers,
                broker=self.broker,
                desk=self.desk,
                stop_policy=stop_policy,
                stop_timeout_seconds=5.0,
            )
        )

    async def backtest(self, *events: MarketEvent) -> None:
        self.portfolio.begin(await self.broker.standing())
        await self.session.backtest(each(events))


async def each(events: tuple[MarketEvent, ...]) -> AsyncGenerator[MarketEvent]:
    for event in events:
        yield event


def order(side: str = "BUY", quantity: str = "1", **more: Any) -> OrderRequest:
    return OrderRequest(order_id="", symbol="BTCUSDT", side=side, quantity=Decimal(quantity), **more)  # type: ignore[arg-type]


def told(entries: RecordedEntries) -> list[str]:
    """The trade events that were logged, in order."""
    return [str(entry["trade_data"]["event"]) for entry in entries if entry["log_type"] == "trade"]


async def test_an_order_is_logged_before_it_is_sent_and_each_step_before_handlers_hear_of_it(
    log_entries: RecordedEntries,
):
    desktop = Desktop()
    heard: list[tuple[str, int]] = []
    desktop.handlers.add("order", lambda order: heard.append((order.status, len(told(log_entries)))))
    desktop.handlers.add("position", lambda _: heard.append(("position", len(told(log_entries)))))
    desktop.handlers.add("tick", lambda _: desktop.desk.place(order()) if not heard else None)
    await desktop.backtest(quote(1, "100", "101"), quote(2, "100", "101"))
    events = told(log_entries)
    assert events[:4] == ["order_placed", "order_accepted", "order_filled", "position_opened"]
    assert [name for name, _ in heard] == ["open", "filled", "position"]
    assert all(events[count - 1] != "order_placed" for _, count in heard)
    assert desktop.portfolio.position("BTCUSDT").quantity == 1
    ids = {entry["trade_data"]["order_id"] for entry in log_entries if "order_id" in (entry.get("trade_data") or {})}
    assert len(ids) == 1
    assert not [entry for entry in log_entries if (entry.get("trade_data") or {}).get("problems")]


async def test_a_ticket_gives_the_result_and_need_not_be_awaited():
    desktop = Desktop()
    results: list[object] = []

    async def buy(_: object) -> None:
        results.append(await desktop.desk.place(order()))

    desktop.handlers.add("tick", buy)
    desktop.handlers.add("transaction", lambda request, result: results.append((request.side, type(result).__name__)))
    await desktop.backtest(quote(1, "100", "101"))
    assert results[0] == ("BUY", "Order")
    assert isinstance(results[1], Order)


async def test_what_a_rule_refuses_is_logged_with_rule_value_and_limit_and_never_sent(log_entries: RecordedEntries):
    class Small(NoRisk):
        def check(self, request: OrderRequest, holdings: Holdings, prices: Prices) -> Refusal | None:  # noqa: ARG002
            if request.quantity > 1:
                return Refusal(rule="max_quantity", value=request.quantity, limit=1, reason="too much")
            return None

    desktop = Desktop(risk=Small())
    refused: list[object] = []
    desktop.handlers.add("transaction", lambda _, result: refused.append(result))
    desktop.handlers.add("tick", lambda _: desktop.desk.place(order(quantity="2")))
    await desktop.backtest(quote(1, "100", "101"))
    (entry,) = (entry["trade_data"] for entry in log_entries if entry["log_type"] == "trade")
    assert (entry["event"], entry["rule"], str(entry["value"]), str(entry["limit"])) == (
        "risk_limit",
        "max_quantity",
        "2",
        "1",
    )
    assert isinstance(refused[0], Refusal)
    assert desktop.portfolio.open_orders == ()


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        (order(quantity="0"), "size_type"),
        (order(quantity="0.0000001"), "min_quantity"),
        (OrderRequest(order_id="", symbol="DOGEUSDT", side="BUY", quantity=Decimal(1)), "symbol"),
    ],
)
async def test_an_order_that_cannot_be_is_refused_in_words(request_: OrderRequest, rule: str):
    desktop = Desktop()
    refused: list[Refusal] = []
    desktop.handlers.add("transaction", lambda _, result: refused.append(result))
    desktop.handlers.add("tick", lambda _: desktop.desk.place(request_))
    await desktop.backtest(quote(1, "100", "101"))
    assert [(each.rule, bool(each.reason)) for each in refused] == [(rule, True)]


async def test_a_protection_closes_the_position_once(log_entries: RecordedEntries):
    class Stop(NoRisk):
        def protect(self, symbol: str, holdings: Holdings, prices: Prices) -> Protection | None:
            position, price = holdings.position(symbol), prices.quotes[symbol].price
            if not position.is_open or price > 95:
                return None
            refusal = Refusal(rule="stop_loss_pct", value=price, limit=95, reason="below the stop")
            return Protection(symbol=symbol, side="SELL", quantity=position.quantity, refusal=refusal)

    desktop = Desktop(risk=Stop())
    placed: list[object] = []
    desktop.handlers.add("tick", lambda _: placed.append(desktop.desk.place(order())) if not placed else None)
    await desktop.backtest(quote(1, "100", "101"), quote(2, "90", "91"), trade(2, "90"), quote(3, "90", "91"))
    assert told(log_entries).count("risk_limit") == 1
    assert told(log_entries)[-2:] != []
    assert "position_closed" in told(log_entries)
    assert not desktop.portfolio.position("BTCUSDT").is_open


async def test_a_halt_for_good_ends_the_run_with_nothing_held(log_entries: RecordedEntries):
    class Halting(NoRisk):
        def halt(self, holdings: Holdings, prices: Prices) -> Halt | None:
            if prices.now_ns < 2 * 10**9 or not holdings.position("BTCUSDT").is_open:
                return None
            refusal = Refusal(rule="max_drawdown_pct", value=11, limit=10, reason="drawdown")
            return Halt(refusal=refusal, until_ns=None)

    desktop = Desktop(risk=Halting())
    ticks: list[object] = []
    desktop.handlers.add("tick", lambda _: ticks.append(desktop.desk.place(order())))
    await desktop.backtest(*(quote(second, "100", "101") for second in (1, 2, 3, 4)))
    assert desktop.session.halted is not None
    assert len(ticks) == 2
    assert not desktop.portfolio.position("BTCUSDT").is_open
    assert log_entries.where(message="trading halted")


async def test_what_a_handler_closes_is_not_closed_again_at_the_stop(log_entries: RecordedEntries):
    desktop = Desktop(stop_policy="close")

    def turn(_: object) -> None:
        if desktop.portfolio.position("BTCUSDT").is_open:
            desktop.desk.close("BTCUSDT", reason="enough", actor="expert")
        else:
            desktop.desk.place(order())

    async def slow(_: object) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    desktop.handlers.add("tick", turn)
    desktop.handlers.add("order", slow)
    desktop.portfolio.begin(await desktop.broker.standing())
    await desktop.session.live([_Quotes()], name="test")
    assert told(log_entries).count("order_placed") == 2
    assert told(log_entries).count("position_closed") == 1
    assert not desktop.portfolio.position("BTCUSDT").is_open


class _Quotes:
    """Two quotes, the second once the first has been traded on; then the end, with orders still on their way."""

    async def events(self) -> AsyncGenerator[MarketEvent]:
        yield quote(1, "100", "101")
        for _ in range(500):
            await asyncio.sleep(0)
        yield quote(2, "100", "101")


@pytest.mark.parametrize(("policy", "open_orders", "held"), [("cancel", 0, 1), ("close", 0, 0), ("keep", 1, 1)])
async def test_orders_end_as_the_policy_says(policy: StopPolicy, open_orders: int, held: int):
    desktop = Desktop(stop_policy=policy)

    def trade_once(_: object) -> None:
        if not desktop.portfolio.position("BTCUSDT").is_open:
            desktop.desk.place(order())
            desktop.desk.place(order(price=Decimal(50), type="limit"))

    desktop.handlers.add("tick", trade_once)
    await desktop.backtest(quote(1, "100", "101"))
    assert len(desktop.portfolio.open_orders) == open_orders
    assert desktop.portfolio.position("BTCUSDT").quantity == held


async def test_a_handler_that_raises_is_told_to_on_error_and_the_session_lives(log_entries: RecordedEntries):
    desktop = Desktop()
    errors: list[Exception] = []
    desktop.handlers.add("error", errors.append)

    def fail(_: object) -> None:
        raise ValueError("no such level")

    desktop.handlers.add("tick", fail)
    await desktop.backtest(quote(1, "100", "101"), quote(2, "100", "101"))
    assert [str(error) for error in errors] == ["no such level"] * 2
    assert desktop.handlers.errors == 2
    assert len(log_entries.where(message="handler failed")) == 2


async def test_timers_follow_the_markets_time_in_a_backtest():
    desktop = Desktop()
    called: list[int] = []
    desktop.timers.append(Timer(10.0, lambda: called.append(desktop.market.now_ns // 10**9)))
    await desktop.backtest(*(quote(second, "100", "101") for second in (0, 5, 12, 19, 21, 60)))
    assert called == [12, 21, 60]
