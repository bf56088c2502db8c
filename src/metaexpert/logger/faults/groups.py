"""How often each error was seen of late: the first of a window are told in full, those that follow refer to them.

Any thread counts here, in the call and without a lock: each step is one that CPython does not divide. Every entry
stays; only what repeats in it is left out. Memory is bounded: the oldest error makes room for a new one. One process,
one table, as with its loggers.
"""

import os
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import count
from time import monotonic_ns, time_ns
from typing import Final, final

_MOST_GROUPS: Final = 512
_MOST_CLOSED: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRules:
    """When an error is told in full.

    Attributes:
        window_ns: how long its first tracebacks stand for those that follow, nanoseconds.
        tracebacks: how many of a window are told in full.
    """

    window_ns: int = 60_000_000_000
    tracebacks: int = 3


@final
class Group:
    """One error within one window.

    Attributes:
        digest: its fingerprint.
        kind: type of the exception.
        place: module and function where it was raised.
        message: what the latest one said.
        logger: who logged the first.
        number: of the entry that others refer to; 0 until there is one.
        ends_at: when its window ends, monotonic, nanoseconds.
        first_ns: when it was seen first, UTC, nanoseconds since 1970.
        last_ns: when it was seen last.
        seen: how often it was.
        left_out: how many of these refer to another entry.
    """

    __slots__ = (
        "_next", "digest", "ends_at", "first_ns", "kind", "last_ns", "left_out", "logger", "message", "number",
        "place", "seen",
    )  # fmt: skip

    def __init__(self, digest: str, kind: str, place: str, logger: str, ends_at: int) -> None:
        self._next = count(1).__next__
        self.digest = digest
        self.kind = kind
        self.place = place
        self.logger = logger
        self.message = ""
        self.ends_at = ends_at
        self.number = 0
        self.first_ns = self.last_ns = time_ns()
        self.seen = 0
        self.left_out = 0

    def see(self) -> int:
        """Count it once more; the how manieth it is."""
        number = self._next()
        self.seen = max(self.seen, number)
        self.last_ns = time_ns()
        return number

    def told_by(self, number: int) -> None:
        """An entry tells of it in full and is on its way; the first one stands for the others."""
        if not self.number:
            self.number = number


@final
class Groups:
    """The errors seen of late.

    Attributes:
        seen: errors counted since the start of the process.
        left_out: entries that refer to another one for what they have in common.
        crowded_out: errors whose window was ended early, to make room.
    """

    def __init__(self, most: int = _MOST_GROUPS) -> None:
        self._most = most
        self._groups: dict[Hashable, Group] = {}
        self._closed: deque[Group] = deque(maxlen=_MOST_CLOSED)
        self.seen = 0
        self.left_out = 0
        self.crowded_out = 0

    def group_of(self, key: Hashable, fresh: Group) -> Group:
        """The group of this key whose window lasts; `fresh` where there is none."""
        group = self._groups.get(key)
        if group is not None and monotonic_ns() < group.ends_at:
            return group
        if group is not None:
            self._close(key)
        while len(self._groups) >= self._most and self._make_room():
            self.crowded_out += 1
        return self._groups.setdefault(key, fresh)

    def _make_room(self) -> bool:
        try:
            self._close(next(iter(self._groups)))
        except (RuntimeError, StopIteration):  # another thread changes it: the next error looks again
            return False
        return True

    def _close(self, key: Hashable) -> None:
        group = self._groups.pop(key, None)
        if group is not None and group.left_out:
            self._closed.append(group)

    def ended(self, *, all_of_them: bool = False) -> list[Group]:
        """The groups whose window has ended and that entries were left out for; each is given once."""
        now = monotonic_ns()
        for key, group in list(self._groups.items()):
            if all_of_them or group.ends_at <= now:
                self._close(key)
        found: list[Group] = []
        while self._closed:
            found.append(self._closed.popleft())
        return found

    def next_end_seconds(self) -> float | None:
        """Seconds until the next window ends; None when there is none."""
        ends = [group.ends_at for group in list(self._groups.values())]
        return max(0.0, (min(ends) - monotonic_ns()) / 1e9) if ends else None

    def __len__(self) -> int:
        return len(self._groups)

    def forget(self) -> None:
        """In a forked child, or for a test: there is nothing that its entries could refer to."""
        self._groups = {}
        self._closed = deque(maxlen=_MOST_CLOSED)


groups: Final = Groups()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=groups.forget)
