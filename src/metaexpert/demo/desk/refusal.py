"""The refused order: DEBUG that was held in memory until then, the request that failed, one trace through it all."""

from collections.abc import Iterable
from typing import Any, Final

from metaexpert.demo.audit import Finding
from metaexpert.demo.desk import exchange, gateway
from metaexpert.demo.desk.told import Entry
from metaexpert.demo.desk.topic import Facts, Topic, finding, line_of, named

REQUEST_FAILED: Final = "request failed"
_STATUS: Final = 400
_SHOWN: Final = ("order_id", "status", "exchange_code", "path", "latency_ms", "reason", "held_back")


def refusal(facts: Facts) -> Topic:
    """Everything that was logged in the trace of the refused order."""
    rejections = [entry for entry in facts.entries if _event_of(entry) == ("order_rejected", facts.refused)]
    trace_id = _trace_of(rejections[0]) if rejections else None
    chain = [entry for entry in facts.entries if trace_id is not None and _trace_of(entry) == trace_id]
    return Topic(
        f"The refused order's trace, {trace_id}: DEBUG that was held in memory, the request, the exchange's entry",
        [line_of(entry, *_SHOWN) for entry in chain],
        [*_held_back(facts, chain), *_request(facts), *_traced(facts, chain)],
    )


def _held_back(facts: Facts, chain: list[Entry]) -> Iterable[Finding]:
    held = [entry for entry in facts.entries if "held_back" in entry.get("extra", {})]
    messages = [entry["message"] for entry in held]
    yield finding("its DEBUG was written when it failed", tuple(messages) == gateway.HELD_MESSAGES, messages)
    others = {entry["extra"].get("order_id") for entry in held} - {facts.refused}
    yield finding("no other order's DEBUG was", not others, others)
    kinds = [_event_of(entry)[0] or entry["message"] for entry in chain]
    ahead = [kind for kind in kinds[: kinds.index("order_rejected")] if kind in gateway.HELD_MESSAGES] if kinds else []
    yield finding("it keeps its place in time", tuple(ahead) == gateway.HELD_MESSAGES, kinds)
    figures = facts.stats.held_back
    more = figures is not None and figures.held > figures.released == len(gateway.HELD_MESSAGES)
    yield finding("more was held than written", more, figures)


def _request(facts: Facts) -> Iterable[Finding]:
    failed = named(facts.entries, gateway.LOGGER, REQUEST_FAILED)
    told: dict[str, Any] = failed[0]["extra"] if failed else {}
    yield finding("one request failed", len(failed) == 1, len(failed))
    code = (told.get("status"), told.get("exchange_code"), told.get("request_id"))
    asked = (_STATUS, str(exchange.FILTER_CODE), facts.refused)
    yield finding("with status, the exchange's code and the order's id", code == asked, told)
    yield finding("with its latency", told.get("latency_ms", 0) > 0, told)
    yield finding("its path without a query", told.get("path") == exchange.PATH and "?" not in str(told), told)


def _traced(facts: Facts, chain: list[Entry]) -> Iterable[Finding]:
    loggers = {entry["logger"] for entry in chain}
    wanted = {gateway.LOGGER, exchange.LOGGER, "demo.strategy"}
    yield finding("one trace joins strategy, gateway and exchange", loggers == wanted, loggers)
    strange = [entry["id"] for entry in chain if _order_of(entry) not in {facts.refused, None}]
    yield finding("and no other order", not strange and bool(chain), strange)


def _event_of(entry: Entry) -> tuple[str, str]:
    data = entry.get("trade_data", {})
    return data.get("event", ""), data.get("order_id", "")


def _order_of(entry: Entry) -> str | None:
    return _event_of(entry)[1] or entry.get("extra", {}).get("order_id")


def _trace_of(entry: Entry) -> str | None:
    return entry.get("extra", {}).get("trace_id")
