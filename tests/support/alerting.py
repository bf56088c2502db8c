"""What tests of alerts need: rules from options, entries, statistics, a clock that is set."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from metaexpert.logger.alerts.assembly import rule
from metaexpert.logger.alerts.engine import Engine
from metaexpert.logger.alerts.message import Message, Word
from metaexpert.logger.breaker import BreakerState
from metaexpert.logger.entry import GENERAL, TIME_NS, Capture
from metaexpert.logger.ledger import LedgerSnapshot
from metaexpert.logger.options.alerts import AlertsOptions
from metaexpert.logger.outcome import Delivered
from metaexpert.logger.own_entries import own_entry
from metaexpert.logger.retry import SinkState
from metaexpert.logger.stats import NO_STATS, JournalStats, RuntimeStats, SinkStats

EMPTY = LedgerSnapshot(0, 0, 0, 0, MappingProxyType({}), 0, 0, 0)


class SetClock:
    """Seconds that go by when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def time_ns(self) -> int:
        """The same moment by the calendar."""
        return 1_700_000_000_000_000_000 + round(self.now * 1e9)


def engine_of(*rules: Mapping[str, Any]) -> Engine:
    """An engine with rules as a configuration has them; each called by its type where it has no name."""
    options = AlertsOptions(rules=[{"name": each["type"], **each} for each in rules])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return Engine({each.name: rule(each) for each in options.rules})


def entry(
    message: str = "boom", level: int = logging.ERROR, *, logger: str = "app", log_type: str = GENERAL, **fields: Any
) -> Capture:
    """An entry as a call makes it."""
    return own_entry(level, message, fields, logger=logger, log_type=log_type)


def entry_at(time_ns: int, *args: Any, **fields: Any) -> Capture:
    """The same, of another time."""
    made = entry(*args, **fields)
    return (*made[:TIME_NS], time_ns, *made[TIME_NS + 1 :])  # pyright: ignore[reportReturnType]


def sink_stats(name: str, state: SinkState = SinkState.ACTIVE, **figures: Any) -> SinkStats:
    """A sink's snapshot; figures of its ledger by their names there."""
    values: dict[str, Any] = {
        "name": name, "type": "memory", "state": state, "queued_entries": 0, "queued_bytes": 0, "batches": 0,
        "retries": 0, "bytes_written": 0, "last_error": None, "breaker": BreakerState.CLOSED,
    }  # fmt: skip
    of_ledger = {key: figures.pop(key) for key in ("dropped", "rejected") if key in figures}
    values |= {"ledger": replace(EMPTY, **of_ledger), **figures}
    return SinkStats(**values)


def stats_of(*sinks: SinkStats, **parts: Any) -> RuntimeStats:
    """A runtime's snapshot."""
    return replace(NO_STATS, sinks=MappingProxyType({each.name: each for each in sinks}), **parts)


def journal_stats(**figures: Any) -> JournalStats:
    """A journal's snapshot, all well where nothing else is said."""
    values: dict[str, Any] = dict.fromkeys(JournalStats.__dataclass_fields__, 0)
    values |= {"state": SinkState.ACTIVE, "last_error": None, **figures}
    return JournalStats(**values)


def message_of(*words: Word, **more: Any) -> Message:
    """A message as the courier composes it."""
    return Message(service="desk", host="here", words=words, **more)


class FakeTarget:
    """Answers what it was told to, then `Delivered`; keeps every message."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.messages: list[Message] = []
        self.closed = 0

    async def send(self, message: Message) -> Any:
        """Take it, or raise what stands among the answers."""
        self.messages.append(message)
        answer = self.answers.pop(0) if self.answers else Delivered()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """Count it."""
        self.closed += 1
