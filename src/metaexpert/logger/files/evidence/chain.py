"""The chain of the file that is written: one line for each batch of log lines, a seal at its end, and the log's seals.

Called in the file's thread, after the lines are in the file: a kill in between leaves lines that the chain does not
cover, never a chain that speaks of lines that are not there. What the disk refuses waits here, within bounds, and is
written as soon as it can be; beyond them the chain goes on with a break that says which lines it does not cover. Its
end is written elsewhere (`sealing`). It never raises for the disk's sake: `take_fault` says why it is behind.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any, Final, final

from metaexpert.logger.files.evidence.chain_format import (
    DIGEST_BYTES,
    MAX_LINES,
    MAX_RECORD_BYTES,
    NOTHING,
    VERSION,
    FormatError,
    Record,
    digests_of,
    shortened,
    written,
)
from metaexpert.logger.files.evidence.sealing import REFUSALS, Ended, Sealing
from metaexpert.logger.files.evidence.seals import Line, Seals, now, opened, seals_of
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.ownership import is_written
from metaexpert.logger.journal.segments import write_at

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""Log lines of so many bytes together get a line of the chain of their own; a longer log line has one for itself."""

_MAX_PENDING_BYTES: Final = 4 * 1024 * 1024
_RETRY_SECONDS: Final = 1.0
_BLOCK_BYTES: Final = 1024 * 1024
_MODE: Final = 0o600
_BINARY: Final = os.O_BINARY if sys.platform == "win32" else 0


@final
@dataclass(frozen=True, slots=True)
class Anchor:
    """What another sink is to hold of a line of the seals.

    Attributes:
        log: the log's name.
        line: the line of the seals; its head covers all lines before it.
        kind: what the line is about: begun, sealed, ended.
        file: name of the file it is about.
        lines: how many lines of it are proven.
        seal: the head of its chain there.
    """

    log: str
    line: Line
    kind: str
    file: str
    lines: int
    seal: str


@final
@dataclass(frozen=True, slots=True)
class _At:
    """How far a chain has come.

    Attributes:
        head: the head of its last line.
        line: number of the log line that comes next, from 1.
        end_bytes: where that begins in the log file.
    """

    head: bytes = NOTHING
    line: int = 1
    end_bytes: int = 0


