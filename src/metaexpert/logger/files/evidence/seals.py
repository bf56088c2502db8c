"""The seals of a log: a chained line for each file begun, sealed, found unsealed and removed, by all processes.

A file `<log>.seals` beside the log, such as `expert.log.seals`, appended to under the system's lock (where the file
system knows none, under a lock by name) and brought to the disk before anything relies on it. With keys each line but
the first takes an epoch; the epochs are 0, 1, 2 … without a hole, so that no line can be taken out, and the key state
says how many there have to be.
"""

import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, final

from metaexpert.logger.files.evidence.chain_format import NOTHING, SUFFIX, VERSION, FormatError, Record, written
from metaexpert.logger.files.evidence.chain_keys import ChainKeyError, EpochKey, state_of, store, stored
from metaexpert.logger.files.evidence.named_lock import locked_by_name
from metaexpert.logger.journal.segments import sync_folder

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LAST_BYTES: Final = 64 * 1024
"""No line of the seals is longer."""

_MODE: Final = 0o600
_BINARY: Final = os.O_BINARY if sys.platform == "win32" else 0
_PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.002
_FAR_BYTE: Final = 0x7FFF_FFF0
"""What is locked on Windows, where a lock keeps others from reading too."""

_ATTEMPTS: Final = 100


@final
@dataclass(frozen=True, slots=True)
class Line:
    """A line that was appended.

    Attributes:
        host: the machine that these seals were begun on.
        folder: where that was.
        series: their random name.
        number: its number, from 1.
        head: its head.
        epoch: whose key signs it; None without keys.
        signing: that key.
    """

    host: str
    folder: str
    series: str
    number: int
    head: bytes
    epoch: int | None
    signing: bytes | None


def seals_of(log: Path) -> Path:
    """Where the seals of a log are, whether it has some or not."""
    return log.with_name(log.name + SUFFIX)


