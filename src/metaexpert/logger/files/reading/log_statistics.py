"""What log files hold, in figures: entries, rates, errors, drops, missing numbers, clock steps; pure and bounded.

Entries come file by file, in the order they stand in there. An entry that stands in a log twice, as recovery may leave
it, counts once; what stands in several logs counts in each of them.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast, final

from metaexpert.logger.entry import GAP
from metaexpert.logger.files.reading.error_groups import ErrorGroup, ErrorGroups
from metaexpert.logger.files.reading.sequence_numbers import SequenceNumbers, run_and_number
from metaexpert.logger.files.reading.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metaexpert.logger.files.reading.entries import LogEntry

ERROR: Final = 40
STEP_NS: Final = 100_000_000
"""How far a clock must go back to be told: threads that log at once are apart by less."""

_GAP_LOGGER: Final = "metaexpert.logger"
_KEPT_STEPS: Final = 100
_SHOWN_HOLES: Final = 5


@final
@dataclass(slots=True)
class WriterStatistics:
    """What one process wrote to one log.

    Attributes:
        log: the log's name, such as `expert.log`.
        process: the process, as its files' names tell it; empty where they do not.
        size_bytes: of its files, as they are on disk.
        duplicates: entries that stood in the log already.
    """

    log: str
    process: str
    files: int = 0
    size_bytes: int = 0
    entries: int = 0
    by_level: dict[str, int] = field(default_factory=dict[str, int])
    first_ns: int | None = None
    last_ns: int | None = None
    damaged: int = 0
    duplicates: int = 0

    def add(self, level: str, time_ns: int) -> None:
        """Count an entry."""
        self.entries += 1
        self.by_level[level] = self.by_level.get(level, 0) + 1
        if self.first_ns is None or time_ns < self.first_ns:
            self.first_ns = time_ns
        if self.last_ns is None or time_ns > self.last_ns:
            self.last_ns = time_ns


@final
@dataclass(slots=True)
class Drops:
    """Entries that a gap entry says are missing from a log.

    Attributes:
        what: what befell them: "dropped", or "held back" by a rate limit.
    """

    log: str
    sink: str
    what: str
    reason: str
    entries: int = 0
    gaps: int = 0
    by_level: dict[str, int] = field(default_factory=dict[str, int])


@final
@dataclass(frozen=True, slots=True)
class ClockStep:
    """A place in a log where the time goes back.

    Attributes:
        time_ns: the entry's before it.
        back_ns: by how much.
    """

    log: str
    process: str
    time_ns: int
    back_ns: int


@final
@dataclass(frozen=True, slots=True)
class RunNumbers:
    """Which sequence numbers of a run stand in any of the logs read.

    Attributes:
        missing: numbers between the first and the last that stand in none.
        holes: in how many stretches.
        longest: first and last number of the longest stretches.
    """

    boot_id: str
    first: int
    last: int
    present: int
    missing: int
    holes: int
    longest: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, boot_id: str, numbers: SequenceNumbers) -> "RunNumbers":
        """Of one run, which has at least one number."""
        holes = list(numbers.holes())
        longest = sorted(holes, key=lambda hole: hole[0] - hole[1])[:_SHOWN_HOLES]
        missing = sum(last - first + 1 for first, last in holes)
        return cls(
            boot_id, numbers.first or 0, numbers.last or 0, numbers.count, missing, len(holes), tuple(sorted(longest))
        )


@final
class LogStatistics:
    """Gathers the figures of log files.

    Attributes:
        writers: by log and process.
        timelines: by log and level.
        errors: by log.
        drops: by log, sink, what befell the entries, and why.
        steps: the first clock steps; `step_count` counts all.
    """

    def __init__(self) -> None:
        self.writers: dict[tuple[str, str], WriterStatistics] = {}
        self.timelines: dict[str, dict[str, Timeline]] = {}
        self.errors: dict[str, ErrorGroups] = {}
        self.drops: dict[tuple[str, str, str, str], Drops] = {}
        self.steps: list[ClockStep] = []
        self.step_count = 0
        self._numbers: dict[str, dict[str, SequenceNumbers]] = {}

    def file(self, log: str, process: str, size_bytes: int) -> "FileStatistics":
        """Begin a file.

        Args:
            log: the log's name.
            process: who wrote it, as its name tells; empty when it does not.
            size_bytes: on disk.
        """
        writer = self.writers.setdefault((log, process), WriterStatistics(log, process))
        writer.files += 1
        writer.size_bytes += size_bytes
        return FileStatistics(self, writer)

    def is_new(self, log: str, entry_id: str | None) -> bool:
        """Note an entry's number; False when it stood in this log before."""
        known = run_and_number(entry_id)
        if known is None:
            return True
        boot_id, number = known
        runs = self._numbers.setdefault(log, {})
        numbers = runs.get(boot_id)
        if numbers is None:
            numbers = runs[boot_id] = SequenceNumbers()
        return numbers.add(number)

    def runs(self) -> list[RunNumbers]:
        """The runs whose entries have ids, by boot id, which is in the order they began."""
        together: dict[str, SequenceNumbers] = {}
        for runs in self._numbers.values():
            for boot_id, numbers in runs.items():
                together.setdefault(boot_id, SequenceNumbers()).update(numbers)
        return [RunNumbers.of(boot_id, together[boot_id]) for boot_id in sorted(together)]

    def step(self, step: ClockStep) -> None:
        """Note a clock step."""
        self.step_count += 1
        if len(self.steps) < _KEPT_STEPS:
            self.steps.append(step)

    def top_errors(self, most: int) -> list[ErrorGroup]:
        """The most frequent kinds; one that stands in several logs counts as in the log with the most of it."""
        best: dict[str, ErrorGroup] = {}
        for groups in self.errors.values():
            for digest, group in groups.groups.items():
                if digest not in best or group.count > best[digest].count:
                    best[digest] = group
        return sorted(best.values(), key=lambda group: (-group.count, group.first_ns, group.fingerprint.digest))[:most]

    @property
    def error_kinds(self) -> int:
        """How many kinds of errors there are."""
        return len(set[str]().union(*(groups.groups for groups in self.errors.values())))


