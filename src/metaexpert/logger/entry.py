"""What one log call captures.

A capture is a plain tuple of immutable values (`Capture`): the log call builds it in one step, the garbage collector
stops tracking it within two passes, however many wait, and nothing of the user's is kept alive by it. It stays that
tuple all the way into the sinks, which read it by position; `LogEntry` reads it by name.
"""

import logging
from enum import IntEnum
from types import CodeType
from typing import Any, Final, final

import orjson

from metaexpert.logger.log_types import ALERT as ALERT  # noqa: PLC0414 - asked for here by all that is written
from metaexpert.logger.log_types import AUDIT as AUDIT  # noqa: PLC0414 - asked for here by all that is written
from metaexpert.logger.log_types import CLOCK as CLOCK  # noqa: PLC0414 - asked for here by all that is written
from metaexpert.logger.log_types import FAILURE as FAILURE  # noqa: PLC0414 - asked for here by all that is written
from metaexpert.logger.log_types import GAP as GAP  # noqa: PLC0414 - asked for here by all that is written
from metaexpert.logger.log_types import GENERAL as GENERAL  # noqa: PLC0414 - asked for here by all that is written
from metaexpert.logger.log_types import PERFORMANCE as PERFORMANCE  # noqa: PLC0414 - asked for here by all that is written
from metaexpert.logger.log_types import RECOVERY as RECOVERY  # noqa: PLC0414 - asked for here by all that is written
from metaexpert.logger.log_types import TRADE as TRADE  # noqa: PLC0414 - asked for here by all that is written

PROTECTED_LOG_TYPES: Final = frozenset({TRADE, AUDIT, GAP, RECOVERY})
"""Log types that ignore levels and have room of their own in every lane."""

CAPTURE_OVERHEAD_BYTES: Final = 488
"""What a capture costs in memory beside its text: tuple, numbers, object headers, deque slots (measured)."""


class Lane(IntEnum):
    """Classes of entries, in the order in which `drop_lowest` sheds them."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3
    PROTECTED = 4


type Details = tuple[bytes, bytes, bytes]
"""The rare parts of an entry, each an encoded JSON value or empty: exception, stack_info, and the log type's own data.

A plain tuple like the capture that holds it, since the collector would track a named one for ever.
"""

EXCEPTION: Final = 0
STACK_INFO: Final = 1
TRADE_DATA: Final = 2
"""Where an entry's own data stands; `data_key` names it."""


def data_key(log_type: str) -> str:
    """The key under which an entry of this log type shows its own data."""
    return "error_context" if log_type == FAILURE else "trade_data"


type Capture = tuple[
    int,  # seq: position in the process-wide order of calls
    int,  # time_ns: UTC, nanoseconds since the epoch, taken in the call
    int,  # level: stdlib level number
    str,  # logger: its name
    str,  # message: %-args already applied
    CodeType,  # code of the calling function
    int,  # lasti: instruction in that code, resolved to a line later
    bytes,  # fields: the call's own, as JSON members without braces, b"" when none
    bytes,  # context: members from bind and log_context, b"" when none
    int,  # thread: identifier of the calling thread
    str | None,  # task: name of the running asyncio task
    str,  # log_type
    Details | None,
    int,  # size: memory this entry is charged with, bytes
    int,  # monotonic_ns: the system's clock that nobody sets, taken beside time_ns; 0 when not known
]

LASTI: Final = 6
RECOVERED_FROM: Final = 2**62
"""Numbers within this run of entries that a former one left in its journal; in their bytes they keep their own."""

OF_ANOTHER_RUN: Final = -2
"""In place of an instruction: an entry read back from disk whose number another run has given."""

SEQ: Final = 0
TIME_NS: Final = 1
LEVEL: Final = 2
MESSAGE: Final = 4
CONTEXT: Final = 8
LOG_TYPE: Final = 11
DETAILS: Final = 12
SIZE: Final = 13
MONOTONIC_NS: Final = 14
NO_MONOTONIC_NS: Final = 0
"""In place of a monotonic time: what the entry was read from does not say it."""


def lane_of(level: int, log_type: str) -> Lane:
    """The lane an entry of this level and log type travels in."""
    if log_type in PROTECTED_LOG_TYPES:
        return Lane.PROTECTED
    if level >= logging.ERROR:
        return Lane.ERROR
    if level >= logging.WARNING:
        return Lane.WARNING
    return Lane.INFO if level >= logging.INFO else Lane.DEBUG


@final
class LogEntry:
    """A capture read by name, for those who write sinks; the pipeline itself moves captures."""

    __slots__ = ("capture",)

    def __init__(self, capture: Capture) -> None:
        self.capture = capture

    @property
    def seq(self) -> int:
        """Position in the process-wide order of calls."""
        return self.capture[SEQ]

    @property
    def time_ns(self) -> int:
        """UTC time of the call, nanoseconds since the epoch."""
        return self.capture[TIME_NS]

    @property
    def monotonic_ns(self) -> int:
        """Time of the call by the machine's monotonic clock, nanoseconds; 0 when not known.

        It orders and spaces entries of one boot of one machine, whatever is done to its wall clock; see
        `time.monotonic_ns`.
        """
        return self.capture[MONOTONIC_NS]

    @property
    def level(self) -> int:
        """Stdlib level number."""
        return self.capture[LEVEL]

    @property
    def level_name(self) -> str:
        """Level name as stdlib logging knows it."""
        return logging.getLevelName(self.capture[LEVEL])

    @property
    def logger(self) -> str:
        """The logger's name."""
        return self.capture[3]

    @property
    def message(self) -> str:
        """The formatted message."""
        return self.capture[4]

    @property
    def log_type(self) -> str:
        """The entry's log type, such as "general" or "trade"."""
        return self.capture[LOG_TYPE]

    @property
    def lane(self) -> Lane:
        """The lane it travels in."""
        return lane_of(self.capture[LEVEL], self.capture[LOG_TYPE])

    @property
    def size(self) -> int:
        """Memory it is charged with, bytes."""
        return self.capture[SIZE]

    def extra(self) -> dict[str, Any]:
        """The call's, the context's and the bound fields, decoded."""
        return orjson.loads(extra_json(self.capture[7], self.capture[8]))

    def trade_data(self) -> dict[str, Any]:
        """The fields of a trade event, decoded; empty for other entries."""
        return self._data("trade_data")

    def error_context(self) -> dict[str, Any]:
        """The context `log_error` was given, decoded; empty for other entries."""
        return self._data("error_context")

    def fields(self) -> dict[str, Any]:
        """All fields, wherever the entry shows them; its own data win."""
        return self.extra() | self.trade_data() | self.error_context()

    def _data(self, key: str) -> dict[str, Any]:
        details = self.capture[DETAILS]
        if details is None or not details[TRADE_DATA] or data_key(self.log_type) != key:
            return {}
        return orjson.loads(details[TRADE_DATA])


def extra_json(fields: bytes, context: bytes) -> bytes:
    """One JSON object of the context's members and the call's own."""
    return b"{%b%b%b}" % (context, b"," if context and fields else b"", fields)
