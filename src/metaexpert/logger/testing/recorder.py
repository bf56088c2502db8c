"""What the program logs while a block lasts, as it is logged: no configuration, no runtime, no flush.

Entries are seen where log calls hand them over, in any thread, before queues and sinks; whatever the program does with
logging meanwhile, starting and stopping it too, goes on as without the recorder.
"""

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, final

import orjson

from metaexpert.logger.entry import SEQ, Capture
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.identity import Identity
from metaexpert.logger.port import Put, port
from metaexpert.logger.testing.entries import Entries, Entry


@final
class RecordedEntries(Entries):
    """The entries logged so far; see `Entries`."""

    def __init__(self) -> None:
        super().__init__(self._decoded)
        self._captures: deque[Capture] = deque()
        self._lines = JsonLines(Identity(service="recorded", boot_id="recorded"))

    def clear(self) -> None:
        """Forget them."""
        self._captures.clear()

    def _decoded(self) -> list[Entry]:
        # by number: an entry that a stopping runtime passes on is seen twice, and threads overtake each other
        by_number = {capture[SEQ]: capture for capture in list(self._captures)}
        return [orjson.loads(self._lines(by_number[number])) for number in sorted(by_number)]

    def add(self, capture: Capture) -> None:
        """Take one more in."""
        self._captures.append(capture)


_recording: Final[list[RecordedEntries]] = []


def _before(put: Put) -> Put:
    recording = tuple(_recording)

    def record(capture: Capture) -> None:
        for entries in recording:
            entries.add(capture)
        put(capture)

    return record


def _watch() -> None:
    port.watch(_before if _recording else None)


@contextmanager
def recorded_entries() -> Generator[RecordedEntries]:
    """Record what is logged in the block.

    Where logging does not run, everything from DEBUG on is; else what the levels in force let through. What was logged
    before the block and waits for logging to start still waits afterwards; what the block logged does not.
    """
    entries = RecordedEntries()
    waiting = None if port.attached else port.ingress
    if waiting is not None:
        port.disconnect()
    _recording.append(entries)
    _watch()
    try:
        yield entries
    finally:
        _recording.remove(entries)
        _watch()
        if waiting is not None and not port.attached:
            port.connect(waiting, port.encoder, loop=None)
