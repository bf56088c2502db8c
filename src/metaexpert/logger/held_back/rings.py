"""What is held back, by what it belongs to: a ring of entries for each, within bounds, the longest unused going first.

Nothing here looks at a clock or a loop. Any thread may call it at any moment; a signal handler too, amid a call.
"""

import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, final

from metaexpert.logger.entry import SIZE, Capture

RING_BYTES: Final = 512
"""What a ring itself is charged with, bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBackStats:
    """What was held back since the start.

    Attributes:
        held: entries held back so far.
        released: those among them that were written, since what they belong to failed.
        dropped: those that were forgotten: it ended well, or there was no more room.
        keys: tasks, or values of the field, that have entries now.
        entries: entries held now.
        bytes: memory they take, bytes.
    """

    held: int
    released: int
    dropped: int
    keys: int
    entries: int
    bytes: int


def _nobody() -> None:
    """The owner of what belongs to a thread or a field."""


class _Ring:
    __slots__ = ("entries", "owner", "size_bytes")

    def __init__(self, owner: object) -> None:
        self.entries: deque[Capture] = deque()
        # one that never ends is not kept alive, and another may get its id() then
        self.owner = _nobody if owner is None else weakref.ref(owner)
        self.size_bytes = RING_BYTES


@final
class Rings:
    """Rings of entries.

    Args:
        max_entries: entries a ring holds at most.
        max_bytes: memory a ring takes at most, bytes.
        max_total_bytes: memory all rings take at most, bytes.
    """

    def __init__(self, max_entries: int, max_bytes: int, max_total_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_total_bytes = max_total_bytes
        self._rings: OrderedDict[Hashable, _Ring] = OrderedDict()
        self._lock = threading.RLock()  # a signal handler may log while its own thread holds it
        self._total_bytes = 0
        self._held = self._released = self._dropped = 0

    def add(self, key: Hashable, capture: Capture, owner: object = None) -> bool:
        """Hold an entry back; True when it is the first of its ring.

        Args:
            key: what it belongs to.
            capture: the entry.
            owner: tells two of one key apart, the former of which is no more: its entries are forgotten.
        """
        size = capture[SIZE]
        with self._lock:
            ring = self._rings.get(key)
            is_first = ring is None or ring.owner() is not owner
            if ring is None or is_first:
                ring = self._new(key, owner)
            else:
                self._rings.move_to_end(key)
            ring.entries.append(capture)
            ring.size_bytes += size
            self._total_bytes += size
            self._held += 1
            if len(ring.entries) > self._max_entries or ring.size_bytes > self._max_bytes:
                self._shorten(ring)
            if self._total_bytes > self._max_total_bytes:
                self._make_room()
        return is_first

    def _new(self, key: Hashable, owner: object) -> _Ring:
        if key in self._rings:
            self._forget(key)
        ring = self._rings[key] = _Ring(owner)
        self._total_bytes += RING_BYTES
        return ring

    def _shorten(self, ring: _Ring) -> None:
        entries = ring.entries
        while entries and (len(entries) > self._max_entries or ring.size_bytes > self._max_bytes):
            gone = entries.popleft()[SIZE]
            ring.size_bytes -= gone
            self._total_bytes -= gone
            self._dropped += 1

    def _make_room(self) -> None:
        while self._total_bytes > self._max_total_bytes and len(self._rings) > 1:
            self._forget(next(iter(self._rings)))

    def take(self, key: Hashable) -> list[Capture]:
        """What was held back of this key, oldest first, to be written."""
        with self._lock:
            ring = self._rings.pop(key, None)
            if ring is None:
                return []
            self._total_bytes -= ring.size_bytes
            self._released += len(ring.entries)
            return list(ring.entries)

    def forget(self, key: Hashable) -> None:
        """Drop what was held back of this key."""
        with self._lock:
            if key in self._rings:
                self._forget(key)

    def _forget(self, key: Hashable) -> None:
        ring = self._rings.pop(key)
        self._total_bytes -= ring.size_bytes
        self._dropped += len(ring.entries)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            for key in list(self._rings):
                self._forget(key)

    def owner(self, key: Hashable) -> object:
        """Whose ring this is now."""
        ring = self._rings.get(key)
        return None if ring is None else ring.owner()

    def stats(self) -> HeldBackStats:
        """A snapshot."""
        with self._lock:
            return HeldBackStats(
                held=self._held,
                released=self._released,
                dropped=self._dropped,
                keys=len(self._rings),
                entries=sum(len(ring.entries) for ring in self._rings.values()),
                bytes=self._total_bytes,
            )
