"""Keeps what arrives in memory: for tests, and for a program that shows its own log."""

from collections import deque
from collections.abc import Callable
from typing import Any, final

import orjson

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import Capture
from metaexpert.logger.outcome import Delivered, Outcome


@final
class MemorySink:
    """Holds the last entries as JSON lines.

    Args:
        encode_line: an entry's JSON line.
        max_entries: how many it keeps; older ones give way.
    """

    def __init__(self, encode_line: Callable[[Capture], bytes], max_entries: int) -> None:
        self.encode = encode_line
        self.lines: deque[bytes] = deque(maxlen=max_entries)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What it holds, decoded, oldest first."""
        return [orjson.loads(line) for line in self.lines]

    async def write(self, batch: Batch) -> Outcome:
        """Keep the batch."""
        self.lines.extend(batch.parts)
        return Delivered()

    async def close(self) -> None:
        """Keeps what it holds, so that a test can look after the stop."""
