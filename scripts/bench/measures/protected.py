"""What a call costs whose entry is journalled before it returns, beside the ordinary call, in nanoseconds.

Ours alone, in the default configuration, without the journal, and without the flight recorder. Differences are of
medians.
"""

from collections.abc import Mapping
from typing import Any, Final

from bench.alternating import alternating
from bench.measures.base import Case
from bench.protected_calls import calls
from bench.reading import Reading

KINDS: Final = ("info", "error", "critical", "audit", "trade")
CONFIGURATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    "unjournalled": {"journal": {"enabled": False}},
    "unrecorded": {"journal": {"recorder_bytes": 0}},
}


async def protected(case: Case) -> Reading:
    """Time all kinds in all configurations."""
    return await alternating(case, CONFIGURATIONS, calls, _differences)


def _differences(figures: Mapping[str, float]) -> Mapping[str, float]:
    asked: dict[str, float] = {}
    for kind in KINDS:
        usual_ns = figures[f"default_{kind}_p50_ns"]
        asked[f"{kind}_over_info_ns"] = usual_ns - figures["default_info_p50_ns"]
        asked[f"{kind}_journal_ns"] = usual_ns - figures[f"unjournalled_{kind}_p50_ns"]
        asked[f"{kind}_recorder_ns"] = usual_ns - figures[f"unrecorded_{kind}_p50_ns"]
    return asked
