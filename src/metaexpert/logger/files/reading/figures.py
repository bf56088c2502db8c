"""The figures of a part of one log file, gathered by themselves, so that several processes may; pure and bounded.

Parts of a file taken in one after another tell what the file as a whole does: of what depends on what stood before,
which is whether the clock went back, the begin is kept as it was (`Clock`), and of numbers which there were.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from operator import le
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, final

from metaexpert.logger.files.reading.entries import LogEntry, level_of
from metaexpert.logger.files.reading.error_groups import ErrorGroups
from metaexpert.logger.files.reading.sequence_numbers import SequenceNumbers, run_and_number
from metaexpert.logger.files.reading.text_copies import Writer
from metaexpert.logger.files.reading.timeline import Timeline
from metaexpert.logger.log_types import GAP

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.plain_lines import PlainLines

ERROR: Final = 40
STEP_NS: Final = 100_000_000
"""How far a clock must go back to be told: threads that log at once are apart by less."""

KEPT_STEPS: Final = 100
_KEPT_COPIES: Final = 65_536
_GAP_LOGGER: Final = "metaexpert.logger"
_DIGEST_BYTES: Final = 8

type Step = tuple[int, int]
"""The time before a clock went back, and by how much; nanoseconds."""

type Line = tuple[int, bytes]
"""The time and a digest of a line without id."""


def line_of(entry: LogEntry) -> Line:
    """What tells a line without id from others."""
    return entry.time_ns, blake2b(entry.line, digest_size=_DIGEST_BYTES).digest()


@final
@dataclass(slots=True)
class Clock:
    """The times of one run's entries in one file, or in a part of it that begins anywhere.

    Attributes:
        newest_ns: the newest since the clock last went back.
        steps: the first places where it did; `step_count` counts all.
        begin: the times up to the first that is newer than the first of all by `STEP_NS`: so far it matters what stood
            before. `begin_steps` of the steps are among them.
        has_begun: whether there was such a newer one, or nothing stood before.
    """

    newest_ns: int
    steps: list[Step] = field(default_factory=list[Step])
    step_count: int = 0
    begin: list[int] = field(default_factory=list[int])
    begin_steps: int = 0
    has_begun: bool = False

    def add(self, time_ns: int) -> None:
        """Take in a time."""
        if not self.has_begun:
            self.begin.append(time_ns)
            self.has_begun = time_ns >= self.begin[0] + STEP_NS
        self._judge(time_ns)
        if not self.has_begun:
            self.begin_steps = self.step_count

    def _judge(self, time_ns: int) -> None:
        if self.newest_ns - time_ns >= STEP_NS:
            self._note((self.newest_ns, self.newest_ns - time_ns))
        elif time_ns < self.newest_ns:
            return
        self.newest_ns = time_ns

    def _note(self, step: Step) -> None:
        self.step_count += 1
        if len(self.steps) < KEPT_STEPS:
            self.steps.append(step)

    def add_in_order(self, times_ns: Sequence[int], last_ns: int) -> None:
        """Take in times none of which is older than the one before it.

        Args:
            times_ns: the first of them, and as many as may matter to `begin`.
            last_ns: the last of them.
        """
        for time_ns in times_ns:
            self.add(time_ns)
        self.add(last_ns)

    def go_on(self, later: "Clock") -> "list[Step]":
        """Take in what followed; the steps in it, the first ones, in order.

        Args:
            later: the times of the part behind this one.
        """
        before = self.step_count
        steps_before = len(self.steps)
        for time_ns in later.begin:
            self._judge(time_ns)
        if later.has_begun:  # from there on it went as it does by itself
            self.newest_ns = later.newest_ns
            for step in later.steps[later.begin_steps :]:
                self._note(step)
            self.step_count += later.step_count - max(len(later.steps), later.begin_steps)
        return self.steps[steps_before:] if self.step_count > before else []


@final
@dataclass(slots=True)
class Drops:
    """Entries that a gap entry says are missing from a log.

    Attributes:
        sink: whose they are.
        what: what befell them: "dropped", or "held back" by a rate limit.
    """

    log: str
    sink: str
    what: str
    reason: str
    entries: int = 0
    gaps: int = 0
    by_level: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, other: "Drops") -> None:
        """Add what others tell of the same."""
        self.entries += other.entries
        self.gaps += other.gaps
        for level, count in other.by_level.items():
            self.by_level[level] = self.by_level.get(level, 0) + count


@final
class Figures:
    """What a part of a file holds.

    Args:
        path: the file.
        log: the log's name.
        known: numbers that stood in the log before, by run: their entries count as `duplicates` alone.
        copies: lines of which so many stood in the log before.
        is_first: whether nothing of the file stood before.

    Attributes:
        recovered: lines without id that may be a former run's, which this one wrote again: the first ones.
    """

    def __init__(
        self,
        path: Path,
        log: str,
        known: Mapping[str, SequenceNumbers] | None = None,
        copies: Mapping[Line, int] | None = None,
        *,
        is_first: bool = True,
    ) -> None:
        self._log = log
        self._is_first = is_first
        self._known = known or {}
        self._copies = dict(copies or {})
        self._writer = Writer.of(path)
        self.entries = 0
        self.duplicates = 0
        self.damaged = 0
        self.by_level: dict[str, int] = {}
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.timelines: dict[str, Timeline] = {}
        self.clocks: dict[str, Clock] = {}
        self.numbers: dict[str, SequenceNumbers] = {}
        self.errors = ErrorGroups(most=None)
        self.drops: dict[tuple[str, str, str, str], Drops] = {}
        self.recovered: list[Line] = []

    # ---- entry by entry ------------------------------------------------------------------------------------------

    def add_all(self, entries: Iterable[LogEntry]) -> None:
        """Take in entries, in the order they stand in."""
        for entry in entries:
            self.add(entry)

    def add(self, entry: LogEntry) -> None:
        """Take in an entry."""
        entry_id, time_ns, level = entry.entry_id, entry.time_ns, entry.level
        if not (self._is_new_line(entry) if entry_id is None else self._is_new(entry_id)):
            self.duplicates += 1
            return
        self._count(level, 1, time_ns, time_ns)
        self._timeline(level).add(time_ns)
        boot_id = (entry_id or "").rpartition("-")[0]  # what was recovered from another run is as old as it is
        self._clock(boot_id, time_ns).add(time_ns)
        if entry.log_type == GAP or entry.logger == _GAP_LOGGER:
            self._add_gap(entry.extra)
        if entry.level_number >= ERROR:
            self.errors.add(entry)

    def _is_new(self, entry_id: str) -> bool:
        known = run_and_number(entry_id)
        if known is None:
            return True
        boot_id, number = known
        before = self._known.get(boot_id)
        return (before is None or number not in before) and self._numbers(boot_id).add(number)

    def _is_new_line(self, entry: LogEntry) -> bool:
        if not self._writer.has_recovered(entry.time_ns):
            return True
        line = line_of(entry)
        if self._copies.get(line):
            self._copies[line] -= 1
            return False
        if len(self.recovered) < _KEPT_COPIES:
            self.recovered.append(line)
        return True

    def _numbers(self, boot_id: str) -> SequenceNumbers:
        return self.numbers.setdefault(boot_id, SequenceNumbers())

    def _timeline(self, level: str) -> Timeline:
        return self.timelines.setdefault(level, Timeline())

    def _clock(self, boot_id: str, time_ns: int) -> Clock:
        clock = self.clocks.get(boot_id)
        if clock is None:
            clock = self.clocks[boot_id] = Clock(time_ns, has_begun=self._is_first)
        return clock

    def _count(self, level: str, count: int, first_ns: int, last_ns: int) -> None:
        self.entries += count
        self.by_level[level] = self.by_level.get(level, 0) + count
        self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)

    def _add_gap(self, fields: dict[str, Any]) -> None:
        if "first_seq" not in fields or "sink" not in fields:
            return
        for what in ("dropped", "held_back"):
            count = fields.get(what)
            if isinstance(count, int):
                self._add_drops(what.replace("_", " "), count, fields)

    def _add_drops(self, what: str, count: int, fields: dict[str, Any]) -> None:
        key = (self._log, str(fields["sink"]), what, str(fields.get("reason", "")))
        levels = fields.get("by_level")
        by_level = cast("dict[str, Any]", levels if isinstance(levels, dict) else {})
        told = {level: number for level, number in by_level.items() if isinstance(number, int)}
        self.drops.setdefault(key, Drops(*key)).add(Drops(*key, count, 1, told))

    # ---- many at once --------------------------------------------------------------------------------------------

    def add_lines(self, lines: "PlainLines") -> bool:
        """Take in the entries of a block, which say what they say where ours do; False where one of them is no new one.

        Args:
            lines: one run's; nothing of them was taken in yet.
        """
        numbers, boot_id = lines.numbers, lines.boot_id
        if not self._are_new(boot_id, numbers):
            return False
        self._numbers(boot_id).add_new(numbers)
        first_ns, last_ns = lines.first_ns, lines.last_ns
        for (level, second), count in Counter(zip(lines.levels, lines.seconds, strict=True)).items():
            self._count(level, count, first_ns, last_ns)
            self._timeline(level).add(lines.second_ns(second), count)
        self._watch(lines)
        for at in lines.told_by("log_type", GAP) | lines.told_by("logger", _GAP_LOGGER):
            self._add_gap(lines.entry(at).extra)
        errors = {level for level in set(lines.levels) if level_of(level) >= ERROR}
        for at in sorted(each for level in errors for each in lines.told_by("level", level)):
            self.errors.add(lines.entry(at))
        return True

    def _are_new(self, boot_id: str, numbers: Sequence[int]) -> bool:
        """Whether they are of different numbers, none of which was there before."""
        if len(set(numbers)) < len(numbers):
            return False
        known = [each for each in (self._known.get(boot_id), self.numbers.get(boot_id)) if each is not None]
        return not any(each.has_any(numbers) for each in known)

    def _watch(self, lines: "PlainLines") -> None:
        clock = self._clock(lines.boot_id, lines.time_ns(0))
        stamps = lines.stamps
        if not all(map(le, stamps, islice(stamps, 1, None))):
            for at in range(len(stamps)):
                clock.add(lines.time_ns(at))
            return
        first = [lines.time_ns(0)]  # the others are no older
        if not clock.has_begun:
            end_ns = (clock.begin[0] if clock.begin else first[0]) + STEP_NS
            first += [lines.time_ns(at) for at in range(1, len(stamps)) if lines.time_ns(at - 1) < end_ns]
        clock.add_in_order(first, lines.last_ns)
