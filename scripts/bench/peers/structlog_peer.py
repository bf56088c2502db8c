"""structlog in the configuration its performance page recommends: native filtering logger, bytes, orjson, cached."""

from datetime import UTC, datetime
from typing import IO, Any, cast

import orjson
import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder, JSONRenderer
from structlog.typing import EventDict

from bench.peers.base import Claims, FileTarget, Surface, Target
from bench.workload import LOGGER_NAME, STRATEGY_ID, Log, Style

_CALLSITE = (
    CallsiteParameter.MODULE,
    CallsiteParameter.FUNC_NAME,
    CallsiteParameter.LINENO,
    CallsiteParameter.THREAD_NAME,
    CallsiteParameter.PROCESS,
)


def _shape(_logger: object, method_name: str, event: EventDict) -> EventDict:
    """Put the keys of the line first; what remains are the fields."""
    return {
        "timestamp": datetime.now(UTC),
        "level": method_name.upper(),
        "logger": LOGGER_NAME,
        "message": event.pop("event"),
        "module": event.pop("module"),
        "function": event.pop("func_name"),
        "line": event.pop("lineno"),
        "thread": event.pop("thread_name"),
        "process": event.pop("process"),
        "extra": event,
    }


class StructlogPeer:
    """A bound logger that writes in the call."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._file: IO[bytes] | None = None

    async def open(self, target: Target) -> Surface:
        """Open the file and bind the one field."""
        if not isinstance(target, FileTarget):
            raise TypeError("structlog has no collector to send to")
        self._file = (target.folder / "peer.log").open("ab")
        structlog.configure(
            processors=[
                CallsiteParameterAdder(_CALLSITE),
                _shape,
                JSONRenderer(serializer=cast("Any", orjson.dumps), option=orjson.OPT_UTC_Z),
            ],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
            logger_factory=structlog.BytesLoggerFactory(cast("Any", self._file)),
            cache_logger_on_first_use=True,
        )
        return Surface(cast("Log", structlog.get_logger().bind(strategy_id=STRATEGY_ID)), Style.KEYWORDS)

    async def ready(self, offered: int) -> None:
        """Let the producer go on: each call has written."""

    async def drain(self) -> None:
        """Return at once: each call has written and flushed."""

    def claims(self) -> Claims:
        """Nothing: structlog counts nothing."""
        return {}

    async def close(self) -> None:
        """Close the file, which structlog leaves to its user."""
        if self._file is not None:
            self._file.close()
