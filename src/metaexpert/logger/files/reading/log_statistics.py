"""What log files hold, in figures: entries, rates, errors, drops, missing numbers, clock steps; pure and bounded.

Figures are taken in part by part, in the order the parts stand in their files. An entry that stands in a log twice, as
recovery may leave it, counts once; what stands in several logs counts in each of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from metaexpert.logger.files.reading.error_groups import ErrorGroup, ErrorGroups
from metaexpert.logger.files.reading.figures import KEPT_STEPS, Clock, Drops, Figures, Step
from metaexpert.logger.files.reading.sequence_numbers import SequenceNumbers
from metaexpert.logger.files.reading.timeline import Timeline

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.entries import LogEntry

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

    def take(self, figures: Figures) -> None:
        """Add what a part of a file holds."""
        self.entries += figures.entries
        self.damaged += figures.damaged
        self.duplicates += figures.duplicates
        for level, count in figures.by_level.items():
            self.by_level[level] = self.by_level.get(level, 0) + count
        if figures.first_ns is not None and figures.last_ns is not None:
            self.first_ns = figures.first_ns if self.first_ns is None else min(self.first_ns, figures.first_ns)
            self.last_ns = figures.last_ns if self.last_ns is None else max(self.last_ns, figures.last_ns)


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

    def numbers_in(self, log: str) -> dict[str, SequenceNumbers]:
        """The numbers that stand in a log so far, by run."""
        return self._numbers.setdefault(log, {})

    def runs(self) -> list[RunNumbers]:
        """The runs whose entries have ids, by boot id, which is in the order they began."""
        together: dict[str, SequenceNumbers] = {}
        for runs in self._numbers.values():
            for boot_id, numbers in runs.items():
                together.setdefault(boot_id, SequenceNumbers()).update(numbers)
        return [RunNumbers.of(boot_id, together[boot_id]) for boot_id in sorted(together)]

    def step(self, step: ClockStep) -> None:
        """Keep a clock step, if it is one of the first."""
        if len(self.steps) < KEPT_STEPS:
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
    """Takes in the figures of one file's parts, in the order they stand in there.

    Attributes:
        writer: whose figures they are.
    """

    def __init__(self, statistics: LogStatistics, writer: WriterStatistics) -> None:
        self.writer = writer
        self._all = statistics
        self._log = writer.log
        self._clocks: dict[str, Clock] = {}

    @property
    def known(self) -> Mapping[str, SequenceNumbers]:
        """The numbers that stand in the log so far, by run."""
        return self._all.numbers_in(self._log)

    def overlaps(self, figures: Figures) -> bool:
        """Whether a part has entries that stand in the log already: it is to be looked at again, told `known`."""
        known = self.known
        return any(boot_id in known and known[boot_id].overlaps(each) for boot_id, each in figures.numbers.items())

    def add_all(self, entries: "Iterable[LogEntry]") -> None:
        """Take in entries as a part."""
        figures = Figures(Path(self._log), self._log, self.known, is_first=not self._clocks)
        figures.add_all(entries)
        self.take(figures)

    def take(self, figures: Figures) -> None:
        """Take in a part, which does not overlap; it is not used any more."""
        statistics, log = self._all, self._log
        self.writer.take(figures)
        for boot_id, numbers in figures.numbers.items():
            self._all.numbers_in(log).setdefault(boot_id, SequenceNumbers()).update(numbers)
        timelines = statistics.timelines.setdefault(log, {})
        for level, timeline in figures.timelines.items():
            timelines.setdefault(level, Timeline()).update(timeline)
        statistics.errors.setdefault(log, ErrorGroups()).update(figures.errors)
        for key, drops in figures.drops.items():
            statistics.drops.setdefault(key, Drops(*key)).add(drops)
        for boot_id, clock in figures.clocks.items():
            self._go_on(boot_id, clock)

    def _go_on(self, boot_id: str, later: Clock) -> None:
        known = self._clocks.get(boot_id)
        before = 0 if known is None else known.step_count
        if known is None:
            known, steps = later, later.steps
            self._clocks[boot_id] = known
        else:
            steps = known.go_on(later)
        self._all.step_count += known.step_count - before
        for step in steps:
            self._note(step)

    def _note(self, step: Step) -> None:
        self._all.step(ClockStep(self._log, self.writer.process, *step))
