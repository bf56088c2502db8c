"""Runs the embedded collector in a process of its own and speaks to it; whoever started it also stops it.

async with CollectorProcess.start() as collector:
    await collector.faults("loki", "503", seconds=2)
    held = await collector.entries("loki")
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import orjson

from metaexpert.exceptions import MetaExpertError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_ANSWER_SECONDS = 60.0


class CollectorError(MetaExpertError):
    """The collector process did not start, or refused an administrative request."""


@dataclass(frozen=True, slots=True)
class HeldEntries:
    """What the collector stored for one target.

    Attributes:
        kinds: Level and log type by entry id, in order of arrival.
        copies: How often an id was received, for those received more than once.
        conflicting: Ids received again with other bytes or, at Loki, in another stream.
        gaps: The gap entries, whole, as parsed from the line or the document.
    """

    kinds: Mapping[str, tuple[str, str]]
    copies: Mapping[str, int]
    conflicting: tuple[str, ...]
    gaps: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.kinds)


class CollectorProcess:
    """A running collector; build it with `start`, use it as an async context manager.

    Example:
        >>> async with CollectorProcess.start() as collector:
        ...     await collector.faults("loki", "503", seconds=2)
        ...     held = await collector.entries("loki")
    """

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    @classmethod
    def start(cls, *arguments: str) -> Self:
        """A collector that starts on `async with`; `arguments` go to its command line."""
        return cls(arguments)

    @property
    def pid(self) -> int:
        """The collector's process id."""
        return self._running().pid

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "metaexpert.demo.collector",
            *self._arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        )
        try:
            port = await self._read_port()
        except BaseException:
            await self._stop()
            raise
        self.url = f"http://127.0.0.1:{port}"
        self._session = aiohttp.ClientSession(
            self.url, timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS), read_bufsize=2**20
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        await self._stop()

    async def faults(
        self,
        target: str = "all",
        mode: str = "ok",
        *,
        seconds: float | None = None,
        retry_after: float | None = None,
        requests: int | None = None,
        max_bytes: int | None = None,
    ) -> None:
        """Make `target` (loki, elasticsearch, all) fail as `mode` says; `ok` ends it.

        Args:
            target: Whose requests fail.
            mode: ok, a status (260, 401, 403, 404, 413, 429, 500, 502, 503, 504), hang (no answer while it lasts),
                reset (connection dropped, nothing stored), lost_ack (stored, then dropped), partial (Loki: one
                line in eight refused as too far behind; bulk: every third item 429), short (one item result
                fewer than sent), garbage.
            seconds: How long it lasts; None: until set again.
            retry_after: Retry-After in seconds, beside a status.
            requests: How many requests it hits at most.
            max_bytes: Under 413, the largest decoded body that passes.
        """
        order = {
            "target": target,
            "mode": mode,
            "seconds": seconds,
            "retry_after": retry_after,
            "requests": requests,
            "max_bytes": max_bytes,
        }
        await self._ask("POST", "/admin/faults", order)

    async def entries(self, target: str) -> HeldEntries:
        """Everything stored for `target`, by entry id."""
        held = await self._ask("GET", f"/admin/entries?target={target}")
        kinds: list[tuple[str, str]] = [(level, log_type) for level, log_type in held["kinds"]]
        return HeldEntries(
            kinds=dict(zip(held["ids"], map(kinds.__getitem__, held["kind"]), strict=True)),
            copies=held["copies"],
            conflicting=tuple(held["conflicting"]),
            gaps=tuple(held["gaps"]),
        )

    async def stats(self) -> dict[str, Any]:
        """Requests, statuses, entries and CPU time so far."""
        return await self._ask("GET", "/admin/stats")

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        if self._session is None:
            raise CollectorError("the collector is not running: use it inside `async with CollectorProcess.start()`")
        data = None if body is None else orjson.dumps(body)
        async with self._session.request(method, path, data=data) as response:
            answer = await response.read()
            if response.status != 200:  # noqa: PLR2004
                raise CollectorError(f"{method} {path}: {response.status} {answer.decode(errors='replace')}")
        return orjson.loads(answer)

    async def _read_port(self) -> int:
        stdout = self._running().stdout
        assert stdout is not None  # noqa: S101  it was asked for as a pipe
        try:
            line = await asyncio.wait_for(stdout.readline(), _START_SECONDS)
        except TimeoutError:
            raise CollectorError(f"the collector said nothing within {_START_SECONDS:g} s") from None
        if not line:
            raise CollectorError("the collector ended before it listened; its error output says why")
        return int(orjson.loads(line)["port"])

    async def _stop(self) -> None:
        """Close its standard input, which ends it; kill it when that does not."""
        process = self._running()
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.communicate(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.communicate()

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise CollectorError("the collector was not started: use `async with CollectorProcess.start()`")
        return self._process


def _environment() -> dict[str, str]:
    """This process's environment, with this very package importable in the child."""
    search_path = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, search_path))}
