"""The collector in a process of its own, for as long as a measurement lasts."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

_PROGRAM = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Tally:
    """What the collector holds."""

    requests: int
    offered: int
    arrived: int
    duplicates: int
    fault: str
    caller_right: bool


@dataclass(frozen=True, slots=True)
class RunningCollector:
    """Where the collector listens."""

    port: int

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    async def tally(self) -> Tally:
        """Ask what has arrived until now (over a bare connection: an HTTP client would weigh on the peer's memory)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /tally HTTP/1.0\r\n\r\n")
        _, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return Tally(**orjson.loads(body))


@asynccontextmanager
async def collector_process(*, offered: int = 0, stalled: bool = False) -> AsyncGenerator[RunningCollector]:
    """Start a collector and end it afterwards.

    Args:
        offered: How many entries will be sent, numbered from 0.
        stalled: Read everything and never answer.
    """
    arguments = ["collect", "--offered", str(offered), *(["--stalled"] if stalled else [])]
    process = await asyncio.create_subprocess_exec(sys.executable, str(_PROGRAM), *arguments, stdin=PIPE, stdout=PIPE)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the collector's pipes are missing")
    try:
        yield RunningCollector(int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        await process.wait()
