"""What one sink's destination refused for good, kept on disk: handed over at once, written by a thread of its own.

`keep` does no I/O and never raises. What waits for the thread is bounded; what does not get to the disk, or has to give
way there, is counted. The entries themselves are settled already: rejected, whatever becomes of their letters.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, final

from metaexpert.logger.dead_letters.format import new_letter
from metaexpert.logger.dead_letters.store import FOLDER, DeadLetterStore, label_of
from metaexpert.logger.entry import LEVEL, LOG_TYPE, SIZE, Capture, Lane, lane_of
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Worker
from metaexpert.logger.notices import Notices
from metaexpert.logger.options.dead_letters import DeadLetterOptions
from metaexpert.logger.outcome import Rejection

_WAITING_BYTES: Final = 8 * 1024 * 1024
_AT_ONCE: Final = 64
_breathe: Final = partial(time.sleep, 0.0001)
"""Lets the event loop's thread have the interpreter for real; `sleep(0)` would not."""

type _Refused = tuple[int, Capture, Rejection, bytes | None]


@dataclass(slots=True)
class DeadLetterCounters:
    """What became of letters since the start.

    Attributes:
        kept: written to disk.
        kept_bytes: what they took there, bytes.
        lost: refused by the disk, or given up for newer ones; some of those may be of earlier runs.
    """

    kept: int = 0
    kept_bytes: int = 0
    lost: int = 0


@final
class DeadLetters:
    """One sink's dead letters.

    Args:
        name: the sink's name.
        kind: its type.
        log_dir: the folder below which they are kept.
        options: the bounds.
        identity: the process that writes.
        worker: the thread that writes.
        notices: where trouble with the disk is told.

    Attributes:
        counters: what became of them.
        folder: where they are.
        on_unkept: told why letters of ERROR and protected entries could not be kept, and of how many; in any thread.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        log_dir: Path,
        options: DeadLetterOptions,
        *,
        identity: Identity,
        worker: Worker,
        notices: Notices,
    ) -> None:
        self.counters = DeadLetterCounters()
        self.folder = log_dir / FOLDER / label_of(kind, name)
        self.on_unkept: Callable[[str, int], None] = _ignored
        self._name = name
        self._kind = kind
        self._boot_id = identity.boot_id
        self._store = DeadLetterStore(
            self.folder, identity.boot_id, identity.pid, options.max_bytes, options.max_entries
        )
        self._lines = JsonLines(identity)
        self._worker = worker
        self._notices = notices
        self._waiting: deque[_Refused] = deque()
        self._waiting_bytes = 0
        self._given_up = 0
        self._writing = False
        self._used = False
        self._lock = threading.RLock()  # at the process's end, when no thread can be had, the job runs within `keep`

    def keep(self, entry: Capture, rejection: Rejection, part: bytes | None) -> None:
        """Keep an entry that was refused for good.

        Args:
            entry: the entry.
            rejection: status and reason.
            part: what the sink made of it; None where it could not.
        """
        given_up: list[_Refused] = []
        with self._lock:
            self._waiting.append((time.time_ns(), entry, rejection, part))
            self._waiting_bytes += _charged(entry, part)
            while self._waiting_bytes > _WAITING_BYTES and len(self._waiting) > 1:
                given_up.append(self._take_one())
                self.counters.lost += 1
            if not self._writing:
                self._begin()
        self._tell_unkept(given_up, "the disk is slower than the refusals")

    def take_over(self, other: "DeadLetters") -> None:
        """Go on with the counters of another that wrote for the same sink."""
        self.counters = other.counters  # one of the two at a time gets letters; what the other has yet to write counts

    async def close(self) -> None:
        """Write what waits, let others have the files, and let the thread end; another letter begins anew."""
        if not self._used:
            return
        with suppress(RuntimeError):  # no thread can be had
            closing = self._worker.executor.submit(self._close_store)  # it waits behind what is to be written
            await asyncio.wait([asyncio.wrap_future(closing)])
        self._worker.close()

    def _close_store(self) -> None:
        try:
            self._store.close()
        except OSError as error:
            self._say(error)

    def _begin(self) -> None:
        self._writing = self._used = True
        try:
            self._worker.executor.submit(copy_context().run, self._write_waiting)
        except RuntimeError:
            self._writing = False  # no thread can be had: the next letter tries again

    # ---- in the thread ----------------------------------------------------------------------------------------

    def _write_waiting(self) -> None:
        while taken := self._taken():
            self._write(taken)
            _breathe()
        try:
            self._store.sync()
        except OSError as error:
            self._say(error)

    def _taken(self) -> list[_Refused]:
        """The oldest letters that wait; with none, this job has ended."""
        with self._lock:
            taken = [self._take_one() for _ in range(min(_AT_ONCE, len(self._waiting)))]
            if not taken:
                self._writing = False
            return taken

    def _take_one(self) -> _Refused:
        refused = self._waiting.popleft()
        self._waiting_bytes -= _charged(refused[1], refused[3])
        return refused

    def _write(self, taken: list[_Refused]) -> None:
        letters = [(refused, line) for refused in taken if (line := self._line_or_none(refused)) is not None]
        at = 0
        for group in self._store.groups([line for _, line in letters]):
            end = at + len(group)
            try:
                self._store.append(group)
            except OSError as error:
                self._say(error)
                self._count(0, 0, len(group))
                self._tell_unkept([refused for refused, _ in letters[at:end]], str(error))
            else:
                self._count(len(group), sum(map(len, group)), 0)
            at = end

    def _line_or_none(self, refused: _Refused) -> bytes | None:
        try:
            return self._line(refused)
        except Exception as error:  # noqa: BLE001 - a sink of somebody else's may give anything as status and reason
            self._say(error)
            self._count(0, 0, 1)
            self._tell_unkept([refused], f"{type(error).__name__}: {error}")
            return None

    def _line(self, refused: _Refused) -> bytes:
        time_ns, entry, rejection, part = refused
        letter = new_letter(
            entry, rejection, part, sink=self._name, kind=self._kind, boot_id=self._boot_id, time_ns=time_ns
        )
        if part is None:
            letter = replace(letter, entry=self._lines(entry).decode("utf-8", "replace"))
        return letter.line()

    def _count(self, kept: int, kept_bytes: int, lost: int) -> None:
        given_up, self._given_up = self._store.given_up - self._given_up, self._store.given_up
        with self._lock:
            self.counters.kept += kept
            self.counters.kept_bytes += kept_bytes
            self.counters.lost += lost + given_up

    def _tell_unkept(self, letters: Sequence[_Refused], reason: str) -> None:
        protected = sum([lane_of(entry[LEVEL], entry[LOG_TYPE]) >= Lane.ERROR for _, entry, _, _ in letters])
        if protected:
            self.on_unkept(reason, protected)

    def _say(self, error: Exception) -> None:
        self._notices.say(f"dead letters of {self._name}", f"could not be kept: {error}")


def _ignored(_reason: str, _entries: int) -> None:
    """There is no journal, and nobody to tell."""


def _charged(entry: Capture, part: bytes | None) -> int:
    return entry[SIZE] + len(part or b"")
