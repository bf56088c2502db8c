"""Posts bodies to a collector: compressed off the loop, to whichever of its addresses answers.

A body that one address does not answer goes to the next at once, in the same bytes; what the first may have stored in
spite of it is stored twice where the collector cannot tell. An address left alone is probed beside the requests, by a
GET without a body: a dead host takes seconds to say nothing, and no entry has to wait for that.
"""

import asyncio
import gzip
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, final
from urllib.parse import urlsplit

from metaexpert.logger.endpoints import Endpoint, Endpoints, EndpointStats
from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.http import HttpOptions
from metaexpert.logger.retry import Backoff
from metaexpert.logger.sinks.answer import Answer, NoAnswer, common_outcome, one_line
from metaexpert.logger.sinks.session import MAX_ANSWER_BYTES, HttpSession
from metaexpert.logger.tasks import OwnedTask, ended

__all__ = ["MAX_ANSWER_BYTES", "Answer", "HttpClient", "NoAnswer", "common_outcome", "one_line"]

_GZIP_LEVEL: Final = 1
_REFUSING_STATUSES: Final = frozenset({401, 403})
"""The credentials are refused: their files may hold newer ones."""


@final
class HttpClient:
    """Posts bodies to one collector.

    Args:
        options: addresses, credentials, limits.
        worker: the thread that compresses, closed with the client.
        clock: seconds, never going back.
        uniform: random source of the waits before an address is asked again.
    """

    def __init__(
        self,
        options: HttpOptions,
        worker: Worker,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._options = options
        self._worker = worker
        self._clock = clock
        self._session = HttpSession(options, worker)
        backoff = Backoff(options.backoff_first, options.backoff_max)
        self._endpoints = Endpoints(options.addresses(), options.balance, backoff, clock, uniform)
        self._prober: OwnedTask | None = None
        self._pid = os.getpid()

    @property
    def endpoint_stats(self) -> tuple[EndpointStats, ...]:
        """How each address is doing, in the order of preference."""
        return self._endpoints.stats

    async def post(
        self,
        path: str,
        body: bytes,
        content_type: str,
        more_headers: Mapping[str, str] | None = None,
        *,
        endpoint: str | None = None,
    ) -> Answer | NoAnswer:
        """Send `body` to `path` below an address of the collector, and below the next one where that gives no answer.

        Sent again at once, too, when a secret's file holds a newer one than was refused.

        Args:
            path: what the address is followed by.
            body: what to send.
            content_type: its type.
            more_headers: headers of this request.
            endpoint: `Answer.endpoint` of the one address that can know what this asks for; no other one is asked.
        """
        headers = {**(more_headers or {}), "Content-Type": content_type}
        if len(body) >= self._options.gzip_min_bytes:
            body = await self._worker.run(partial(gzip.compress, mtime=0), body, _GZIP_LEVEL)
            headers["Content-Encoding"] = "gzip"
        closed = await self._session.opened()
        if closed is not None:
            return closed
        try:
            return await self._post_to_any(self._endpoints.order(endpoint), path, body, headers)
        finally:
            self._see_to_probes(path)

    async def _post_to_any(
        self, endpoints: Sequence[Endpoint], path: str, body: bytes, headers: dict[str, str]
    ) -> Answer | NoAnswer:
        """The first real answer; else what all of those that were asked did instead."""
        began = self._clock()
        failures: list[tuple[Endpoint, Answer | NoAnswer]] = []
        for endpoint in endpoints:
            if failures and not endpoint.breaker.is_closed and self._clock() - began > self._options.timeout:
                break  # those that are down as well can be asked in the next attempt
            endpoint.breaker.begin_probe()
            answer = await self._post_to(endpoint, path, body, headers)
            if _trouble(answer) is None:
                return answer
            failures.append((endpoint, answer))
        return failures[0][1] if len(failures) == 1 else _all_failed(failures)

    async def _post_to(self, endpoint: Endpoint, path: str, body: bytes, headers: dict[str, str]) -> Answer | NoAnswer:
        try:
            answer = await self._session.exchange("POST", endpoint.url + path, body, headers)
            refused = isinstance(answer, Answer) and answer.status in _REFUSING_STATUSES
            if refused and await self._session.has_newer_secrets():
                answer = await self._session.exchange("POST", endpoint.url + path, body, headers)
        except BaseException:  # cancelled
            endpoint.breaker.drop_probe()
            raise
        trouble = _trouble(answer)
        if trouble is None:
            self._endpoints.answered(endpoint)
        else:
            self._endpoints.failed(endpoint, trouble, _after_seconds(answer))
        return replace(answer, endpoint=endpoint.url) if isinstance(answer, Answer) else answer

    # ---- probes of addresses left alone -----------------------------------------------------------------------

    def _see_to_probes(self, path: str) -> None:
        if self._prober is not None and self._prober.task.get_loop() is not asyncio.get_running_loop():
            self._prober.abandon()
            self._prober = None
        if self._prober is None and self._endpoints.probe_in() is not None:
            self._prober = OwnedTask(f"probe-{self._options.name}", partial(self._probe, path))

    async def _probe(self, path: str) -> None:
        """Ask addresses that are left alone, each when its wait is over, for as long as there are any."""
        while os.getpid() == self._pid and (wait := self._endpoints.probe_in()) is not None:
            await asyncio.sleep(wait)
            endpoint = self._endpoints.to_probe()
            if endpoint is not None:
                await self._probe_one(endpoint, path)
        prober, self._prober = self._prober, None
        if prober is not None:
            prober.disown()

    async def _probe_one(self, endpoint: Endpoint, path: str) -> None:
        try:
            answer = await self._session.exchange("GET", endpoint.url + path, None, {})
        except BaseException:  # cancelled
            endpoint.breaker.drop_probe()
            raise
        trouble = _trouble(answer)
        if trouble is None:
            self._endpoints.found(endpoint)
        else:
            self._endpoints.not_found(endpoint, trouble, _after_seconds(answer))

    # ---- the end ----------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the connections and let the thread end; another request opens anew."""
        try:
            await self._end_probes()
            await self._session.close()
        finally:
            self._worker.close()

    async def _end_probes(self) -> None:
        prober, self._prober = self._prober, None
        if prober is None:
            return
        if prober.task.get_loop() is asyncio.get_running_loop():
            prober.cancel()
            await ended([prober])
        else:
            prober.abandon()


def _trouble(answer: Answer | NoAnswer) -> str | None:
    """Why another address should be asked; None where this one did its work, whatever it said of the body."""
    match answer:
        case NoAnswer():
            return answer.reason
        case Answer(is_from_nobody=True):
            return f"HTTP {answer.status} {answer.text}"
        case Answer():
            return None


def _after_seconds(answer: Answer | NoAnswer) -> float | None:
    return answer.retry_after_seconds if isinstance(answer, Answer) else None


def _all_failed(failures: list[tuple[Endpoint, Answer | NoAnswer]]) -> NoAnswer:
    """One word for several addresses none of which answered; an operator is needed where none can mend itself."""
    told = "; ".join(f"{urlsplit(endpoint.url).netloc}: {_trouble(answer)}" for endpoint, answer in failures)
    silent = [answer for _, answer in failures if isinstance(answer, NoAnswer)]
    return NoAnswer(
        told,
        closed=len(silent) == len(failures) and all(answer.closed for answer in silent),
        pause=len(silent) == len(failures) and all(answer.pause for answer in silent),
    )
