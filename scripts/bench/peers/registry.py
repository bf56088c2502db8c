"""The peers by name: where their code is, what they need installed, where they can deliver.

Nothing is imported before a peer is loaded, so a process holds the one library that it measures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import cast

from bench.peers.base import Peer, Wire

OURS = "metaexpert"
STDLIB = "the standard library"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerInfo:
    """What is known about a peer without importing it."""

    name: str
    title: str
    factory: str
    distribution: str
    wires: frozenset[Wire] = frozenset()
    remark: str = ""
    options: Mapping[str, bool] = field(default_factory=dict[str, bool])

    def load(self) -> Peer:
        """Import the library and build the peer; no I/O happens yet."""
        module, _, name = self.factory.partition(":")
        return cast("Peer", getattr(import_module(module), name)(**self.options))

    def version(self) -> str | None:
        """The installed version, or None if it is not installed."""
        if self.distribution == STDLIB:
            return "of this Python"
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            # The checkout's own source is what runs, installed or not.
            return "of this checkout" if self.name == OURS else None


PEERS: dict[str, PeerInfo] = {
    info.name: info
    for info in (
        PeerInfo(
            name=OURS,
            title="metaexpert.logger",
            factory="bench.peers.metaexpert_peer:MetaexpertPeer",
            distribution="metaexpert",
            wires=frozenset({Wire.LOKI, Wire.ELASTICSEARCH, Wire.OTLP}),
            remark="fields redacted by key in the call; field bound with bind()",
        ),
        PeerInfo(
            name="stdlib-file",
            title="logging FileHandler",
            factory="bench.peers.stdlib_peer:StdlibPeer",
            distribution=STDLIB,
            options={"queued": False},
            remark="formats, writes and flushes in the call; context field by a filter",
        ),
        PeerInfo(
            name="stdlib-queue",
            title="logging QueueHandler+Listener",
            factory="bench.peers.stdlib_peer:StdlibPeer",
            distribution=STDLIB,
            options={"queued": True},
            remark="SimpleQueue, unbounded; formats and writes in the listener's thread",
        ),
        PeerInfo(
            name="structlog",
            title="structlog",
            factory="bench.peers.structlog_peer:StructlogPeer",
            distribution="structlog",
            remark="filtering bound logger, BytesLogger, orjson; writes and flushes in the call",
        ),
        PeerInfo(
            name="loguru",
            title="loguru",
            factory="bench.peers.loguru_peer:LoguruPeer",
            distribution="loguru",
            options={"enqueued": False},
            remark="file sink with a format function; writes in the call",
        ),
        PeerInfo(
            name="loguru-enqueue",
            title="loguru enqueue=True",
            factory="bench.peers.loguru_peer:LoguruPeer",
            distribution="loguru",
            options={"enqueued": True},
            remark="pickled through a pipe to the writer's thread, which blocks the call when it is full",
        ),
        PeerInfo(
            name="picologging-file",
            title="picologging FileHandler",
            factory="bench.peers.picologging_peer:PicologgingPeer",
            distribution="picologging",
            options={"queued": False},
            remark="ignores extra=, so the fields travel as args; no thread name; writes and flushes in the call",
        ),
        PeerInfo(
            name="picologging-queue",
            title="picologging QueueHandler+Listener",
            factory="bench.peers.picologging_peer:PicologgingPeer",
            distribution="picologging",
            options={"queued": True},
            remark="as above, SimpleQueue, unbounded; prepare() overridden, since its own drops fields and context",
        ),
        PeerInfo(
            name="opentelemetry",
            title="OpenTelemetry batch processor",
            factory="bench.peers.opentelemetry_peer:OpenTelemetryPeer",
            distribution="opentelemetry-sdk",
            wires=frozenset({Wire.OTLP}),
            remark="LoggingHandler, BatchLogRecordProcessor (queue of 100 000); exporter of JSON lines, or OTLP/HTTP",
        ),
    )
}


def delivering_to(wire: Wire) -> list[str]:
    """The names of the peers that speak the protocol."""
    return [name for name, info in PEERS.items() if wire in info.wires]
