"""Speaks to a collector's administrative endpoints: makes it fail, and asks what it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from metaexpert.exceptions import MetaExpertError

_ANSWER_SECONDS = 60.0
_READ_BUFFER_BYTES = 2**20


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


class CollectorClient:
    """One collector, at `url`; an async context manager that owns its HTTP session."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            self.url, timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS), read_bufsize=_READ_BUFFER_BYTES
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

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

        Raises:
            CollectorError: The collector knows no such target or mode, or a number is negative.
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

    async def watch_for(self, texts: Mapping[str, str]) -> None:
        """Have it look in each request for these texts; `stats` counts, by their names, the requests that had them."""
        await self._ask("POST", "/admin/watch", dict(texts))

    async def entries(self, target: str) -> HeldEntries:
        """Everything stored for `target` (loki, elasticsearch), by entry id."""
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

    async def shutdown(self) -> None:
        """Ask it to end."""
        await self._ask("POST", "/admin/shutdown")

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        if self._session is None:
            raise CollectorError("not connected to the collector: use it inside `async with`")
        data = None if body is None else orjson.dumps(body)
        async with self._session.request(method, path, data=data) as response:
            answer = await response.read()
            if response.status != 200:  # noqa: PLR2004
                raise CollectorError(f"{method} {path}: {response.status} {answer.decode(errors='replace')}")
        return orjson.loads(answer)
