"""Runs the embedded collector in a process of its own; whoever started it also stops it."""

import asyncio
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from metaexpert.demo.collector.client import CollectorClient, CollectorError, HeldEntries

__all__ = ["CollectorClient", "CollectorError", "CollectorProcess", "HeldEntries"]

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0


class CollectorProcess:
    """A collector that lives as long as the context; entering it gives a `CollectorClient`.

    Example:
        >>> async with CollectorProcess.start() as collector:
        ...     await collector.faults("loki", "503", seconds=2)
        ...     held = await collector.entries("loki")
    """

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self._arguments = arguments
        self._stack = AsyncExitStack()

    @classmethod
    def start(cls, *arguments: str) -> Self:
        """A collector that starts on `async with`; `arguments` go to its command line."""
        return cls(arguments)

    async def __aenter__(self) -> CollectorClient:
        """Start it and wait until it listens.

        Raises:
            CollectorError: It ended, or said nothing in time.
        """
        async with AsyncExitStack() as stack:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "metaexpert.demo.collector",
                *self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment(),
            )
            stack.push_async_callback(_stop, process)
            announced = await _announcement(process)
            client = CollectorClient(f"http://127.0.0.1:{announced['port']}", announced["pid"])
            await stack.enter_async_context(client)
            self._stack = stack.pop_all()
            return client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()


async def _announcement(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101  it was asked for as a pipe
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
    except TimeoutError:
        raise CollectorError(f"the collector said nothing within {_START_SECONDS:g} s") from None
    if not line:
        raise CollectorError("the collector ended before it listened; its error output says why")
    return orjson.loads(line)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Close its standard input, which ends it; kill it when that does not."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.communicate(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.communicate()


def environment() -> dict[str, str]:
    """This process's environment, with this very package importable in the child."""
    search_path = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, search_path))}
