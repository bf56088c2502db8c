"""The seals of a log, checked: what they say of each file, and what is wrong with them.

Each line has to follow the one before it. From the first signed one on each is signed, with the keys of the epochs 0,
1, 2 … without a hole; the state of the keys, where it is there, says how many they are.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, final

from metaexpert.logger.files.evidence.chain_format import NOTHING, FormatError, Record
from metaexpert.logger.files.evidence.chain_keys import ChainKeyError, EpochKey, state_of, stored
from metaexpert.logger.files.evidence.seals import LAST_BYTES
from metaexpert.logger.files.evidence.verdict import Finding, Kind

MAX_EPOCHS: Final = 5_000_000
"""More would take longer to derive than anybody waits; it is a hundred files an hour for five years."""


@final
@dataclass(frozen=True, slots=True)
class Begun:
    """That a file was begun, or gone on with.

    Attributes:
        number: of the line that says so.
        epoch: whose key signs the file's chain from there on; None without.
        signing: that key, where it is known.
        chain_head: the head of the file's chain before.
    """

    number: int
    epoch: int | None
    signing: bytes | None
    chain_head: bytes


@final
@dataclass(frozen=True, slots=True)
class End:
    """How a file ended.

    Attributes:
        number: of the line that says so.
        lines: how many lines of it are covered.
        size_bytes: how many bytes those are.
        seal: the head of its chain.
        tail: number of lines, bytes and SHA-256 of what stood behind, where its process was killed.
    """

    number: int
    lines: int
    size_bytes: int
    seal: bytes
    tail: tuple[int, int, bytes] | None = None


@final
@dataclass(slots=True)
class Known:
    """What the seals say of a file.

    Attributes:
        begun: where its chain begins and goes on, by the head of the line that says so.
        end: how it ended last; None when it was not sealed.
        removed: when and why it was removed; empty when it was not.
    """

    begun: dict[bytes, Begun] = field(default_factory=dict[bytes, Begun])
    end: End | None = None
    removed: str = ""

    @property
    def heads(self) -> frozenset[bytes]:
        """The heads that its chain has to come by."""
        ends = () if self.end is None else (self.end.seal,)
        return frozenset((*ends, *(begun.chain_head for begun in self.begun.values())))

    @property
    def is_ended(self) -> bool:
        """Whether it ended, and was not gone on with."""
        return self.end is not None and all(begun.number < self.end.number for begun in self.begun.values())


@final
class SealsView:
    """The seals of one log.

    Args:
        log: the log's path.
        path: where the seals are.
        secret: what its keys follow from; None when it is not there.

    Attributes:
        files: what is said of each file, by its name.
        heads: the head of each line.
        findings: what is wrong, in order.
        notes: what else there is to say.
        is_keyed: whether lines are signed.
        is_checked: whether signatures could be checked.
    """

    def __init__(self, log: Path, path: Path, secret: str | None = None) -> None:
        self.log = log
        self.path = path
        self.files: dict[str, Known] = {}
        self.heads: list[bytes] = []
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.series = self.host = self.folder = ""
        self.is_keyed = False
        self.is_checked = secret is not None
        self._first = EpochKey.first(secret or "", log.name)
        self._next = None if secret is None else self._first
        self._epoch = 0
        self._read()

    def _read(self) -> None:
        state = self._present_state()
        previous = NOTHING
        with self.path.open("rb") as file:
            while line := file.readline(LAST_BYTES):
                if not line.endswith(b"\n") and not file.read(1) and not _is_whole(line[:-1]):
                    self.notes.append(f"the last line of {self.path.name} is torn: its process was killed over it")
                    break
                previous = self._take(line, previous)
        self._check_end(state)

    def _take(self, line: bytes, previous: bytes) -> bytes:
        try:
            record = Record.parsed(line)
            if not record.follows(previous):
                self._wrong(Kind.SEALS_CHANGED, "was changed, or lines before it were removed, inserted or reordered")
            self._check_place(record)
            self._learn(record, self._checked_signature(record))
        except FormatError as error:
            self._wrong(Kind.SEALS_CHANGED, f"is damaged: {error}")
            self.heads.append(b"")
            return previous
        self.heads.append(record.head)
        return record.head

    def _wrong(self, kind: Kind, what: str) -> None:
        """The first thing that is wrong is told; what follows from it is not."""
        if not self.findings:
            self.findings.append(Finding(kind, f"line {len(self.heads) + 1} of {self.path.name} {what}"))

    def _check_place(self, record: Record) -> None:
        number = len(self.heads) + 1
        if (record.kind == "series") is not (number == 1) or record.number("n") != number:
            self._wrong(Kind.SEALS_CHANGED, "is not the line that belongs there")

    def _checked_signature(self, record: Record) -> bytes | None:
        """What signs the line; None where it is not signed or that is not known."""
        epoch = record.epoch()
        if epoch is None or not record.mac:
            if self.is_keyed or epoch is not None or record.mac:
                self._wrong(Kind.FORGED, "carries no signature, and the lines before it do")
            return None
        self.is_keyed = True
        if epoch != self._epoch:
            self._wrong(Kind.SEALS_CHANGED, f"is of epoch {epoch} where {self._epoch} comes: lines were taken out")
        self._epoch = epoch + 1
        signing = self._key_of(epoch)
        if signing is not None and not record.is_signed_by(signing):
            self._wrong(Kind.FORGED, "is not signed with this key: it is another log's, or the line was rewritten")
        return signing

    def _key_of(self, epoch: int) -> bytes | None:
        if self._next is None or not self._next.epoch <= epoch <= MAX_EPOCHS:
            return None  # without the key, or where an earlier line has been found wrong
        key = self._next.at(epoch)
        self._next = key.next()
        return key.signing()

    def _learn(self, record: Record, signing: bytes | None) -> None:
        match record.kind:
            case "series":
                self.series, self.host, self.folder = map(record.text, ("series", "host", "folder"))
                after = record.text("after")
                if after:
                    self.notes.append(f"{self.path.name} was begun anew, since the one before was damaged: see {after}")
            case "begun":
                begun = Begun(len(self.heads) + 1, record.epoch(), signing, _head(record, "chain"))
                self._of(record).begun[record.head] = begun
            case "sealed" | "ended":
                self._of(record).end = _end(record, len(self.heads) + 1)
            case "removed":
                self._of(record).removed = f"{record.text('time')[:19]}Z, {record.text('reason')}"
            case kind:
                raise FormatError(f"it is of a kind unknown here: {kind}")

    def _of(self, record: Record) -> Known:
        return self.files.setdefault(record.text("file"), Known())

    def _present_state(self) -> EpochKey | None:
        """The state of the keys; read before the lines, which then have its epoch or later ones."""
        path = state_of(self.path)
        why = f"{path.name} is not here"
        try:
            state = stored(path) if self._next is not None else None
        except (OSError, ChainKeyError) as error:
            state, why = None, str(error)
        if self._next is not None and state is None:
            self.notes.append(f"lines cut off the end of {self.path.name} cannot be found without anchors: {why}")
        return state

    def _check_end(self, state: EpochKey | None) -> None:
        """Whether lines were cut off the end: the state of the keys has gone on past all there ever were."""
        if self._next is None:
            return
        if not self.is_keyed and len(self.heads) > 1:
            self.findings.append(Finding(Kind.FORGED, f"{self.path.name} has no signed line: the key proves nothing"))
        elif state is not None and state.epoch > self._epoch:
            self._cut_off(state)
        elif state is not None and state != self._first.at(state.epoch):
            text = f"{state_of(self.path).name} is not the state that belongs to these seals"
            self.findings.append(Finding(Kind.SEALS_CHANGED, text))

    def _cut_off(self, state: EpochKey) -> None:
        count = state.epoch - self._epoch
        text = f"{count} lines were cut off the end of {self.path.name}: the key state is at epoch {state.epoch}"
        self.findings.append(Finding(Kind.ROLLED_BACK, text))


def _is_whole(text: bytes) -> bool:
    """Whether it is a line but for its end: what its process was killed over is less."""
    try:
        Record.parsed(text + b"\n")
    except FormatError:
        return False
    return True


def _end(record: Record, number: int) -> End:
    tail = None
    if record.kind == "ended":
        tail = record.number("tail_lines"), record.number("tail_bytes"), _head(record, "tail")
    return End(number, record.number("lines"), record.number("bytes"), _head(record, "seal"), tail)


def _head(record: Record, name: str) -> bytes:
    try:
        value = bytes.fromhex(record.text(name))
    except ValueError:
        value = b""
    if len(value) != sha256().digest_size:
        raise FormatError(f"{name} is not 64 hexadecimal digits")
    return value
