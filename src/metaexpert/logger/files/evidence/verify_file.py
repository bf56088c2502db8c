"""One log file, checked against its chain: as a stream, in constant memory, whether it is packed or not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from gzip import BadGzipFile
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, final

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.evidence.chain_format import (
    MAX_LINES,
    MAX_RECORD_BYTES,
    NOTHING,
    VERSION,
    FormatError,
    Record,
    digests_of,
    shortened,
)
from metaexpert.logger.files.evidence.chain_keys import EpochKey
from metaexpert.logger.files.evidence.verdict import FileVerdict, Finding, Kind, State
from metaexpert.logger.files.evidence.verify_lines import blamed_chain, entry_of, what_happened
from metaexpert.logger.files.evidence.verify_seals import MAX_EPOCHS, Begun, Known
from metaexpert.logger.files.keeping.packing import damage, unpacked
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.ownership import is_written

_AHEAD_LINES: Final = 8192
"""How far is looked where something was removed to, inserted or moved from."""

_AHEAD_BYTES: Final = 16 * 1024 * 1024
_MAX_STEP_BYTES: Final = 256 * 1024 * 1024
"""No line of a chain is about more: the largest log line, or a few MiB of shorter ones."""

_BLOCK_BYTES: Final = 1024 * 1024
_UNSEALED: Final = "it is unsealed: its process was killed, or the disk refused its seal"


@final
@dataclass(frozen=True, slots=True)
class Task:
    """A file to check.

    Attributes:
        path: the file.
        chain: its chain, whether there is one or not.
        known: what the seals say of it; None when there are no seals.
        secret: what signs the chain follows from, where there are no seals to say that; None without.
    """

    path: Path
    chain: Path
    known: Known | None
    secret: str | None = None


class _Wrong(Exception):  # noqa: N818 - a finding on its way
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


def verify_file(task: Task) -> FileVerdict:
    """Check a file against its chain, and both against what the seals say."""
    file = LogFile.parsed(task.path)
    if file is None:
        return FileVerdict(task.path.name, task.path, State.UNCHAINED, notes=("its name is none of a log file",))
    walk = _Walk(file, task, spoken_of=task.known.heads if task.known else frozenset())
    try:
        return walk.verdict()
    except (BadGzipFile, *damage()) as error:
        if not task.chain.exists():
            return walk.told(State.UNREADABLE, None, f"its compressed content is damaged: {error}")
        text = f"its compressed content is damaged behind line {walk.line - 1}: {error}"
        return walk.told(State.TAMPERED, Finding(Kind.CHANGED, text, walk.line, *entry_of(walk.last)))
    except (OSError, MetaExpertError) as error:
        return walk.told(State.UNREADABLE, None, str(error))


@final
@dataclass(slots=True)
class _Walk:
    """Along the chain, line by line, with the file beside it."""

    file: LogFile
    task: Task
    head: bytes = NOTHING
    line: int = 1
    end_bytes: int = 0
    last: bytes = b""
    is_sealed: bool = False
    is_torn: bool = False
    uncovered: int = 0
    behind: int = 0
    """Lines behind all that the chain is about."""
    signing: bytes | None = None
    reached: set[bytes] = field(default_factory=lambda: {NOTHING})
    spoken_of: frozenset[bytes] = frozenset()
    """The heads that the seals speak of, and those of them that it came by."""
    notes: list[str] = field(default_factory=list[str])

    def told(self, state: State, finding: Finding | None = None, *notes: str) -> FileVerdict:
        """What is known by now."""
        return FileVerdict(
            self.file.packed("").path.name,
            self.task.path,
            state,
            lines=max(0, self.line - 1 - self.uncovered),
            size_bytes=self.end_bytes,
            uncovered_lines=self.uncovered + self.behind,
            signed=self.signing is not None,
            finding=finding,
            notes=(*self.notes, *notes),
        )

    def verdict(self) -> FileVerdict:
        """Check it.

        Raises:
            OSError: it cannot be read.
        """
        with unpacked(self.task.path) as data:
            try:
                chain = self.task.chain.open("rb")
            except FileNotFoundError:
                return self._without_chain(data)
            with chain:
                return self._along(chain, data)

    def _without_chain(self, data: BinaryIO) -> FileVerdict:
        known = self.task.known
        if known is not None and known.end is None and not data.read(1):
            return self.told(State.CUT_SHORT, None, "nothing was written to it: its process was killed as it began")
        if known is None or not known.begun:
            return self.told(State.UNCHAINED, None, "it was written without tamper evidence, or is not of this log")
        text = f"{self.task.chain.name} is missing or empty: the seals know that it was begun"
        return self.told(State.TAMPERED, Finding(Kind.CHAIN_MISSING, text, 1))

    def _along(self, chain: BinaryIO, data: BinaryIO) -> FileVerdict:
        try:
            for record in self._records(chain):
                self._step(record, chain, data)
            if self.head == NOTHING:
                return self._without_chain(data)
            self._compare_with_seals()
            return self._rest(data)
        except _Wrong as wrong:
            return self.told(State.TAMPERED, wrong.finding)

    def _records(self, chain: BinaryIO) -> Iterator[Record]:
        while line := chain.readline(MAX_RECORD_BYTES):
            if not line.endswith(b"\n") and len(line) < MAX_RECORD_BYTES:
                self.is_torn = True
                return
            try:
                yield Record.parsed(line)
            except FormatError as error:
                raise self._chain_is_wrong(f"is damaged: {error}") from None

    def _chain_is_wrong(self, what: str, kind: Kind = Kind.CHAIN_CHANGED) -> _Wrong:
        text = f"the chain {what}; line {self.line} is the first that is not proven"
        return _Wrong(Finding(kind, text, self.line, *entry_of(self.last)))

    def _step(self, record: Record, chain: BinaryIO, data: BinaryIO) -> None:
        if self.head == NOTHING and record.kind != "chain":
            raise self._chain_is_wrong("does not begin at its beginning")
        if self.is_sealed and record.kind != "resume":
            raise self._chain_is_wrong("goes on behind its seal")
        line, end_bytes = self.line, self.end_bytes
        try:
            self._dispatch(record, chain, data)
        except ValueError as error:
            raise self._chain_is_wrong(f"is damaged: {error}") from None
        if self.signing is not None and not record.is_signed_by(self.signing):
            self.line, self.end_bytes = line, end_bytes
            raise self._chain_is_wrong(
                "is not signed with this key: it is another log's, or was rewritten", Kind.FORGED
            )
        self.head = record.head
        if record.head in self.spoken_of:
            self.reached.add(record.head)

    def _dispatch(self, record: Record, chain: BinaryIO, data: BinaryIO) -> None:
        match record.kind:
            case "lines":
                self._lines(record, chain, data)
            case "chain":
                self._beginning(record)
            case "break":
                self._break(record, data)
            case "resume":
                self._resume(record)
            case "seal":
                self._follows(record)
                if (record.number("lines"), record.number("bytes")) != (self.line - 1, self.end_bytes):
                    raise self._chain_is_wrong("has a seal of another file")
                self.is_sealed = True
            case kind:
                raise FormatError(f"a line of the unknown kind {kind}")

    def _follows(self, record: Record) -> None:
        if not record.follows(self.head):
            raise self._chain_is_wrong("was changed, or lines of it were removed, inserted or reordered")

    # ---- where it begins ----------------------------------------------------------------------------------------

    def _beginning(self, record: Record) -> None:
        if self.head != NOTHING:
            raise self._chain_is_wrong("begins twice")
        self._follows(record)
        if record.number("version") != VERSION:
            raise FormatError(f"it is of version {record.number('version')}; this program knows {VERSION}")
        own = self.file.packed("").path.name
        if record.text("file") != own:
            text = f"the chain is that of {record.text('file')}: files were swapped or renamed"
            raise _Wrong(Finding(Kind.SWAPPED, text, 1))
        self._begin(record)

    def _resume(self, record: Record) -> None:
        self._follows(record)
        if (record.number("line"), record.number("end")) != (self.line, self.end_bytes):
            raise self._chain_is_wrong("goes on at another place")
        self._begin(record)
        self.is_sealed = False

    def _begin(self, record: Record) -> None:
        """Take the key that signs from here on."""
        epoch, known = record.epoch(), self.task.known
        if known is None:
            self.signing = self._derived(epoch)
            return
        begun = known.begun.get(bytes.fromhex(record.text("begun")))
        if begun is None or begun.epoch != epoch:
            raise self._chain_is_wrong("is not the one that the seals say was begun", Kind.CHAIN_REPLACED)
        if begun.chain_head != self.head:
            raise self._chain_is_wrong("goes on from another place than the seals say", Kind.CHAIN_REPLACED)
        self.signing = begun.signing

    def _derived(self, epoch: int | None) -> bytes | None:
        if self.task.secret is None:
            return None
        if epoch is None:
            raise self._chain_is_wrong("is not signed: the key proves nothing", Kind.FORGED)
        if epoch > MAX_EPOCHS:
            raise FormatError(f"an epoch of {epoch}")
        return EpochKey.first(self.task.secret, self.file.log.name).at(epoch).signing()

    # ---- what it is about ---------------------------------------------------------------------------------------

    def _lines(self, record: Record, chain: BinaryIO, data: BinaryIO) -> None:
        count, end_bytes = record.number("count"), record.number("end")
        if record.number("line") != self.line or not 0 < count <= MAX_LINES:
            raise self._chain_is_wrong("was changed, or lines of it were removed, inserted or reordered")
        size = end_bytes - self.end_bytes
        if not count <= size <= _MAX_STEP_BYTES:
            raise FormatError(f"{count} lines of {size} bytes together")
        content = _exactly(data, size)
        lines = content.split(b"\n")
        rest = lines.pop()
        digests = digests_of(lines)
        if rest or len(lines) != count or not record.follows(self.head, digests):
            raise self._difference(record, chain, data, content)
        if record.text("digests") != shortened(digests):
            raise self._chain_is_wrong("has digests of other lines than its heads")
        self.line += count
        self.end_bytes = end_bytes
        self.last = lines[-1]

    def _difference(self, record: Record, chain: BinaryIO, data: BinaryIO, content: bytes) -> _Wrong:
        lines = content.split(b"\n")
        if not lines.pop() and blamed_chain(record, self.head, lines):
            return self._chain_is_wrong("has other digests than it had")
        expected = record.digests()
        expected += self._ahead(chain, self.line + len(expected))
        more = _exactly(data, _AHEAD_BYTES)
        actual = (content + more).split(b"\n", _AHEAD_LINES + MAX_LINES)
        rest = actual.pop()
        if len(more) == _AHEAD_BYTES or b"\n" in rest:  # there is more than was looked at
            expected, rest = expected[: len(actual)], b""
        found = what_happened(expected, actual, self.line, self.last, is_cut=bool(rest))
        if found is None:
            return self._chain_is_wrong("was changed, or lines of it were removed, inserted or reordered")
        self.line, self.end_bytes = found.line, self.end_bytes + _size_before(actual, found.line - self.line)
        return _Wrong(found)

    def _ahead(self, chain: BinaryIO, line: int) -> list[bytes]:
        """The digests that the chain has of the lines that follow."""
        expected: list[bytes] = []
        try:
            for record in self._records(chain):
                if len(expected) > _AHEAD_LINES or record.kind != "lines" or record.number("line") != line:
                    break
                expected += record.digests()
                line += record.number("count")
        except (FormatError, _Wrong):
            return expected
        return expected

    def _break(self, record: Record, data: BinaryIO) -> None:
        self._follows(record)
        count, end_bytes = record.number("count"), record.number("end")
        reason = record.text("reason")
        if record.number("line") != self.line:
            raise self._chain_is_wrong("was changed, or lines of it were removed, inserted or reordered")
        if record.values.get("foul") is not False or end_bytes < self.end_bytes:
            text = f"at line {self.line} the process that wrote the file found: {reason}"
            raise _Wrong(Finding(Kind.CHAIN_REPLACED, text, self.line, *entry_of(self.last)))
        self._skip(data, end_bytes - self.end_bytes)
        last = self.line + count - 1
        self.notes.append(f"lines {self.line} to {last} are not covered: {reason}")
        self.line, self.end_bytes, self.uncovered = last + 1, end_bytes, self.uncovered + count

    def _skip(self, data: BinaryIO, size_bytes: int) -> None:
        while size_bytes > 0:
            block = data.read(min(size_bytes, _BLOCK_BYTES))
            if not block:
                text = f"the file ends amid lines that the chain does not cover, after line {self.line - 1}"
                raise _Wrong(Finding(Kind.TRUNCATED, text, self.line, *entry_of(self.last)))
            size_bytes -= len(block)

    # ---- where it ends ------------------------------------------------------------------------------------------

    def _compare_with_seals(self) -> None:
        known = self.task.known
        if known is None:
            return
        for begun in known.begun.values():
            self._check_reached(begun)
        end = known.end
        if end is None or (not known.is_ended and end.seal in self.reached):
            return
        if end.seal == self.head:
            return
        if self.line - 1 < end.lines:
            text = f"the seals say it had {end.lines} lines; it and its chain have {self.line - 1}: rolled back"
            raise _Wrong(Finding(Kind.ROLLED_BACK, text, self.line, *entry_of(self.last)))
        raise self._chain_is_wrong("has another head than the seals say", Kind.CHAIN_REPLACED)

    def _check_reached(self, begun: Begun) -> None:
        """That the chain has come by where the seals say it was gone on with."""
        if begun.chain_head not in self.reached:
            text = f"the chain ends at line {self.line - 1}, and was gone on with further on: rolled back"
            raise _Wrong(Finding(Kind.ROLLED_BACK, text, self.line, *entry_of(self.last)))

    def _rest(self, data: BinaryIO) -> FileVerdict:
        """What stands behind all that the chain covers."""
        count, size, tail, first = _measured(data)
        known = self.task.known
        end = known.end if known is not None and known.is_ended else None
        if end is not None and end.tail is not None and not self.is_sealed:
            if (count, size, tail) != end.tail:
                text = f"what its killed process left from line {self.line} on was changed since the seals noted it"
                return self.told(State.TAMPERED, Finding(Kind.CHANGED, text, self.line, *entry_of(first)))
            self.behind = count
            return self._cut_short(count, " by its chain, but by what the seals noted later", count > 0)
        if self.is_sealed:
            if size:
                text = f"{count} lines, {size} bytes, were added behind its seal, from line {self.line} on"
                return self.told(State.TAMPERED, Finding(Kind.INSERTED, text, self.line, *entry_of(first)))
            return self.told(State.INTACT)
        self.behind = count
        if not self.file.packing and is_written(self.task.path):
            return self._live(count)
        return self._cut_short(count, "", count > 0 or size > 0)

    def _live(self, count: int) -> FileVerdict:
        return self.told(State.LIVE, None, *([f"{count} lines at its end are not chained yet"] if count else []))

    def _cut_short(self, count: int, since: str, has_rest: bool) -> FileVerdict:  # noqa: FBT001 - of this class
        rest = (f"{count} lines at the end are not covered{since}",) if has_rest else ()
        torn = ("the last line of its chain is torn: the process was killed over it",) if self.is_torn else ()
        return self.told(State.CUT_SHORT, None, _UNSEALED, *rest, *torn)


def _exactly(data: BinaryIO, size_bytes: int) -> bytes:
    """So many bytes, fewer only where the file ends."""
    content = data.read(size_bytes)
    while len(content) < size_bytes and (more := data.read(size_bytes - len(content))):
        content += more
    return content


def _size_before(lines: list[bytes], count: int) -> int:
    return sum(len(line) + 1 for line in lines[:count])


def _measured(data: BinaryIO) -> tuple[int, int, bytes, bytes]:
    """Lines, bytes and SHA-256 of what is left of a file, and its first line."""
    count, size, digest, first = 0, 0, sha256(), b""
    while block := data.read(_BLOCK_BYTES):
        if not size:
            first = block[: block.find(b"\n")]
        count += block.count(b"\n")
        size += len(block)
        digest.update(block)
    return count, size, digest.digest(), first
