"""The companion that answers Prometheus: `GET /metrics` on an address of this machine.

The snapshot is taken on the loop; it is put into words in a thread.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, final

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.measuring.prometheus import LoggingCollector
from metaexpert.logger.notices import Notices
from metaexpert.logger.stats import RuntimeStats

_AGAIN_SECONDS: Final = 10.0
"""How long until an address that could not be had is tried again."""


def _silent() -> logging.Logger:
    """In place of aiohttp's: whoever sends nonsense there must not write errors into the program's log."""
    silent = logging.Logger("metaexpert.metrics")  # noqa: LOG001 - it belongs to no hierarchy
    silent.disabled = True
    return silent


_SILENT: Final = _silent()


class Around(Protocol):
    """What the endpoint needs of its surroundings."""

    @property
    def stats(self) -> Callable[[], RuntimeStats]:
        """A snapshot of the runtime."""
        ...

    @property
    def notices(self) -> Notices:
        """Where trouble is told."""
        ...

    @property
    def jobs(self) -> Jobs:
        """The executor jobs under way."""
        ...


@dataclass(frozen=True, slots=True)
class EndpointFigures:
    """Snapshot of the endpoint.

    Attributes:
        port: where it listens; None while it does not.
        scrapes: answers given.
    """

    port: int | None
    scrapes: int


@final
class MetricsEndpoint:
    """Answers while `run` does.

    Args:
        host: address to listen on.
        port: port to listen on; 0 for any that is free, told by `figures`.
        around: its surroundings.
    """

    def __init__(self, host: str, port: int, around: Around) -> None:
        self._host = host
        self._wanted_port = port
        self._around = around
        self._port: int | None = None
        self._scrapes = 0
        self._worker = Worker(around.jobs, "metrics")

    async def run(self) -> None:
        """Listen and answer until cancelled."""
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        runner = web.AppRunner(application, access_log=None, logger=_SILENT, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await self._listen(runner)
            await asyncio.get_running_loop().create_future()
        finally:
            self._port = None
            self._worker.close()
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        while True:
            try:
                await web.TCPSite(runner, self._host, self._wanted_port).start()
            except OSError as error:
                self._around.notices.say("performance.metrics_port", f"{error}; tried again until it can be had")
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                self._port = runner.addresses[0][1]
                return

    async def _answer(self, request: web.Request) -> web.Response:
        current_fields.set(PIPELINE)
        stats = self._around.stats()
        try:
            body, content_type = await self._worker.run(_exposition, stats, request.headers.get("Accept", ""))
        except Exception as error:
            self._around.notices.say("performance.metrics_port", f"not answered: {type(error).__name__}")
            raise
        self._scrapes += 1
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def finish(self, most_seconds: float) -> None:
        """Nothing: who asks too late asks in vain."""

    def figures(self) -> EndpointFigures:
        """Where it listens, and how often it was asked."""
        return EndpointFigures(self._port, self._scrapes)


def _exposition(stats: RuntimeStats, accepted: str) -> tuple[bytes, str]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LoggingCollector(lambda: stats))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accepted)
    return encode(registry), content_type