@final
class FileStatistics:
    """Takes in one file's entries, in the order they stand in there.

    Attributes:
        writer: whose figures they are.
    """

    def __init__(self, statistics: LogStatistics, writer: WriterStatistics) -> None:
        self.writer = writer
        self._all = statistics
        self._log = writer.log
        self._timelines = statistics.timelines.setdefault(writer.log, {})
        self._errors = statistics.errors.setdefault(writer.log, ErrorGroups())
        self._newest_ns: dict[str, int] = {}

    def add_all(self, entries: "Iterable[LogEntry]") -> None:
        """Take in entries."""
        for entry in entries:
            self.add(entry)

    def add(self, entry: "LogEntry") -> None:
        """Take in an entry."""
        entry_id, time_ns = entry.entry_id, entry.time_ns
        if not self._all.is_new(self._log, entry_id):
            self.writer.duplicates += 1
            return
        level = entry.level
        self.writer.add(level, time_ns)
        timeline = self._timelines.get(level)
        if timeline is None:
            timeline = self._timelines[level] = Timeline()
        timeline.add(time_ns)
        self._watch_clock(entry_id, time_ns)
        self._count_gap(entry)
        if entry.level_number >= ERROR:
            self._errors.add(entry)

    def _watch_clock(self, entry_id: str | None, time_ns: int) -> None:
        boot_id = (entry_id or "").rpartition("-")[0]  # what was recovered from another run is as old as it is
        newest_ns = self._newest_ns.get(boot_id, time_ns)
        if newest_ns - time_ns >= STEP_NS:
            self._all.step(ClockStep(self._log, self.writer.process, newest_ns, newest_ns - time_ns))
        elif time_ns < newest_ns:
            return
        self._newest_ns[boot_id] = time_ns

    def _count_gap(self, entry: "LogEntry") -> None:
        if entry.log_type != GAP and entry.logger != _GAP_LOGGER:
            return
        fields = entry.extra
        if "first_seq" not in fields or "sink" not in fields:
            return
        for what in ("dropped", "held_back"):
            count = fields.get(what)
            if isinstance(count, int):
                self._add_drops(what.replace("_", " "), count, fields)

    def _add_drops(self, what: str, count: int, fields: dict[str, Any]) -> None:
        key = (self._log, str(fields["sink"]), what, str(fields.get("reason", "")))
        drops = self._all.drops.setdefault(key, Drops(*key))
        drops.entries += count
        drops.gaps += 1
        by_level = fields.get("by_level")
        for level, number in cast("dict[str, Any]", by_level if isinstance(by_level, dict) else {}).items():
            if isinstance(number, int):
                drops.by_level[level] = drops.by_level.get(level, 0) + number
