"""What trade events, the search for secrets, exceptions with local variables and timers cost a call, in nanoseconds.

Ours alone, by default (but each error is shown in full), without the search for secrets, and with locals. Differences
are of medians.
"""

from collections.abc import Mapping
from typing import Any, Final

from bench.alternating import alternating
from bench.desk_calls import calls
from bench.measures.base import Case
from bench.reading import Reading

CONFIGURATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": {"errors": {"group": 0}},
    "unsearched": {"errors": {"group": 0}, "redaction": {"values": False}},
    "locals": {"errors": {"group": 0, "locals": True}},
}
"""Every error is shown in full, for those that follow one another are otherwise told of in short."""


async def desk(case: Case) -> Reading:
    """Time all kinds in all configurations."""
    return await alternating(case, CONFIGURATIONS, calls, _differences)


def _differences(figures: Mapping[str, float]) -> Mapping[str, float]:
    def p50(name: str, kind: str) -> float:
        return figures[f"{name}_{kind}_p50_ns"]

    return {
        "trade_checks_ns": p50("default", "trade") - p50("default", "audit"),
        "plain_search_ns": p50("default", "plain") - p50("unsearched", "plain"),
        "text_search_ns": p50("default", "text") - p50("unsearched", "text"),
        "address_search_ns": p50("default", "address") - p50("unsearched", "address"),
        "locals_ns": p50("locals", "exception") - p50("default", "exception"),
        "timer_block_ns": p50("unsearched", "timed") - p50("unsearched", "plain"),
        "timer_function_ns": p50("unsearched", "decorated") - p50("unsearched", "plain"),
        "timer_record_ns": p50("unsearched", "recorded") - p50("unsearched", "plain"),
    }
