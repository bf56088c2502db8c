"""metaexpert.logger: JSON file, Loki, Elasticsearch or OTLP, everything else as it comes."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

from bench.peers.base import Claims, FileTarget, HttpTarget, Surface, Target, Wire
from bench.workload import LOGGER_NAME, STRATEGY_ID, Log, Style
from metaexpert.logger import (
    ElasticsearchOptions,
    LoggerConfig,
    LoggingRuntime,
    LokiOptions,
    OtlpOptions,
    get_logger,
    setup_logging,
)

FLUSH_TIMEOUT_SECONDS = 30.0
NO_ROTATION = 0


class MetaexpertPeer:
    """The runtime beside the coroutine that logs.

    Args:
        changes: fields of the configuration that are to differ from what the comparison uses, for measurements of ours.
    """

    def __init__(self, **changes: Any) -> None:
        """Hold nothing yet."""
        self._changes = changes
        self._stack = AsyncExitStack()
        self._runtime: LoggingRuntime | None = None

    async def open(self, target: Target) -> Surface:
        """Start the runtime with the one destination and bind the one field."""
        self._runtime = await self._stack.enter_async_context(setup_logging(_config(target, self._changes)))
        return Surface(cast("Log", get_logger(LOGGER_NAME).bind(strategy_id=STRATEGY_ID)), Style.KEYWORDS)

    @property
    def spooled_entries(self) -> int:
        """What waits in disk queues."""
        return sum(sink.spooled_entries for sink in self._running.stats().sinks.values())

    @property
    def _running(self) -> LoggingRuntime:
        if self._runtime is None:
            raise RuntimeError("the peer was not opened")
        return self._runtime

    async def ready(self, offered: int) -> None:  # noqa: ARG002 (the watermarks count for themselves)
        """Wait while a watermark is passed: the documented backpressure for bulk producers."""
        await self._running.wait_ready()

    async def drain(self) -> None:
        """Flush until every sink acknowledged."""
        await self._running.flush(timeout=FLUSH_TIMEOUT_SECONDS)

    def claims(self) -> Claims:
        """The ledgers' sums and whether each balances."""
        stats = self._running.stats()
        ledgers = [sink.ledger for sink in stats.sinks.values()]
        return {
            "accepted": stats.ingress.accepted,
            "waiting_at_ingress": stats.ingress.queued_entries,
            "dropped_at_ingress": sum(stats.ingress.dropped.values()),
            "gap_entries": sum(ledger.gaps for ledger in ledgers),
            "routed": sum(ledger.routed for ledger in ledgers),
            "delivered": sum(ledger.delivered for ledger in ledgers),
            "dropped": sum(sum(ledger.dropped.values()) for ledger in ledgers),
            "in_flight": sum(ledger.in_flight for ledger in ledgers),
            "balanced": all(ledger.balanced for ledger in ledgers),
        }

    async def close(self) -> None:
        """Leave the context manager, which flushes within the stop deadline."""
        await self._stack.aclose()


def _config(target: Target, changes: dict[str, Any]) -> LoggerConfig:
    values: dict[str, Any] = {
        "log_level": "INFO",
        "log_dir": target.folder,
        "log_file": Path("peer.log"),
        "log_to_console": False,
        "log_to_file": isinstance(target, FileTarget),
        "json_logging": True,
        "max_bytes": NO_ROTATION,
        "sinks": (_collector(target),) if isinstance(target, HttpTarget) else (),
    }
    return LoggerConfig(**{**values, **changes})


def _collector(target: HttpTarget) -> LokiOptions | ElasticsearchOptions | OtlpOptions:
    if target.wire is Wire.ELASTICSEARCH:
        return ElasticsearchOptions(name="elasticsearch", url=target.url, index="metaexpert")
    if target.wire is Wire.OTLP:
        return OtlpOptions(name="otlp", url=target.url)
    return LokiOptions(name="loki", url=target.url, labels={"service": "bench"})