def now() -> str:
    """The time as lines have it: UTC, microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@contextmanager
def opened(log: Path, secret: Callable[[], str] | None = None) -> Generator["Seals"]:
    """Hold the seals of a log, made when missing; other processes and threads wait meanwhile.

    Args:
        log: the log's path.
        secret: reads what its keys follow from, asked where there is no key state yet; None for seals without keys.

    Raises:
        OSError: they cannot be read, made or locked.
        ChainKeyError: they are keyed and the state of their keys is missing or damaged.
        ConfigError: the secret cannot be read.
    """
    path = seals_of(log)
    with locked_by_name(path) if _knows_no_locks(path) else nullcontext():
        descriptor = _locked(path)
        try:
            yield Seals(path, log, descriptor, secret)
        finally:
            _held.discard(descriptor)
            os.close(descriptor)


@final
class Seals:
    """The seals of a log, held; `opened` makes it."""

    def __init__(self, path: Path, log: Path, descriptor: int, secret: Callable[[], str] | None) -> None:
        self.path = path
        self._log = log
        self._descriptor = descriptor
        self._head, self._number = NOTHING, 0
        self._host, self._folder, self._series = socket.gethostname(), str(log.parent.absolute()), ""
        self._last: Record | None = None
        self._after = ""
        self._find_last()
        self._key = self._present_key(secret)

    @property
    def is_keyed(self) -> bool:
        """Whether its lines are signed."""
        return self._key is not None

    def records(self) -> Iterator[Record]:
        """Every line there is.

        Raises:
            OSError: they cannot be read.
            FormatError: a line is damaged.
        """
        with self.path.open("rb") as file:
            while line := file.readline(LAST_BYTES):
                yield Record.parsed(line)

    def append(self, kind: str, values: Mapping[str, Any]) -> Line:
        """Add a line that takes an epoch of its own, on disk when this returns.

        Raises:
            OSError: the system refuses; nothing was added, or the line without the state of the keys, which the next
                one who opens the seals makes up for.
        """
        self._begin_series()
        key = self._key
        if key is None:
            return self._append(kind, values, None, None)
        line = self._append(kind, values, key.epoch, key.signing())
        self._key = key.next()
        store(state_of(self.path), self._key)
        return line

    def _append(self, kind: str, values: Mapping[str, Any], epoch: int | None, signing: bytes | None) -> Line:
        content = {"kind": kind, "n": self._number + 1, **values, "epoch": epoch, "time": now()}
        data, head = written(content, self._head, signing)
        end = os.lseek(self._descriptor, 0, os.SEEK_END)
        try:
            _write(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, end)
            raise
        self._head, self._number = head, self._number + 1
        return Line(self._host, self._folder, self._series, self._number, head, epoch, signing)

    def _begin_series(self) -> None:
        if self._number:
            return
        self._series = secrets.token_hex(16)
        names = {"version": VERSION, "log": self._log.name, "host": self._host, "folder": self._folder}
        values = {**names, "series": self._series, "hash": "sha256", "signature": "hmac-sha256", "after": self._after}
        self._append("series", values, None, None)
        sync_folder(self.path.parent)

    def _find_last(self) -> None:
        """Where to go on; a line that its process was killed over is taken away, nobody has relied on it."""
        size = os.lseek(self._descriptor, 0, os.SEEK_END)
        begin = max(0, size - LAST_BYTES)
        tail = _read(self._descriptor, begin, size - begin)
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail) and (whole or not begin):
            os.ftruncate(self._descriptor, begin + whole)
        if not whole and not begin:
            return
        try:
            self._last = Record.parsed(tail[tail.rfind(b"\n", 0, max(0, whole - 1)) + 1 : whole])
            self._number, self._head = self._last.number("n"), self._last.head
            self._host, self._folder, self._series = map(self._first().text, ("host", "folder", "series"))
        except FormatError:
            self._set_aside()

    def _first(self) -> Record:
        line, newline, _ = _read(self._descriptor, 0, LAST_BYTES).partition(b"\n")
        return Record.parsed(line + newline)

    def _set_aside(self) -> None:
        """Keep damaged seals under another name: what is logged from now on is to be provable all the same."""
        self._after = f"{self.path.name}.damaged-{time.time_ns()}"
        self.path.rename(self.path.with_name(self._after))
        former, self._descriptor = self._descriptor, _locked(self.path)
        os.dup2(self._descriptor, former)
        _held.discard(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = former
        self._head, self._number, self._last = NOTHING, 0, None

    def _present_key(self, secret: Callable[[], str] | None) -> EpochKey | None:
        state = state_of(self.path)
        key = stored(state)
        if key is None:
            return self._first_key(state, secret)
        last = None if self._last is None else self._last.epoch()
        if last is not None and last >= key.epoch:  # a kill or a power loss came before the next one was stored
            key = key.at(last + 1)
            store(state, key)
        return key

    def _first_key(self, state: Path, secret: Callable[[], str] | None) -> EpochKey | None:
        """The key to begin with, or to go on with where the state of the keys was lost."""
        used = self._highest_epoch()
        if secret is None:
            if used is not None:
                raise ChainKeyError(
                    f"{state} is gone, and with it the key: bring it back, or give the secret once more"
                )
            return None
        key = EpochKey.first(secret(), self._log.name).at(0 if used is None else used + 1)
        store(state, key)
        return key

    def _highest_epoch(self) -> int | None:
        if self._last is None or not self._last.mac:  # once keyed, always keyed
            return None
        epochs = [epoch for record in self.records() if (epoch := record.epoch()) is not None]
        return max(epochs, default=None)


_held: Final[set[int]] = set()


def _locked(path: Path) -> int:
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY, _MODE)
        _held.add(descriptor)
        try:
            _lock(descriptor)
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
        except FileNotFoundError:
            pass  # taken away between our two steps
        except BaseException:
            _held.discard(descriptor)
            os.close(descriptor)
            raise
        _held.discard(descriptor)
        os.close(descriptor)
    raise OSError(f"{path} is deleted again and again by somebody else")


def _knows_no_locks(path: Path) -> bool:
    """Whether the file system of the seals knows none."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, _MODE)
    try:
        _try_lock(descriptor)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Wait for the lock; where the file system knows none, one by name is held already."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            _try_lock(descriptor)
        except (BlockingIOError, PermissionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        except OSError:
            return
        else:
            return


if sys.platform == "win32":

    def _try_lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _read(descriptor: int, at: int, count: int) -> bytes:
    os.lseek(descriptor, at, os.SEEK_SET)
    data = b""
    while len(data) < count and (more := os.read(descriptor, count - len(data))):
        data += more
    return data


def _forget_all() -> None:
    """In a forked child: it would hold on the locks that its parent had at that moment."""
    for descriptor in list(_held):
        os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
