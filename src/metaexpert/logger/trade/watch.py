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
from metaexpert.logger.trade.lifecycle import Lifecycles

WATCH_LOGGER: Final = "metaexpert.trade"
_PROBLEMS: Final = "problems"
_SHOWN_PROBLEMS: Final = 5
_NAMING: Final = ("event", "order_id", "client_order_id", "exchange", "symbol")


@final
class TradeWatch:
    """Warns of trade entries that are wrong in themselves, or after those before them.

    Args:
        notices: told of a fault of its own, which costs a warning and no entry.
    """

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
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
            self._found += self._warnings(entry, bound | {_PROBLEMS: None} | said)
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
        for finding in self._lifecycles.take(data):
            order = data.get("order_id", data.get("client_order_id"))
            yield _warning(entry, data, finding.rule, f"order {order}: {finding.text}")


def _warning(entry: Capture, data: Mapping[str, Any], rule: str, message: str) -> Capture:
    about = {name: data[name] for name in _NAMING if name in data}
    return own_entry(logging.WARNING, message, {"rule": rule, "trade_seq": entry[SEQ], **about}, logger=WATCH_LOGGER)
