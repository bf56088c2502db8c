"""loguru: a file with a format function that encodes the line, or enqueue=True with a sink that encodes it.

With enqueue the message is pickled through a pipe; encoding behind the pipe keeps the pickled record small.
"""

import asyncio
from typing import IO, TYPE_CHECKING, cast

import orjson
from loguru import logger

from bench.peers.base import Claims, FileTarget, Surface, Target
from bench.workload import LOGGER_NAME, STRATEGY_ID, Log, Style

if TYPE_CHECKING:
    from loguru import Message, Record

_LINE = "line"


def _encode(record: "Record") -> bytes:
    return orjson.dumps(
        {
            "timestamp": record["time"].isoformat(),
            "level": record["level"].name,
            "logger": LOGGER_NAME,
            "message": record["message"],
            "module": record["module"],
            "function": record["function"],
            "line": record["line"],
            "thread": record["thread"].name,
            "process": record["process"].id,
            "extra": record["extra"],
        }
    )


def _format(record: "Record") -> str:
    record["extra"][_LINE] = _encode(record).decode()
    return "{extra[line]}\n"


class LoguruPeer:
    """The one logger that loguru has."""

    def __init__(self, *, enqueued: bool) -> None:
        """Only remember how to be set up."""
        self._enqueued = enqueued
        self._file: IO[bytes] | None = None

    async def open(self, target: Target) -> Surface:
        """Replace the default sink and bind the one field."""
        if not isinstance(target, FileTarget):
            raise TypeError("loguru has no collector to send to")
        logger.remove()
        path = target.folder / "peer.log"
        if self._enqueued:
            self._file = path.open("ab")
            logger.add(self._write, level="INFO", format="", enqueue=True, backtrace=False, diagnose=False)
        else:
            logger.add(path, level="INFO", format=_format, enqueue=False, backtrace=False, diagnose=False)
        return Surface(cast("Log", logger.bind(strategy_id=STRATEGY_ID)), Style.KEYWORDS)

    def _write(self, message: "Message") -> None:
        if self._file is not None:
            self._file.write(_encode(message.record) + b"\n")
            self._file.flush()

    async def ready(self, offered: int) -> None:
        """Let the producer go on: a full pipe blocks the call itself."""

    async def drain(self) -> None:
        """Wait until the writer's thread has confirmed everything before this moment."""
        await asyncio.to_thread(logger.complete)

    def claims(self) -> Claims:
        """Nothing: loguru counts nothing."""
        return {}

    async def close(self) -> None:
        """Remove the sink, which joins its thread and closes its file."""
        await asyncio.to_thread(logger.remove)
        if self._file is not None:
            self._file.close()
