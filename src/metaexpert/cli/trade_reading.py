"""The trade entries that the options of `logs trades` mean, each with the corrections that name it.

Logs are read twice: corrections come after what they correct, and are few; all that were logged since the first time
asked for count, also those behind the last.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, final

from metaexpert.cli.logs_progress import Progress
from metaexpert.cli.logs_reading import Choice, tell_damaged, total_bytes
from metaexpert.cli.trade_entry_rows import entry_row, event_of
from metaexpert.logger.files.reader import Query, Reader
from metaexpert.logger.files.reading.corrections import Corrections
from metaexpert.logger.files.reading.trade_events import CORRECTION, TradeEvent

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.entries import LogEntry
    from metaexpert.logger.files.reading.sources import Source

_TRADE: Final = re.compile(rb'"log_type": ?"trade"|\bevent=')
"""What every trade entry has in its line, as JSON or as text; a line without it is not decoded."""

_TRADE_OR_AUDIT: Final = re.compile(rb'"log_type": ?"(?:trade|audit)"|\bevent=')
_REFERENCES: Final = frozenset({"order_id", "client_order_id", "original"})


@final
@dataclass(slots=True)
class Wanted:
    """Which trades are meant, as the command's options say.

    Attributes:
        symbols: of these alone; empty for all.
        order_ids: of orders with one of these ids, their own or the client's; empty for all.
    """

    symbols: frozenset[str] = frozenset()
    order_ids: frozenset[str] = frozenset()
    _entry_ids: set[str] = field(default_factory=set[str])

    def may_be(self, event: TradeEvent) -> bool:
        """Whether an event may be of one of the symbols: what refers to an order or an entry need not name it."""
        symbol = event.text("symbol")
        return (
            not self.symbols or symbol in self.symbols or (symbol is None and not _REFERENCES.isdisjoint(event.fields))
        )

    def has(self, event: TradeEvent) -> bool:
        """Whether an event itself is of one of the symbols and orders, or corrects an entry that is."""
        if not self.symbols and not self.order_ids:
            return True
        ids = {event.text("order_id"), event.text("client_order_id")}
        is_meant = (not self.symbols or event.text("symbol") in self.symbols) and (
            not self.order_ids or not self.order_ids.isdisjoint(ids)
        )
        is_meant = is_meant or (event.name == CORRECTION and event.text("original") in self._entry_ids)
        if is_meant and event.entry_id is not None:
            self._entry_ids.add(event.entry_id)
        return is_meant


def trade_events(choice: Choice) -> Iterator[TradeEvent]:
    """The trade events, corrected, by time."""
    sources = choice.sources()
    corrections = _corrections_in(sources, choice)
    for entry in _entries_of(sources, choice, _TRADE):
        event = TradeEvent.of(entry)
        if event is not None:
            yield corrections.applied(event)


def entry_rows(choice: Choice, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Trade and audit entries as they were logged, by time."""
    sources = choice.sources()
    corrections = _corrections_in(sources, choice)
    for entry in _entries_of(sources, choice, _TRADE_OR_AUDIT):
        event = event_of(entry)
        if event is not None and wanted.has(event):
            yield entry_row(entry, event, corrections)


def _corrections_in(sources: "tuple[Source, ...]", choice: Choice) -> Corrections:
    found = Corrections()
    query = Query(since_ns=choice.query().since_ns, text=re.compile(CORRECTION.encode()))
    reader = Reader(sources, query)
    with Progress("corrections", total_bytes(sources), lambda: reader.report.bytes):
        for event in filter(None, map(TradeEvent.of, reader)):
            found.add(event)
    return found


def _entries_of(sources: "tuple[Source, ...]", choice: Choice, text: re.Pattern[bytes]) -> "Iterable[LogEntry]":
    reader = Reader(sources, replace(choice.query(), text=text))
    with Progress("reading", total_bytes(sources), lambda: reader.report.bytes):
        yield from reader
    tell_damaged(reader.report)
