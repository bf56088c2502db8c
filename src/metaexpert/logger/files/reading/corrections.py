"""Corrections of trade entries: which entry each is about, and what that entry says with them; pure.

An entry stays as it was logged: `TradeEvent.logged` has that. What it says is its own fields with the values of all
corrections that name it, in the order of their times, the later over the earlier. A correction of a correction is one
of the entry this one is about, where it gives `values` in place of that one's.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast, final

from metaexpert.logger.files.reading.trade_events import CORRECTION, Correction, TradeEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST: Final = 100_000
"""Corrections that are kept."""

_VALUES: Final = "values"


@final
class Corrections:
    """The corrections of a stream of trade events.

    Attributes:
        others: corrections beyond as many as are kept; they correct nothing.
    """

    def __init__(self) -> None:
        self._of: dict[str, tuple[Correction, ...]] = {}
        self._count = 0
        self.others = 0

    def add(self, event: TradeEvent) -> None:
        """Take in an event; those that correct nothing are passed over."""
        if event.name != CORRECTION or event.text("original") is None:
            return
        if self._count >= _MOST:
            self.others += 1
            return
        self._count += 1
        correction = Correction.of(event)
        self._of[correction.original] = (*self._of.get(correction.original, ()), correction)

    def of(self, entry_id: str | None) -> tuple[Correction, ...]:
        """What corrects an entry, in the order of their times; corrections that were corrected say what they should."""
        return tuple(map(self._itself_corrected, self._of.get(entry_id or "", ())))

    def _itself_corrected(self, correction: Correction) -> Correction:
        values = correction.values
        for later in self._of.get(correction.entry_id or "", ()):
            replaced = later.values.get(_VALUES)
            values = cast("Mapping[str, Any]", replaced) if isinstance(replaced, dict) else values
        return replace(correction, values=values)

    def applied(self, event: TradeEvent) -> TradeEvent:
        """An event with what it should have said; itself where nothing corrects it."""
        found = () if event.name == CORRECTION else self.of(event.entry_id)
        if not found:
            return event
        fields = dict(event.fields)
        for correction in found:
            fields.update(correction.values)
        name = str(fields.get("event") or "")
        return replace(event, name=name, fields=fields, logged=event.fields, corrections=found)
