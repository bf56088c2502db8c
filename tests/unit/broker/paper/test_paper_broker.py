"""The engine as a broker: events in order, and a state that survives a restart."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import pytest
from support.paper_market import EXACT, LINEAR, OTHER, D, engine_of, order, steps, trade

from metaexpert.broker.broker import Broker
from metaexpert.broker.paper import PaperBroker, PaperEngine, PaperOptions
from metaexpert.core.orders import Order, Refusal
from metaexpert.exceptions import MetaExpertError


def engine(**more: Any) -> PaperEngine:
    """A contract, 10 times leveraged."""
    return engine_of(LINEAR, leverage=10, USDT=1000, **more)


async def test_events_come_in_order_of_what_happened():
    broker = PaperBroker(engine(), lambda: 7)
    asked = _as_any_broker(broker)
    broker.market(trade(100))
    result = await asked.submit(order("buy 1 limit 99"))
    assert isinstance(result, Order)
    assert result.updated_ns == 7
    broker.market(trade(98))
    await asked.modify("a", quantity=None, price=D(97))
    assert isinstance(await asked.cancel("a"), Refusal)
    async with aclosing(asked.events()) as events:
        heard = [await asyncio.wait_for(anext(events), 30) for _ in range(4)]
    assert steps(heard) == ["accepted", "filled", "PositionChanged", "BalanceChanged"]
    assert broker.drain() == []
    assert [each.quantity for each in (await asked.standing()).account.positions] == [1]


async def test_who_drives_the_market_itself_drains_the_events():
    broker = PaperBroker(engine(), lambda: 0)
    broker.market(trade(100))
    await broker.submit(order("buy 1"))
    assert steps(broker.drain()) == ["accepted", "filled", "PositionChanged", "BalanceChanged"]


async def test_a_broker_goes_on_from_a_snapshot():
    broker = PaperBroker(engine(), lambda: 0)
    broker.market(trade(100))
    await broker.submit(order("buy 1", "b"))
    await broker.submit(order("buy 1 limit 90"))
    after = PaperBroker(engine(), lambda: 0)
    after.restore(json.loads(json.dumps(broker.snapshot())))
    assert await after.standing() == await broker.standing()


def test_a_snapshot_holds_decimals_as_text():
    made = engine()
    made.market(trade("100.1"))
    assert '"100.1"' in json.dumps(made.snapshot())


def saved() -> dict[str, Any]:
    """A snapshot with a position and an order."""
    made = engine()
    made.market(trade(100))
    made.submit(order("buy 1", "b"), 1)
    made.submit(order("buy 1 limit 90"), 1)
    return cast("dict[str, Any]", json.loads(json.dumps(made.snapshot())))


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["version"], 2, "version 2, not 1"),
        (["state"], None, "damaged at state"),
        (["state", "balances", "USDT"], "many", "damaged at balances.USDT"),
        (["state", "balances", "USDT"], "NaN", "damaged at balances.USDT"),
        (["state", "balances", "USDT"], "-1", "balance of USDT is -1"),
        (["state", "orders", "BTCUSDT", "a", "filled"], "5", "damaged at order a"),
        (["hedge"], True, "position_mode"),
    ],
)
def test_a_snapshot_that_cannot_be_gone_on_from_says_why_and_what_to_do(path: list[str], value: object, says: str):
    snapshot = saved()
    place = snapshot
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    made = engine()
    before = made.snapshot()
    with pytest.raises(MetaExpertError, match=says) as raised:
        made.restore(snapshot)
    assert "remove it to begin with fresh capital" in str(raised.value)
    assert made.snapshot() == before


def test_a_snapshot_of_symbols_that_are_not_traded_now_is_refused():
    with pytest.raises(MetaExpertError, match="BTCUSDT, which are not traded now"):
        engine_of(OTHER, USDT=1).restore(saved())


def test_the_same_seed_draws_the_same_slippage_and_another_one_another():
    def drawn(seed: int) -> list[object]:
        made = engine_of(LINEAR, options=_slipping(), seed=seed, leverage=10, USDT=100_000)
        made.market(trade(100))
        return [made.submit(replace(order("buy 1"), order_id=str(n)), 1) for n in range(9)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def _slipping() -> PaperOptions:
    """With much slippage."""
    return EXACT.model_copy(update={"slippage_pct": D(5)})


def _as_any_broker(broker: Broker) -> Broker:
    """Type checkers hold it against the protocol."""
    return broker
