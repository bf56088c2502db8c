"""Looks at trade entries on their way to the sinks and makes the warnings they deserve; it holds none of them up."""

import logging
import sys
from _thread import get_ident
from collections.abc import Iterable, Iterator, Mapping
from time import time_ns
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.entry import (
    CAPTURE_OVERHEAD_BYTES,
    DETAILS,
    GENERAL,
    LASTI,
    OF_ANOTHER_RUN,
    RECOVERED_FROM,
    SEQ,
    TRADE_DATA,
    Capture,
)
from metaexpert.logger.ingress import next_seq
from metaexpert.logger.notices import Notices
from metaexpert.logger.trade.lifecycle import Lifecycles

WATCH_LOGGER: Final = "metaexpert.trade"
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

    def look(self, entries: Iterable[Capture]) -> None:
        """Look at trade entries, in the order of their calls."""
        for entry in entries:
            details = entry[DETAILS]
            own = entry[SEQ] < RECOVERED_FROM and entry[LASTI] != OF_ANOTHER_RUN
            if own and details is not None and details[TRADE_DATA]:
                self._look_at(entry, details[TRADE_DATA])

    def _look_at(self, entry: Capture, data: bytes) -> None:
        try:
            self._found += self._warnings(entry, orjson.loads(data))
        except Exception as error:  # noqa: BLE001 - it must not hold up the entries behind this one
            self._notices.say("the check of trade entries", f"{type(error).__name__}: {error}; please report this")

    def take(self) -> list[Capture]:
        """The warnings since the last time."""
        if not self._found:
            return []
        found, self._found = self._found, []
        return found

    def _warnings(self, entry: Capture, data: Mapping[str, Any]) -> Iterator[Capture]:
        problems = data.get("problems")
        if isinstance(problems, list) and problems:
            shown = "; ".join(map(str, cast("list[object]", problems)[:_SHOWN_PROBLEMS]))
            yield _warning(entry, data, "invalid_field", f"{data.get('event')} has invalid fields: {shown}")
        for finding in self._lifecycles.take(data):
            order = data.get("order_id", data.get("client_order_id"))
            yield _warning(entry, data, finding.rule, f"order {order}: {finding.text}")


def _warning(entry: Capture, data: Mapping[str, Any], rule: str, message: str) -> Capture:
    about = {
        name: data[name] for name in ("event", "order_id", "client_order_id", "exchange", "symbol") if name in data
    }
    fields = orjson.dumps({"rule": rule, "trade_seq": entry[SEQ], **about})[1:-1]
    frame = sys._getframe()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - names this place as the caller
    size = sys.getsizeof(message) + len(fields) + CAPTURE_OVERHEAD_BYTES
    place = (frame.f_code, frame.f_lasti)
    return (
        next_seq(), time_ns(), logging.WARNING, WATCH_LOGGER, message, *place, fields, b"", get_ident(), None, GENERAL,
        None, size,
    )  # fmt: skip
