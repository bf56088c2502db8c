"""One thing a desk wants to see: what is shown of it, and what was checked; and what all of them are made from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from metaexpert.demo.audit import Finding
from metaexpert.demo.desk.search import Search
from metaexpert.demo.desk.told import Entry, Output
from metaexpert.logger import RuntimeStats

_MOST_CHARACTERS: Final = 150
_TIME: Final = slice(11, 23)
"""Of a timestamp: hours to milliseconds."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One section of the report.

    Attributes:
        title: What it is about.
        lines: What is shown.
        findings: What was checked.
    """

    title: str
    lines: Sequence[str]
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a run left behind of the desk.

    Attributes:
        entries: Those of the main log, by the order of their calls, without ticks and bursts.
        counts: How the broker's orders ended, by its own count.
        taken: The id of the desk's order that was taken.
        refused: The id of its order that was refused.
        table: What `metaexpert logs trades` shows of these two.
        rows: The same of all orders, as it was read from JSON.
        shown_json: The taken order's JSON as the command printed it.
        search: What was found of the secrets in files.
        received: What collectors received of them: requests, by collector and name of the text.
        stats: The runtime's final snapshot.
    """

    entries: Sequence[Entry]
    counts: Mapping[str, int]
    taken: str
    refused: str
    table: Output
    rows: Sequence[Mapping[str, Any]]
    shown_json: str
    search: Search
    received: Mapping[str, Mapping[str, int]]
    stats: RuntimeStats


def finding(check: str, passed: bool, detail: object) -> Finding:  # noqa: FBT001 - reads as a sentence
    """One check of the desk's."""
    return Finding("desk", check, passed, str(detail))


def named(entries: Iterable[Entry], logger: str, message: str | None = None) -> list[Entry]:
    """The entries of a logger, with this message where one is given."""
    return [entry for entry in entries if entry["logger"] == logger and message in {None, entry["message"]}]


def line_of(entry: Entry, *fields: str) -> str:
    """An entry on one line, with those of its fields that are asked for."""
    extra = {**entry.get("extra", {}), **entry.get("trade_data", {})}
    told = " ".join(f"{name}={extra[name]}" for name in fields if name in extra)
    text = f"{entry['timestamp'][_TIME]} {entry['level']:<8} {entry['logger']}: {entry['message']} {told}".rstrip()
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
