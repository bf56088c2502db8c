"""Entries to look at, by what was logged; and entries made by hand, as a log call would have captured them."""

import logging
import sys
from _thread import get_ident
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Any, Final, cast, overload, override

from metaexpert.logger.entry import AUDIT, CAPTURE_OVERHEAD_BYTES, GENERAL, TRADE, Capture
from metaexpert.logger.errors import encode_exception
from metaexpert.logger.ingress import next_seq
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.sinks.memory import MemorySink
from metaexpert.logger.values import ValueEncoder

if TYPE_CHECKING:
    from metaexpert.logger import LoggingRuntime, Sink

type Entry = dict[str, Any]
"""An entry as a JSON line has it: timestamp, level, logger, message, extra, trade_data, exception, …"""

_SHOWN_ENTRIES: Final = 20


class Entries(Sequence[Entry]):
    """A live view of entries, oldest first: each look shows what is there at that moment.

    Args:
        source: where they come from.
    """

    def __init__(self, source: Callable[[], Iterable[Entry]]) -> None:
        self._source = source

    @override
    def __len__(self) -> int:
        return len(list(self._source()))

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    @override
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        return list(self._source())[index]

    @override
    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._source()))

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {_told(list(self._source()))}>"

    @property
    def messages(self) -> list[str]:
        """Their messages."""
        return [entry["message"] for entry in self._source()]

    def where(
        self,
        *,
        message: str | None = None,
        level: str | None = None,
        logger: str | None = None,
        log_type: str | None = None,
        **fields: object,
    ) -> list[Entry]:
        """Those of which all that is asked is true.

        Args:
            message: stands somewhere in the message.
            level: the level's name.
            logger: the logger's name, or that of a logger above it.
            log_type: such as "general" or "trade".
            fields: are among the entry's fields or trade fields with these values, as JSON has them.
        """

        def fits(entry: Entry) -> bool:
            return (
                (message is None or message in entry["message"])
                and (level is None or entry["level"] == level)
                and (logger is None or f"{entry['logger']}.".startswith(f"{logger}."))
                and (log_type is None or entry["log_type"] == log_type)
                and fields.items() <= _Fields(entry)
            )

        return [entry for entry in self._source() if fits(entry)]

    def only(self, **asked: Any) -> Entry:
        """The one entry that `where` finds.

        Raises:
            AssertionError: it finds none, or more than one; the message shows what there is.
        """
        found = self.where(**asked)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} entries are such ({asked}), not one; there are: {_told(self[:])}")
        return found[0]


class _Fields:
    """An entry's fields, compared by value: `dict.items() <=` would need them hashable."""

    def __init__(self, entry: Entry) -> None:
        self._fields: Entry = entry.get("extra", {}) | entry.get("trade_data", {}) | entry.get("error_context", {})

    def __ge__(self, asked: Iterable[tuple[str, object]]) -> bool:
        return all(name in self._fields and self._fields[name] == value for name, value in asked)


def _told(entries: list[Entry]) -> str:
    shown = ", ".join(
        f"{entry['level']} {entry['logger']}: {entry['message']!r}" for entry in entries[-_SHOWN_ENTRIES:]
    )
    return f"{len(entries)} entries, the last: {shown}" if len(entries) > _SHOWN_ENTRIES else f"[{shown}]"


def memory_entries(source: "LoggingRuntime | Sink", name: str = "memory") -> Entries:
    """What a memory sink holds.

    Args:
        source: the sink, or the runtime it belongs to; flush first, to see what was logged just now.
        name: the sink's name in the runtime.

    Raises:
        TypeError: that sink is none that keeps entries in memory.
    """
    sink = source if isinstance(source, MemorySink) else cast("LoggingRuntime", source).sinks.get(name)
    if not isinstance(sink, MemorySink):
        raise TypeError(f"{name!r} is no memory sink; add MemoryOptions() to the configuration's sinks")
    return Entries(lambda: sink.entries)


def new_entry(
    message: str = "",
    *,
    level: int = logging.INFO,
    logger: str = "made",
    log_type: str = GENERAL,
    error: BaseException | None = None,
    trade_data: Mapping[str, object] | None = None,
    **fields: Any,
) -> Capture:
    """An entry as a log call here would have captured it, for a sink's `encode`.

    Args:
        message: the message, formatted.
        level: stdlib level number.
        logger: the logger's name.
        log_type: "trade" where `trade_data` is given, unless it says otherwise.
        error: an exception to carry.
        trade_data: fields of a trade event.
        fields: further fields.
    """
    encoder = ValueEncoder(Redactor())
    encoded = encoder.full(fields) if fields else b""
    exception = b"" if error is None else encode_exception(error, encoder.scrub)
    data = b"" if trade_data is None else b"{%b}" % encoder.full(trade_data)
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the caller, as a log call takes it
    return (
        next_seq(),
        time_ns(),
        level,
        logger,
        message,
        frame.f_code,
        frame.f_lasti,
        encoded,
        b"",
        get_ident(),
        None,
        TRADE if data and log_type not in {TRADE, AUDIT} else log_type,
        (exception, b"", data) if exception or data else None,
        len(message) + len(encoded) + len(exception) + len(data) + CAPTURE_OVERHEAD_BYTES,
        monotonic_ns(),
    )
