"""Each check of the desk's passes on what a run should leave behind, and fails where that is otherwise."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from metaexpert.demo.desk import exchange, gateway, reconcile
from metaexpert.demo.desk.figures import figures
from metaexpert.demo.desk.leaks import leaks
from metaexpert.demo.desk.orders import orders
from metaexpert.demo.desk.outage import outage
from metaexpert.demo.desk.planted import LOGGER as CARELESS
from metaexpert.demo.desk.planted import MARK
from metaexpert.demo.desk.refusal import refusal
from metaexpert.demo.desk.repeated import repeated
from metaexpert.demo.desk.search import Search
from metaexpert.demo.desk.told import Output
from metaexpert.demo.desk.topic import Facts, Topic
from metaexpert.demo.destinations import ALERT_TARGET, DOWN_RULE
from metaexpert.logger.alerts.figures import AlertStats, RuleStats, TargetStats
from metaexpert.logger.breaker import BreakerState
from metaexpert.logger.held_back.held_back import HeldBackStats
from metaexpert.logger.runtime import NO_STATS
from metaexpert.logger.stats import SinkState

type Entry = dict[str, Any]
type Change = Callable[[list[Entry]], object]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def entry(seq: int, logger: str, message: str, level: str = "INFO", log_type: str = "general", **more: Any) -> Entry:
    stamp = f"2026-11-23T09:00:00.{seq:03d}000Z"
    named = {"id": f"run-{seq}", "seq": seq, "timestamp": stamp, "level": level, "logger": logger, "message": message}
    return {**named, "log_type": log_type, "extra": {}, **more}


def in_trace(**fields: Any) -> Entry:
    return {"trace_id": TRACE, **fields}


def refused_order() -> list[Entry]:
    placed = {"event": "order_placed", "order_id": "paper-2"}
    rejected = {"event": "order_rejected", "order_id": "paper-2"}
    signed, sent, answered = (
        entry(seq, gateway.LOGGER, message, "DEBUG", extra=in_trace(order_id="paper-2", held_back=True))
        for seq, message in zip((2, 3, 6), gateway.HELD_MESSAGES, strict=True)
    )
    failed = {
        "status": 400,
        "exchange_code": "-1013",
        "request_id": "paper-2",
        "latency_ms": 2.5,
        "path": exchange.PATH,
    }
    return [
        entry(1, "demo.strategy", "order_placed", log_type="trade", extra=in_trace(), trade_data=placed),
        signed,
        sent,
        entry(4, exchange.LOGGER, "order refused", extra=in_trace(order_id="paper-2")),
        entry(5, gateway.LOGGER, "request failed", "WARNING", extra=in_trace(**failed)),
        answered,
        entry(7, "demo.strategy", "order_rejected", log_type="trade", extra=in_trace(), trade_data=rejected),
    ]


def errors() -> list[Entry]:
    values = {"api_secret": "[REDACTED]", "asked": "'/sapi?signature=[REDACTED]'", "booked": "Decimal('1')"}
    first = {"traceback": "Traceback …\n  in reconcile\nBalanceMismatchError: x", "locals": [{"values": values}]}
    again = ({"traceback": "that of run-10", "same_as": "run-10", "seen": seen} for seen in range(2, 11))
    return [
        entry(10 + number, reconcile.LOGGER, reconcile.MESSAGE, "ERROR", exception=exception)
        for number, exception in enumerate((first, *again))
    ]


def alerts() -> list[Entry]:
    return [
        entry(30 + number, "metaexpert.alerts", state, log_type="alert", extra=told)
        for number, (sink, state) in enumerate(
            (sink, state) for sink in ("loki", "elasticsearch") for state in ("firing", "resolved")
        )
        for told in ({"rule": DOWN_RULE, "state": state, "group": {"sink": sink}},)
    ]


def measured() -> list[Entry]:
    told = {"loop_lag": {}, "memory_rss_bytes": 1, "queues": {}, "timers": {"api.127.0.0.1:1": {}}}
    return [
        entry(40, "metaexpert.performance", "performance", log_type="performance", extra=told),
        entry(41, "metaexpert.clock", "clock", log_type="clock", extra={"source": "unknown"}),
    ]


def row(order_id: str, state: str, **more: Any) -> Entry:
    told = {"order_id": order_id, "state": state, "quantity": "0.1", "filled_quantity": "0.10", "remarks": []}
    return {**told, **more}


def stats(held: HeldBackStats, alert_stats: AlertStats) -> Any:
    return replace(NO_STATS, held_back=held, companions={"alerts": alert_stats})


@pytest.fixture
def facts() -> Facts:
    rule = RuleStats(state="quiet", firing=(), pending=0, fired=2, repeated=0, resolved=2, suppressed=0)
    target = TargetStats(
        state=SinkState.ACTIVE,
        breaker=BreakerState.CLOSED,
        pending=0,
        delivered=4,
        failed=0,
        shed=0,
        merged=0,
        messages=2,
        attempts=2,
        last_error=None,
    )
    told = AlertStats(rules={DOWN_RULE: rule}, targets={ALERT_TARGET: target}, faults=0)
    files = {"expert.1.log", "trades.1.log", "errors.1.log", "journal/1", "spool/loki/1"}
    found = {MARK: files}
    return Facts(
        entries=[*refused_order(), *errors(), *alerts(), *measured(), entry(50, CARELESS, "credentials loaded")],
        counts={"filled": 1, "rejected": 1},
        taken="paper-1",
        refused="paper-2",
        table=Output(0, "paper-1 filled\npaper-2 rejected\n", ""),
        rows=[row("paper-1", "filled"), row("paper-2", "rejected"), row("burst-1", "placed")],
        shown_json='{"order_id":"paper-1"}',
        search=Search(files, 1 << 20, found),
        received={"loki": {MARK: 2, "key": 0}, "elasticsearch": {MARK: 2, "key": 0}},
        stats=stats(HeldBackStats(keys=1, entries=1, bytes=100, held=9, released=3, dropped=0), told),
    )


def failed(topic: Topic) -> list[str]:
    return [finding.check for finding in topic.findings if not finding.passed]


def test_a_good_run_passes_every_check_and_shows_something_of_each(facts: Facts):
    for topic in (orders, refusal, repeated, outage, figures, leaks):
        shown = topic(facts)
        assert failed(shown) == []
        assert shown.lines
        assert shown.findings


def test_nothing_logged_at_all_fails_every_topic(facts: Facts):
    nothing = replace(facts, entries=[], rows=[], counts={"filled": 1}, search=Search(), received={"loki": {}})
    for topic in (orders, refusal, repeated, outage, figures, leaks):
        assert failed(topic(nothing))


def changed(facts: Facts, change: Change) -> Facts:
    entries: list[Any] = copy.deepcopy(list(facts.entries))
    change(entries)
    return replace(facts, entries=entries)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda them: them.pop(1), "its DEBUG was written when it failed"),
        (lambda them: them[1]["extra"].update(order_id="paper-1"), "no other order's DEBUG was"),
        (lambda them: them.insert(1, them.pop(6)), "it keeps its place in time"),
        (lambda them: them[4]["extra"].pop("exchange_code"), "with status, the exchange's code and the order's id"),
        (lambda them: them[4]["extra"].update(latency_ms=0), "with its latency"),
        (lambda them: them[4]["extra"].update(path="/api/v3/order?signature=1"), "its path without a query"),
        (lambda them: them[3]["extra"].update(trace_id="another"), "one trace joins strategy, gateway and exchange"),
        (lambda them: them[3]["extra"].update(order_id="paper-1"), "and no other order"),
    ],
)
def test_the_refusal(facts: Facts, change: Change, check: str):
    assert check in failed(refusal(changed(facts, change)))


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda them: them.pop(16), "every error is an entry"),
        (lambda them: them[7]["exception"].pop("traceback"), "the first with its traceback"),
        (
            lambda them: them[7]["exception"]["locals"][0]["values"].update(api_secret="x"),
            "its local variables redacted",
        ),
        (lambda them: them[9]["exception"].update(seen=9), "the others refer to it and count"),
        (lambda them: them[9]["exception"].update(same_as="run-1"), "the others refer to it and count"),
    ],
)
def test_the_error_that_repeats(facts: Facts, change: Change, check: str):
    assert check in failed(repeated(changed(facts, change)))


def drop_resolved(them: list[Entry]) -> None:
    them[:] = [each for each in them if each["message"] != "resolved"]


def test_an_alert_that_is_not_over(facts: Facts):
    never = changed(facts, drop_resolved)
    assert set(failed(outage(never))) >= {
        "an alert, and its resolution, for loki",
        "an alert, and its resolution, for elasticsearch",
        "the target was told of each",
    }


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda them: them[-3]["extra"].pop("loop_lag"), "with event loop, memory and queues"),
        (lambda them: them[-3]["extra"].update(timers={}), "with the exchange's response times"),
        (lambda them: them.pop(-2), "the clock's quality was told"),
    ],
)
def test_the_figures(facts: Facts, change: Change, check: str):
    assert failed(figures(changed(facts, change))) == [check]


def test_orders_that_ended_otherwise_than_the_broker_counted(facts: Facts):
    assert failed(orders(replace(facts, counts={"filled": 2, "rejected": 1}))) == ["orders ended as the broker counted"]
    remarked = [*facts.rows[:1], row("paper-2", "rejected", remarks=["filled after it was rejected"])]
    assert failed(orders(replace(facts, rows=remarked))) == ["no order that cannot have been"]
    partly = [row("paper-1", "filled", filled_quantity="0.04"), *facts.rows[1:]]
    assert failed(orders(replace(facts, rows=partly))) == ["what is filled is filled in whole"]
    assert failed(orders(replace(facts, table=Output(1, facts.table.text, "broken")))) == ["the order report ends well"]


def test_a_secret_in_a_file_and_one_on_the_wire(facts: Facts):
    in_file = Search(facts.search.files, 1, {**facts.search.found, "key": {"journal/1"}})
    shown = leaks(replace(facts, search=in_file))
    assert failed(shown) == ["no secret in any byte of any file"]
    assert shown.lines[-1] == "SECRETS WERE FOUND"
    sent = {**facts.received, "loki": {MARK: 2, "key": 1}}
    assert failed(leaks(replace(facts, received=sent))) == ["no secret in anything loki received"]


def test_that_nothing_was_found_proves_nothing_where_the_word_beside_was_not_either(facts: Facts):
    blind = replace(facts, search=Search(facts.search.files, 1, {}), received={"loki": {MARK: 0, "key": 0}})
    assert set(failed(leaks(blind))) == {
        f"{MARK} is in expert.log",
        f"{MARK} is in trades.log",
        f"{MARK} is in errors.log",
        f"{MARK} arrived at loki",
    }
