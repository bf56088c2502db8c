"""Secrets that were logged on purpose: what stands in their place, and that no byte of them is anywhere."""

from collections.abc import Iterable

from metaexpert.demo.audit import Finding
from metaexpert.demo.desk.planted import LOGGER, MARK
from metaexpert.demo.desk.topic import Facts, Topic, finding, line_of, named

_LOGS = ("expert", "trades", "errors")
_MEBIBYTE = 1 << 20


def leaks(facts: Facts) -> Topic:
    """The entries as they stand in the log, and the tally."""
    entries = named(facts.entries, LOGGER)
    search = facts.search
    names = search.found.keys() | {name for counts in facts.received.values() for name in counts}
    secrets = sorted(names - {MARK})
    marked = sorted(search.found.get(MARK, ()))
    tally = (
        f"searched {len(search.files)} files of {search.size_bytes / _MEBIBYTE:.0f} MiB, journal and disk queues among "
        f"them, and all that collectors received: no secret; {MARK} in {len(marked)} files and "
        f"{sum(counts.get(MARK, 0) for counts in facts.received.values())} requests"
    )
    shown = [line_of(entry, "api_key", "account", "note") for entry in entries[:4]]
    return Topic(
        "Secrets that were logged on purpose",
        [*shown, "SECRETS WERE FOUND" if any(_leaked(facts)) else tally],
        [*_looked(facts, marked), *_not_found(facts, secrets)],
    )


def _looked(facts: Facts, marked: list[str]) -> Iterable[Finding]:
    for log in _LOGS:
        there = any(name.startswith(f"{log}.") for name in marked)
        yield finding(f"{MARK} is in {log}.log", there, marked)
    for folder in ("journal", "spool"):
        looked = any(name.startswith(folder) for name in facts.search.files)
        yield finding(f"the {folder} was searched", looked, sorted(facts.search.files)[:20])
    for sink, counts in facts.received.items():
        yield finding(f"{MARK} arrived at {sink}", counts.get(MARK, 0) > 0, counts)


def _not_found(facts: Facts, secrets: list[str]) -> Iterable[Finding]:
    found = {name: sorted(facts.search.found.get(name, ())) for name in secrets}
    yield finding("no secret in any byte of any file", not any(found.values()), found)
    for sink, counts in facts.received.items():
        sent = {name: count for name, count in counts.items() if name != MARK and count}
        yield finding(f"no secret in anything {sink} received", not sent and len(counts) > 1, sent)


def _leaked(facts: Facts) -> Iterable[bool]:
    yield any(name != MARK for name in facts.search.found)
    for counts in facts.received.values():
        yield any(count for name, count in counts.items() if name != MARK)
