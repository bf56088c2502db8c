"""Entries without ids, as lines of text are, that stand in several files: which of them are copies of one; pure.

Lines are compared that have one time and the same bytes. Who wrote them decides, which their files' names tell:

- in two logs of one run an entry stands that went to both, as an error does;
- in the file of a run that began after the line's time stands what that run recovered from a former one;
- all others are entries of their own: repetitions in one log, also from one file of it to the next, and what other
  processes logged at that time.

Lines of one kind that are repetitions are counted, and as many come once as one log has. Memory is constant: of the
lines that came out, the last `KNOWN_LINES` at least are known, wherever in the stream a copy comes.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, final

from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.reading.moments import SECOND_NS

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.entries import LogEntry

KNOWN_LINES: Final = 32_768
_KNOWN_FILES: Final = 10_000

type _Key = tuple[int, int]
"""A line's time, and what its bytes hash to."""


class Writer(NamedTuple):
    """A log of a run, as far as a file's name tells.

    Attributes:
        run: of a process; of a file that is not named as ours are, its path.
        log: the log's name.
        begun_ns: the end of the second the run began in; 0 when it is not known.
    """

    run: str
    log: str
    begun_ns: int

    @classmethod
    def of(cls, path: Path) -> "Writer":
        """Who wrote a file."""
        file = LogFile.parsed(path)
        if file is None:
            return cls(str(path), "", 0)
        return cls(str(file.run), file.log.name, (int(file.run.started_at.timestamp()) + 1) * SECOND_NS)

    def has_recovered(self, time_ns: int) -> bool:
        """Whether a line of that time is of a former run."""
        return time_ns < self.begun_ns


@final
@dataclass(slots=True)
class Standing:
    """In which logs the lines stand that have one time and the same bytes.

    Attributes:
        counts: how often in each.
        told: how many entries they were taken for so far.
    """

    counts: dict[Writer, int] = field(default_factory=dict[Writer, int])
    told: int = 0

    def is_copy(self, writer: Writer, time_ns: int) -> bool:
        """Take in a further line; whether it is a copy of one that was told already."""
        self.counts[writer] = self.counts.get(writer, 0) + 1
        is_copy = self._entries(time_ns) <= self.told
        self.told += not is_copy
        return is_copy

    def _entries(self, time_ns: int) -> int:
        """How many entries they are: as many as the runs of that time tell, or as one has recovered of them."""
        own, recovered = dict[str, int](), 0
        for writer, count in self.counts.items():
            if writer.has_recovered(time_ns):
                recovered = max(recovered, count)
            else:
                own[writer.run] = max(own.get(writer.run, 0), count)
        return max(sum(own.values()), recovered)


@final
class TextCopies:
    """Tells copies from entries that came out before; a line's copies may come in any order."""

    def __init__(self, known: int = KNOWN_LINES) -> None:
        self._most = known
        self._writers: dict[Path, Writer] = {}
        self._new: dict[_Key, Writer | Standing] = {}
        self._old: dict[_Key, Writer | Standing] = {}

    def is_copy(self, entry: "LogEntry") -> bool:
        """Take in an entry; whether it came already, from another log or another run's recovery."""
        writer = self._writers.get(entry.source) or self._writer_of(entry.source)
        key = (entry.time_ns, hash(entry.line))
        known = self._new.get(key)
        if known is None:
            known = self._old.get(key)
        if known is None:
            self._note(key, writer)
            return False
        if not isinstance(known, Standing):  # most lines stand once: they are remembered in little room
            known = Standing({known: 1}, 1)
            self._note(key, known)
        return known.is_copy(writer, entry.time_ns)

    def _writer_of(self, path: Path) -> Writer:
        if len(self._writers) >= _KNOWN_FILES:
            self._writers.clear()
        writer = self._writers[path] = Writer.of(path)
        return writer

    def _note(self, key: _Key, known: Writer | Standing) -> None:
        if len(self._new) >= self._most:
            self._old, self._new = self._new, {}
        self._new[key] = known
