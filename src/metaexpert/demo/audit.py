"""Holds each sink's ledger against what its destination really holds, entry by entry. Pure.

The main file is the reference: nothing may be dropped from it, so the ids it holds are the ids that were logged. Every
other sink must hold those of them that it takes, but for the ones its own gap entries account for, level by level.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from metaexpert.demo.holdings import Holding, Kind
from metaexpert.logger import IngressStats, LedgerSnapshot

PROTECTED_LEVELS = frozenset({"ERROR", "CRITICAL"})
PROTECTED_LOG_TYPES = frozenset({"trade", "audit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkEvidence:
    """One sink: its accounts, and what its destination holds.

    Attributes:
        name: The sink's name, as in its gap entries.
        ledger: Its final accounts.
        holding: What was read back; None where nothing can be (a terminal).
        takes: Whether the sink takes entries of this level and log type.
        may_drop: Whether it may drop unprotected entries at all.
        may_repeat: Whether its destination may be sent an entry again, as after an answer that was lost.
    """

    name: str
    ledger: LedgerSnapshot
    holding: Holding | None
    takes: Callable[[str, str], bool]
    may_drop: bool
    may_repeat: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one sink, and what was found."""

    sink: str
    check: str
    passed: bool
    detail: str


def is_protected(kind: Kind) -> bool:
    """Whether an entry of this level and log type may never be dropped."""
    return kind[0] in PROTECTED_LEVELS or kind[1] in PROTECTED_LOG_TYPES


def audit(reference: Holding, sinks: Iterable[SinkEvidence]) -> list[Finding]:
    """Check every sink against the main file's entries."""
    return [finding for sink in sinks for finding in _audit_sink(reference.kinds, sink)]


def audit_intake(reference: Holding, ingress: IngressStats, promised: Mapping[str, int]) -> list[Finding]:
    """Check that what was logged came in, and that the main file holds it.

    Args:
        reference: What the main file holds.
        ingress: The runtime's own count.
        promised: How many entries the program logged under a logger's name.
    """
    lost = sum(ingress.dropped.values())
    held = len(reference.kinds) - len(reference.gaps)
    findings = [
        Finding("ingress", "nothing dropped before routing", lost == 0, f"{lost} dropped"),
        Finding(
            "ingress", "the main file holds what came in", held == ingress.accepted, f"{held} of {ingress.accepted}"
        ),
    ]
    for logger, count in promised.items():
        found = reference.by_logger.get(logger, 0)
        findings.append(Finding("ingress", f"every entry of {logger}", found == count, f"{found} of {count}"))
    return findings


def _audit_sink(reference: Mapping[str, Kind], sink: SinkEvidence) -> Iterator[Finding]:
    ledger = sink.ledger
    dropped = _by_level(ledger)
    yield _finding(sink, "ledger balanced, nothing in flight", ledger.balanced and ledger.in_flight == 0, f"{ledger}")
    yield _finding(sink, "nothing left on disk", ledger.spooled == 0, f"{ledger.spooled} left")
    yield _finding(sink, "nothing rejected", ledger.rejected == 0, f"{ledger.rejected} rejected")
    if not sink.may_drop:
        yield _finding(sink, "nothing dropped", ledger.dropped_total == 0, f"dropped {dict(dropped)}")
    protected = {level: count for level, count in dropped.items() if level in PROTECTED_LEVELS}
    yield _finding(sink, "no ERROR or CRITICAL dropped", not protected, f"dropped {protected}")
    if sink.holding is not None:
        yield from _audit_holding(reference, sink, sink.holding, dropped)


def _audit_holding(
    reference: Mapping[str, Kind], sink: SinkEvidence, holding: Holding, dropped: Counter[str]
) -> Iterator[Finding]:
    ledger, held = sink.ledger, holding.kinds
    stored = ledger.delivered + ledger.duplicate
    yield _finding(sink, "ledger's count is the destination's", stored == len(held), f"{stored} against {len(held)}")
    yield _finding(sink, "each line an entry", holding.unreadable == 0, f"{holding.unreadable} are not")
    yield _finding(sink, "retries identical", holding.conflicting == 0, f"{holding.conflicting} ids with other content")
    if not sink.may_repeat:
        yield _finding(sink, "each entry once", holding.copies == 0, f"{holding.copies} copies")

    expected = {entry_id: kind for entry_id, kind in reference.items() if sink.takes(*kind)}
    foreign = [entry_id for entry_id in held.keys() - expected.keys() if held[entry_id][1] != "gap"]
    yield _finding(sink, "no entry that was not logged", not foreign, f"{_sample(foreign)}")
    altered = [entry_id for entry_id in held.keys() & expected.keys() if held[entry_id] != expected[entry_id]]
    yield _finding(sink, "levels and log types as logged", not altered, f"{_sample(altered)}")

    missing = expected.keys() - held.keys()
    lost = [entry_id for entry_id in missing if is_protected(expected[entry_id])]
    yield _finding(sink, "every protected entry there", not lost, f"missing {_sample(lost)}")
    absent = Counter(expected[entry_id][0] for entry_id in missing)
    yield _finding(sink, "what is missing is what was dropped", absent == dropped, _against(absent, dropped))
    yield from _audit_gaps(sink, holding, dropped)


def _audit_gaps(sink: SinkEvidence, holding: Holding, dropped: Counter[str]) -> Iterator[Finding]:
    gaps = [gap["extra"] for gap in holding.gaps if gap["extra"]["sink"] == sink.name]
    told: Counter[str] = Counter()
    for gap in gaps:
        told.update(gap["by_level"])
    totals = sum(gap["dropped"] for gap in gaps)
    explained = told == dropped and totals == dropped.total()
    yield _finding(sink, "gap entries explain every drop", explained, _against(told, dropped))
    yield _finding(sink, "every gap entry there", len(gaps) == sink.ledger.gaps, f"{len(gaps)} of {sink.ledger.gaps}")


def _finding(sink: SinkEvidence, check: str, passed: bool, detail: str) -> Finding:  # noqa: FBT001  reads as a sentence
    return Finding(sink.name, check, passed, detail)


def _by_level(ledger: LedgerSnapshot) -> Counter[str]:
    dropped: Counter[str] = Counter()
    for (level, _reason), count in ledger.dropped.items():
        dropped[level] += count
    return +dropped


def _against(found: Counter[str], dropped: Counter[str]) -> str:
    return f"{dict(found)} against {dict(dropped)} in the ledger"


def _sample(entry_ids: list[str]) -> str:
    return f"{len(entry_ids)}: {', '.join(sorted(entry_ids)[:3])}" if entry_ids else "none"
