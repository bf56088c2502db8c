"""Looks at trade entries on their way to the sinks and makes the warnings they deserve; it holds none of them up."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.entry import (
    CONTEXT,
    DETAILS,
    LASTI,
    OF_ANOTHER_RUN,
    RECOVERED_FROM,
    SEQ,
    TRADE,
    TRADE_DATA,
    Capture,
)
from metaexpert.logger.notices import Notices
from metaexpert.logger.own_entries import own_entry
from metaexpert.logger.trade.lifecycle import CORRECTION, Lifecycles

WATCH_LOGGER: Final = "metaexpert.trade"
_PROBLEMS: Final = "problems"
_SHOWN_PROBLEMS: Final = 5
_SHOWN_CHARACTERS: Final = 256
_MOST_DIGITS: Final = 20
_NAMING: Final = ("event", "order_id", "client_order_id", "exchange", "symbol", "original")


@final
class TradeWatch:
    """Warns of trade entries that are wrong in themselves, or after those before them.

    Args:
        notices: told of a fault of its own, which costs a warning and no entry.
        boot_id: this run's, which begins the ids of its entries.
    """

    def __init__(self, notices: Notices, boot_id: str = "") -> None:
        self._notices = notices
        self._boot_id = boot_id
        self._lifecycles = Lifecycles()
        self._found: list[Capture] = []

    def wants(self, level: int, log_type: str) -> bool:  # noqa: ARG002 - as every observer is asked
        """Trade entries."""
        return log_type == TRADE

    def look(self, entries: Iterable[Capture]) -> None:
        """Look at trade entries, in the order of their calls."""
        for entry in entries:
            details = entry[DETAILS]
            own = entry[SEQ] < RECOVERED_FROM and entry[LASTI] != OF_ANOTHER_RUN
            if own and details is not None and details[TRADE_DATA]:
                around = b"{%b}" % entry[CONTEXT] if entry[CONTEXT] else b""
                self._look_at(entry, details[TRADE_DATA], around)

    def _look_at(self, entry: Capture, data: bytes, around: bytes) -> None:
        try:
            said = orjson.loads(data)
            bound: dict[str, Any] = orjson.loads(around) if around else {}
            around_it = {name: value for name, value in bound.items() if value is not None}
            self._found += self._warnings(entry, around_it | {_PROBLEMS: None} | said)
        except Exception as error:  # noqa: BLE001 - it must not hold up the entries behind this one
            self._notices.say("the check of trade entries", f"{type(error).__name__}: {error}; please report this")

    def take(self) -> list[Capture]:
        """The warnings since the last time."""
        if not self._found:
            return []
        found, self._found = self._found, []
        return found

    def _warnings(self, entry: Capture, data: Mapping[str, Any]) -> Iterator[Capture]:
        problems = data.get(_PROBLEMS)
        if isinstance(problems, list) and problems:
            shown = "; ".join(map(str, cast("list[object]", problems)[:_SHOWN_PROBLEMS]))
            yield _warning(entry, data, "invalid_field", f"{data.get('event')} has invalid fields: {shown}")
        if self._is_of_nothing(entry, data):
            yield _warning(
                entry, data, "unknown_entry", f"{data['original']} is corrected, which was not logged before"
            )
        for finding in self._lifecycles.take(data, f"{self._boot_id}-{entry[SEQ]}"):
            order = data.get("order_id", data.get("client_order_id", data.get("original")))
            yield _warning(entry, data, finding.rule, f"order {_shown(order)}: {finding.text}")

    def _is_of_nothing(self, entry: Capture, data: Mapping[str, Any]) -> bool:
        """Whether a correction names an entry of this run that is not older than itself."""
        run, _, number = str(data.get("original", "")).rpartition("-")
        if data.get("event") != CORRECTION or not self._boot_id or run != self._boot_id:
            return False
        return not (
            number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS and 0 < int(number) < entry[SEQ]
        )


def _warning(entry: Capture, data: Mapping[str, Any], rule: str, message: str) -> Capture:
    about = {name: _shown(data[name]) for name in _NAMING if name in data}
    return own_entry(logging.WARNING, message, {"rule": rule, "trade_seq": entry[SEQ], **about}, logger=WATCH_LOGGER)


def _shown(value: object) -> object:
    """What a warning repeats of an entry's value, bounded: the entry itself has all of it."""
    if type(value) is int or value is None:
        return value
    text = value if type(value) is str else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
