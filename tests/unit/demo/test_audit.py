"""The audit passes what agrees and names what does not; each check can fail."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from metaexpert.demo.audit import Finding, SinkEvidence, audit, audit_intake
from metaexpert.demo.holdings import Holding, Kind
from metaexpert.logger import IngressStats, LedgerSnapshot

DEBUG, INFO, ERROR, TRADE = ("DEBUG", "general"), ("INFO", "general"), ("ERROR", "general"), ("INFO", "trade")
GAP = ("WARNING", "gap")
LOGGED: dict[str, Kind] = {"b-1": DEBUG, "b-2": DEBUG, "b-3": INFO, "b-4": ERROR, "b-5": TRADE, "b-6": DEBUG}
REFERENCE = Holding(LOGGED, by_logger={"demo": 4, "burst": 2})


def gap(by_level: Mapping[str, int], sink: str = "loki") -> dict[str, Any]:
    return {"id": "b-7", "extra": {"sink": sink, "dropped": sum(by_level.values()), "by_level": dict(by_level)}}


def ledger(
    delivered: int,
    *,
    duplicate: int = 0,
    rejected: int = 0,
    dropped: Mapping[tuple[str, str], int] = MappingProxyType({}),
    in_flight: int = 0,
    gaps: int = 0,
) -> LedgerSnapshot:
    """Accounts that balance."""
    return LedgerSnapshot(
        routed=delivered + duplicate + rejected + sum(dropped.values()) + in_flight,
        delivered=delivered,
        duplicate=duplicate,
        rejected=rejected,
        dropped=dropped,
        in_flight=in_flight,
        filtered=0,
        gaps=gaps,
    )


def everything(_level: str, _log_type: str) -> bool:
    return True


FILE = SinkEvidence(
    name="file", ledger=ledger(6), holding=REFERENCE, takes=everything, may_drop=False, may_repeat=False
)
LOKI = SinkEvidence(
    name="loki",
    ledger=ledger(5, dropped={("DEBUG", "queue full"): 2}, gaps=1),
    holding=Holding({"b-3": INFO, "b-4": ERROR, "b-5": TRADE, "b-6": DEBUG, "b-7": GAP}, gaps=(gap({"DEBUG": 2}),)),
    takes=everything,
    may_drop=True,
    may_repeat=True,
)


def failures(*evidence: SinkEvidence) -> list[str]:
    return [finding.check for finding in audit(REFERENCE, evidence) if not finding.passed]


def holding(kinds: dict[str, Kind] | None = None, **changes: Any) -> SinkEvidence:
    """Loki's evidence with something else in its holding."""
    held = LOKI.holding
    assert held is not None
    return replace(LOKI, holding=replace(held, kinds=held.kinds if kinds is None else kinds, **changes))


def without(kinds: Mapping[str, Kind], *entry_ids: str) -> dict[str, Kind]:
    return {entry_id: kind for entry_id, kind in kinds.items() if entry_id not in entry_ids}


HELD = LOKI.holding.kinds if LOKI.holding is not None else {}


def test_what_agrees_passes():
    assert failures(FILE, LOKI) == []


def test_a_sink_is_held_to_what_it_takes():
    errors = SinkEvidence(
        name="error",
        ledger=ledger(1),
        holding=Holding({"b-4": ERROR}),
        takes=lambda level, _: level == "ERROR",
        may_drop=False,
        may_repeat=False,
    )
    assert failures(errors) == []
    assert failures(replace(errors, takes=everything)) == [
        "every protected entry there",
        "what is missing is what was dropped",
    ]


def test_duplicates_are_stored_entries():
    twice = replace(LOKI, ledger=ledger(3, duplicate=2, dropped={("DEBUG", "queue full"): 2}, gaps=1))
    assert failures(twice) == []


def test_a_sink_that_cannot_be_read_back_is_held_to_its_ledger_alone():
    terminal = SinkEvidence(
        name="console", ledger=ledger(3), holding=None, takes=everything, may_drop=True, may_repeat=False
    )
    assert failures(terminal) == []
    assert failures(replace(terminal, ledger=ledger(3, in_flight=1))) == ["ledger balanced, nothing in flight"]


@pytest.mark.parametrize(
    ("evidence", "checks"),
    [
        (
            replace(LOKI, ledger=replace(LOKI.ledger, routed=9)),
            ["ledger balanced, nothing in flight"],
        ),
        (replace(LOKI, ledger=ledger(5, dropped={("DEBUG", "x"): 2}, gaps=1, rejected=1)), ["nothing rejected"]),
        (replace(LOKI, may_drop=False), ["nothing dropped"]),
        (replace(LOKI, ledger=replace(LOKI.ledger, routed=8, spooled=1)), ["nothing left on disk"]),
        (holding(copies=1), []),
        (replace(holding(copies=1), may_repeat=False), ["each entry once"]),
        (
            replace(LOKI, ledger=ledger(6, dropped={("DEBUG", "x"): 2}, gaps=1)),
            ["ledger's count is the destination's"],
        ),
        (holding(unreadable=1), ["each line an entry"]),
        (holding(conflicting=1), ["retries identical"]),
        (replace(FILE, holding=replace(REFERENCE, copies=1)), ["each entry once"]),
        (
            holding({**without(HELD, "b-6"), "x-1": DEBUG}),
            ["no entry that was not logged", "what is missing is what was dropped"],
        ),
        (holding({**HELD, "b-3": ("WARNING", "general")}), ["levels and log types as logged"]),
        (
            replace(holding(without(HELD, "b-5")), ledger=replace(LOKI.ledger, routed=6, delivered=4)),
            ["every protected entry there", "what is missing is what was dropped"],
        ),
        (
            replace(LOKI, ledger=ledger(5, dropped={("DEBUG", "x"): 1, ("ERROR", "x"): 1}, gaps=1)),
            ["no ERROR or CRITICAL dropped", "what is missing is what was dropped", "gap entries explain every drop"],
        ),
        (holding(gaps=(gap({"DEBUG": 1}),)), ["gap entries explain every drop"]),
        (holding(gaps=(gap({"INFO": 2}),)), ["gap entries explain every drop"]),
        (holding(gaps=()), ["gap entries explain every drop", "every gap entry there"]),
        (holding(gaps=(gap({"DEBUG": 2}, sink="other"),)), ["gap entries explain every drop", "every gap entry there"]),
    ],
)
def test_each_check_can_fail(evidence: SinkEvidence, checks: list[str]):
    assert failures(evidence) == checks


def ingress(accepted: int, **dropped: int) -> IngressStats:
    counted = {(level, "queue full"): count for level, count in dropped.items()}
    return IngressStats(0, 0, accepted, MappingProxyType(counted), 0)


def test_what_came_in_must_be_in_the_main_file():
    def failed(findings: list[Finding]) -> list[str]:
        return [finding.check for finding in findings if not finding.passed]

    assert failed(audit_intake(REFERENCE, ingress(6), {"burst": 2})) == []
    assert failed(audit_intake(REFERENCE, ingress(7), {"burst": 2})) == ["the main file holds what came in"]
    assert failed(audit_intake(REFERENCE, ingress(6, DEBUG=1), {})) == ["nothing dropped before routing"]
    assert failed(audit_intake(REFERENCE, ingress(6), {"burst": 3})) == ["every entry of burst"]
