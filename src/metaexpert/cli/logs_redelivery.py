"""Entries that wait on disk, sent again by hand through the sink of the effective configuration.

One attempt each: what is refused is cut until the refused entry stands alone, as delivery does it; what the destination
does not take now ends the work, and nothing is given up.
"""

import base64
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self, final

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig
from metaexpert.logger.assembly import SinkAssembly, json_lines_for
from metaexpert.logger.batch import Batch
from metaexpert.logger.config import AnySink
from metaexpert.logger.entry import NO_MONOTONIC_NS, Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Retry, check

_NO_LASTI: Final = -1


@final
@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one entry.

    Attributes:
        outcome: delivered; refused for good, again; or kept, since the destination does not take it now.
        status: the answer's status, 0 where there was none.
        reason: the answer's words.
    """

    outcome: Literal["delivered", "refused", "kept"]
    status: int = 0
    reason: str = ""


_DELIVERED: Final = Fate("delivered")


def stored_entry(seq: int, time_ns: int, level: int, log_type: str, size: int) -> Capture:
    """An entry of which only this is known, as one read back from disk."""
    code = stored_entry.__code__
    return (seq, time_ns, level, "", "", code, _NO_LASTI, b"", b"", 0, None, log_type, None, size, NO_MONOTONIC_NS)


def sink_options(config: LoggerConfig, kind: str, name: str) -> AnySink:
    """The options of the sink that entries wait for.

    Raises:
        ConfigError: the configuration has no such sink.
    """
    for options in config.all_sinks():
        if (options.type, options.name) == (kind, name):
            return options
    known = ", ".join(f"{options.name} ({options.type})" for options in config.all_sinks()) or "none"
    raise ConfigError(f"the configuration has no sink {name!r} of type {kind!r} to send to; it has: {known}")


@final
class Redelivery:
    """One sink of the configuration, outside of any runtime; an async context manager.

    Args:
        config: the effective configuration.
        options: the sink's.
    """

    def __init__(self, config: LoggerConfig, options: AnySink) -> None:
        identity = Identity(service=config.log_name)
        parts = SinkAssembly(config.log_dir, identity, Jobs(), json_lines_for(config.all_sinks(), identity))
        self._sink = parts.sink(options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._sink.close()

    async def send(self, entries: Sequence[Capture], parts: Sequence[bytes]) -> list[Fate]:
        """Send these once; what became of each, in order."""
        return await self._send(Batch(list(entries), list(parts)))

    async def _send(self, batch: Batch) -> list[Fate]:
        match await self._outcome(batch):
            case Delivered():
                return [_DELIVERED] * len(batch)
            case Partial() as outcome:
                return _fates(outcome, len(batch))
            case Retry(reason=reason):
                return [Fate("kept", 0, reason)] * len(batch)
            case Rejected(status=status, reason=reason) if len(batch) == 1:
                return [Fate("refused", status, reason)]
            case Rejected():
                return await self._send_halves(batch)

    async def _send_halves(self, batch: Batch) -> list[Fate]:
        first, second = batch.halves()
        fates = await self._send(first)
        if any(fate.outcome == "kept" for fate in fates):
            return fates + [Fate("kept", 0, "not tried")] * len(second)
        return fates + await self._send(second)

    async def _outcome(self, batch: Batch) -> Outcome:
        try:
            outcome = await self._sink.write(batch)
            check(outcome, len(batch))
        except Exception as error:  # noqa: BLE001 - a fault in a sink's own code is told like an answer
            return Retry(f"{type(error).__name__} in sink: {error}")
        return outcome


def _fates(outcome: Partial, entries: int) -> list[Fate]:
    fates = [_DELIVERED] * entries
    for at in outcome.retry:
        fates[at] = Fate("kept", 0, outcome.reason)
    for rejection in outcome.rejected:
        fates[rejection.position] = Fate("refused", rejection.status, rejection.reason)
    return fates


def one_line(text: str, most: int = sys.maxsize) -> str:
    """Text fit for a terminal: in one line, without control characters, `most` characters long."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def encoded(part: bytes) -> dict[str, str]:
    """What a sink made of an entry as JSON can hold it: `bytes`, or `base64` where it is no UTF-8."""
    try:
        return {"bytes": part.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(part).decode()}
