"""What the benchmark asks of a logger, and where the logger is to deliver.

A peer logs through its own public interface, as its documentation shows it, in its fastest sensible configuration:
level INFO, JSON lines with the same keys, the caller captured by its own means. Foreign private names are not touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bench.workload import Log, Style

type Claims = Mapping[str, float | int | str | bool]


class Wire(StrEnum):
    """The protocols that entries can be sent over."""

    LOKI = "loki"
    ELASTICSEARCH = "elasticsearch"
    OTLP = "otlp"


@dataclass(frozen=True, slots=True)
class FileTarget:
    """A folder to write JSON lines into."""

    folder: Path


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """A collector on loopback, and a folder for whatever else the logger writes."""

    wire: Wire
    url: str
    folder: Path


type Target = FileTarget | HttpTarget


@dataclass(frozen=True, slots=True)
class Surface:
    """What the workload calls: a logger and the way it takes fields."""

    log: Log
    style: Style


class Peer(Protocol):
    """A logger under measurement; opened, drained and closed on the loop that logs."""

    async def open(self, target: Target) -> Surface:
        """Set up for the target; the one bound or context field is in place afterwards."""
        ...

    async def ready(self, offered: int) -> None:
        """Hold a bulk producer back by the means the library documents, if it has any.

        Args:
            offered: Entries logged since the last time.
        """
        ...

    async def drain(self) -> None:
        """Return when the library says that everything logged was written or acknowledged."""
        ...

    def claims(self) -> Claims:
        """What the library itself counts: only reported, never taken for an arrival."""
        ...

    async def close(self) -> None:
        """Shut down by the library's own means."""
        ...