@final
class Chain:
    """The chains of one log's files, one after the other.

    Args:
        secret: reads the secret the chains are signed with; None for chains without a key of their own.
        anchor: told of lines of the seals that other sinks are to hold.
        clock: seconds, as `time.monotonic`.

    Attributes:
        fault: why the chain is behind what is written; empty when it is not.
    """

    def __init__(
        self,
        secret: Callable[[], str] | None = None,
        anchor: Callable[[Anchor], None] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.fault = ""
        self._told = ""
        self._secret = secret
        self._anchor = anchor
        self._clock = clock
        self._file: LogFile | None = None
        self._descriptor = -1
        self._has_begun = False
        self._retry_at = 0.0
        self._at = _At()
        self._kept = (b"", _At())  # where a break begins: what is on disk, or the beginning that waits for it
        self._size_bytes = 0
        self._is_torn = False
        self._pending = bytearray()
        self._broken = ""
        self._signing: bytes | None = None
        self._previous = b""
        self._unsealed: dict[Path, str] = {}
        self._has_looked = False

    def take_fault(self) -> str:
        """Why the chain is, or was since it was last asked, behind what is written; empty when it was not."""
        told, self._told = self._told or self.fault, ""
        return told or next(iter([*self._unsealed.values()]), "")

    def begin(self, file: LogFile, size_bytes: int) -> None:
        """A file was opened: a new one, or one of this run that is gone on with.

        Args:
            file: the log file.
            size_bytes: what it holds already.
        """
        self._let_go()
        if file != self._file:
            self._file, self._has_begun = file, False
        self._retry_at = 0.0
        self._attempt(lambda: self._open(size_bytes))

    def add(self, lines: Sequence[bytes], end_bytes: int) -> None:
        """Lines were written.

        Args:
            lines: what was written, without the newline behind each.
            end_bytes: where the last of them ends in the file, its newline included.
        """
        joined = b"".join(lines)
        size = len(joined) + len(lines)
        if self._descriptor < 0 and self._clock() >= self._retry_at:
            self._attempt(lambda: self._open(end_bytes - size))
        if self._descriptor < 0:
            return
        if end_bytes - size != self._at.end_bytes:
            self._break_at(end_bytes - size, "somebody else wrote to the file or cut it", is_foul=True)
        single = b"\n".join(lines).split(b"\n") if b"\n" in joined else lines  # an entry as text may take several
        if len(single) <= MAX_LINES and size <= MAX_LINE_BYTES:
            self._take(single, end_bytes)
        else:
            for some, its_end_bytes in _cut(single, end_bytes - size):
                self._take(some, its_end_bytes)
        self._attempt(self._flush)

    def sync(self) -> None:
        """Bring the chain to the disk."""
        if self._descriptor >= 0:
            self._attempt(lambda: os.fsync(self._descriptor))

    def seal(self, reason: str) -> Sealing | None:
        """The file is done with.

        Args:
            reason: why, such as `rotation` or `stop`.

        Returns:
            What brings its end to the disk, in another thread; None where no chain was begun.
        """
        sealing = None
        if self._file is not None and self._descriptor >= 0:
            sealing = self._sealing(self._file, reason)
            self._descriptor = -1
        elif self._has_begun:
            self._has_looked = False  # what is left of its chain has to do
        self._has_begun, self._signing = False, None
        return sealing

    def close(self) -> None:
        """Let go of the chain's file, to go on with it or not."""
        if self._descriptor >= 0:
            self._attempt(self._flush)
            self.sync()
        self._let_go()

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except REFUSALS as error:
            self.fault = self._told = f"the chain of {self._file and self._file.path} is behind: {error}"
            self._retry_at = self._clock() + _RETRY_SECONDS
        else:
            self.fault = ""

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)

    # ---- beginning ----------------------------------------------------------------------------------------------

    def _open(self, size_bytes: int) -> None:
        """Open or make the chain; raises where that is not possible, and nothing has begun then."""
        file = self._current
        descriptor = os.open(file.chain, os.O_RDWR | os.O_CREAT | _BINARY, _MODE)
        try:
            present_bytes = os.fstat(descriptor).st_size
            is_foul = self._has_begun and present_bytes < self._size_bytes
            if is_foul or not self._has_begun:
                self._begin_chain(file, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor, self._has_begun, self._is_torn = descriptor, True, True
        if is_foul:
            self._break_at(size_bytes, "somebody removed or cut the chain while the file was written", is_foul=True)
        elif size_bytes != self._at.end_bytes:
            self._break_at(size_bytes, "lines were written while there was no chain")
        self._flush()

    def _begin_chain(self, file: LogFile, descriptor: int) -> None:
        found, self._size_bytes = _last_of(descriptor)
        self._at = found
        self._pending, self._broken = bytearray(), ""
        with opened(file.log, self._secret) as seals:
            if not self._has_looked:
                self._has_looked = True
                for line in _end_files_left(seals, file):
                    self._tell(line, "ended", "", 0, b"")
            place = {"file": file.path.name, "run": str(file.run), "number": file.number, "line": found.line}
            line = seals.append("begun", place | {"end": found.end_bytes, "chain": found.head.hex()})
        self._signing = line.signing
        self._write_beginning(file, line)
        self._kept = (bytes(self._pending), self._at)
        self._tell(line, "begun", file.path.name, found.line - 1, found.head)

    def _write_beginning(self, file: LogFile, line: Line) -> None:
        begun = {"series": line.series, "begun": line.head.hex(), "epoch": line.epoch}
        if self._at.head != NOTHING:
            self._record("resume", {"line": self._at.line, "end": self._at.end_bytes, **begun})
            return
        names = {"version": VERSION, "log": file.log.name, "file": file.path.name, "run": str(file.run)}
        hashes = {"hash": "sha256", "digest_bytes": DIGEST_BYTES, "signature": "hmac-sha256" if self._signing else None}
        self._record(
            "chain", {**names, "number": file.number, "previous": self._head_before(file).hex(), **hashes, **begun}
        )

    def _head_before(self, file: LogFile) -> bytes:
        """The head of the run's file before this one; empty when there is none, or it is here no more."""
        if self._previous or file.number == 1:
            return self._previous
        try:
            descriptor = os.open(replace(file, number=file.number - 1).chain, os.O_RDONLY | _BINARY)
        except OSError:
            return b""
        try:
            return _last_of(descriptor)[0].head
        except (OSError, FormatError):
            return b""
        finally:
            os.close(descriptor)

    # ---- going on -----------------------------------------------------------------------------------------------

    def _take(self, lines: Sequence[bytes], end_bytes: int) -> None:
        if self._broken:
            self._at = replace(self._at, line=self._at.line + len(lines), end_bytes=end_bytes)
            self._write_break()
            return
        digests = digests_of(lines)
        values = {"line": self._at.line, "count": len(lines), "end": end_bytes, "digests": shortened(digests)}
        self._record("lines", values, digests)
        self._at = replace(self._at, line=self._at.line + len(lines), end_bytes=end_bytes)

    def _record(self, kind: str, values: dict[str, Any], digests: bytes = b"") -> None:
        data, head = written({"kind": kind, **values}, self._at.head, self._signing, digests)
        self._pending += data
        self._at = replace(self._at, head=head)

    def _break_at(self, begin_bytes: int, reason: str, *, is_foul: bool = False) -> None:
        """Go on at another place of the file than where the chain ends, and say so."""
        count = _lines_between(self._current.path, self._at.end_bytes, begin_bytes)
        self._broken_record(count, begin_bytes, reason, is_foul=is_foul)

    def _broken_record(self, count: int, end_bytes: int, reason: str, *, is_foul: bool = False) -> None:
        values = {"line": self._at.line, "count": count, "end": end_bytes, "reason": reason, "foul": is_foul}
        values["time"] = now()
        self._record("break", values)
        self._at = replace(self._at, line=self._at.line + count, end_bytes=end_bytes)

    def _write_break(self) -> None:
        """One break for all that was written since the disk took the last line of the chain."""
        at = self._at
        self._pending[:], self._at = self._kept
        self._broken_record(at.line - self._at.line, at.end_bytes, self._broken)

    def _flush(self) -> None:
        if not self._pending:
            return
        try:
            if self._is_torn:
                os.ftruncate(self._descriptor, self._size_bytes)
            self._is_torn = True  # until all of it has arrived
            write_at(self._descriptor, self._size_bytes, bytes(self._pending))
        except OSError as error:
            if len(self._pending) > _MAX_PENDING_BYTES and not self._broken:
                self._broken = f"it could not be written: {error.strerror or error}"
                self._write_break()
            raise
        self._is_torn = False
        self._size_bytes += len(self._pending)
        self._pending.clear()
        self._broken = ""
        self._kept = (b"", self._at)

    # ---- the end ------------------------------------------------------------------------------------------------

    def _sealing(self, file: LogFile, reason: str) -> Sealing:
        lines = self._at.line - 1
        self._record("seal", {"lines": lines, "bytes": self._at.end_bytes, "reason": reason, "time": now()})
        self._previous = head = self._at.head
        pending, self._pending = bytes(self._pending), bytearray()
        ended = Ended(file, self._descriptor, self._size_bytes, pending, lines, self._at.end_bytes, head, reason)

        def sealed(line: Line) -> None:
            self._unsealed.pop(file.path, None)
            if reason != "stop":  # by then nothing is taken in any more; the next file's beginning covers it
                self._tell(line, "sealed", file.path.name, lines, head)

        def failed(text: str) -> None:
            self._unsealed[file.path] = self._told = text

        def given_up() -> None:
            self._unsealed.pop(file.path, None)
            self._has_looked = False  # the next file's beginning says how this one was left

        return Sealing(ended, sealed=sealed, failed=failed, given_up=given_up)

    def _tell(self, line: Line, kind: str, name: str, lines: int, seal: bytes) -> None:
        if self._anchor is not None:
            self._anchor(Anchor(self._current.log.name, line, kind, name, lines, seal.hex()))

    @property
    def _current(self) -> LogFile:
        if self._file is None:
            raise FormatError("no file was begun")
        return self._file


def record_removal(log: Path, file: LogFile, reason: str) -> None:
    """Have the seals of a log say that one of its files is removed on purpose; call it before the file is deleted.

    Without it `metaexpert logs verify` reports a file that the seals know as missing. Call it for files that go for
    good, not for those that are compressed or moved to an archive. A log without seals has nothing to say it in: then
    nothing happens.

    Args:
        log: the log's path, such as `logs/expert.log`, where its seals are; also for a file in an archive.
        file: the file that goes, wherever it is.
        reason: why, for people, such as `older than 90 days`.

    Raises:
        OSError: it cannot be written; the file should stay for now.
        ChainKeyError: the seals are keyed and the state of their keys is missing or damaged; as above.
    """
    if seals_of(log).exists():
        with opened(log) as seals:
            seals.append("removed", {"file": file.packed("").path.name, "reason": reason})


def _end_files_left(seals: Seals, but: LogFile) -> list[Line]:
    """Seal what killed processes left as it is now; it can be changed no more without a trace from then on."""
    left: dict[str, None] = {}
    try:
        for record in seals.records():
            match record.kind:
                case "begun":
                    left[record.text("file")] = None
                case "sealed" | "ended" | "removed":
                    left.pop(record.text("file"), None)
                case _:
                    pass
    except FormatError:
        return []  # verify names the damaged line; what is written from now on is chained all the same
    files = [LogFile.parsed(but.folder / name) for name in left]
    return [line for file in files if file and file != but and (line := _ended(seals, file)) is not None]


def _ended(seals: Seals, file: LogFile) -> Line | None:
    try:
        if is_written(file.path):
            return None
        descriptor = os.open(file.chain, os.O_RDONLY | _BINARY)
        try:
            at, _ = _last_of(descriptor)
        finally:
            os.close(descriptor)
        tail = sha256()
        count = 0
        size = at.end_bytes
        for block in _blocks(file.path, at.end_bytes):
            tail.update(block)
            count += block.count(b"\n")
            size += len(block)
    except (OSError, FormatError):
        return None  # compressed, archived or damaged: verify has to do without
    values = {"file": file.path.name, "lines": at.line - 1, "bytes": at.end_bytes, "seal": at.head.hex()}
    rest = {"tail_lines": count, "tail_bytes": size - at.end_bytes, "tail": tail.hexdigest()}
    return seals.append("ended", values | rest)


def _last_of(descriptor: int) -> tuple[_At, int]:
    """Where a chain goes on, and its size up to the end of its last whole line.

    Raises:
        FormatError: its last whole line is damaged.
    """
    size = os.lseek(descriptor, 0, os.SEEK_END)
    begin = max(0, size - 2 * MAX_RECORD_BYTES)
    os.lseek(descriptor, begin, os.SEEK_SET)
    tail = b""
    while more := os.read(descriptor, _BLOCK_BYTES):
        tail += more
    whole = tail.rfind(b"\n") + 1
    if not whole:
        return _At(), 0
    record = Record.parsed(tail[tail.rfind(b"\n", 0, whole - 1) + 1 : whole])
    return _after(record), begin + whole


def _after(record: Record) -> _At:
    """Where a chain is behind one of its lines."""
    match record.kind:
        case "chain":
            return _At(record.head)
        case "seal":
            return _At(record.head, record.number("lines") + 1, record.number("bytes"))
        case "resume":
            return _At(record.head, record.number("line"), record.number("end"))
        case _:
            return _At(record.head, record.number("line") + record.number("count"), record.number("end"))


def _cut(lines: Sequence[bytes], begin_bytes: int) -> Iterator[tuple[Sequence[bytes], int]]:
    """Lines in groups as large as one line of a chain is about, each with where it ends."""
    begin, its_end_bytes, group_bytes = 0, begin_bytes, 0
    for at, line in enumerate(lines):
        if at > begin and (at - begin >= MAX_LINES or group_bytes + len(line) >= MAX_LINE_BYTES):
            yield lines[begin:at], its_end_bytes
            begin, group_bytes = at, 0
        group_bytes += len(line) + 1
        its_end_bytes += len(line) + 1
    yield lines[begin:], its_end_bytes


def _lines_between(path: Path, begin_bytes: int, end_bytes: int) -> int:
    """How many lines end in a part of a file."""
    left, count = end_bytes - begin_bytes, 0
    for block in _blocks(path, begin_bytes):
        if left <= 0:
            break
        count += block[:left].count(b"\n")
        left -= len(block)
    return count


def _blocks(path: Path, begin_bytes: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin_bytes)
        while block := file.read(_BLOCK_BYTES):
            yield block
