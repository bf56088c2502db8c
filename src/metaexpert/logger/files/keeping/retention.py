"""Which finished files of a log are compressed, archived and deleted, and why; pure.

Deleted are the oldest first, until every bound holds. A file within its term or under a hold is never deleted: where a
bound cannot be met for that reason, the plan has a `Conflict` that says so. Bounds count finished files alone: no
writer has one of them any more, nor may go on with it. An age is taken from the last entry, so a
clock that is set back makes files younger and never deletes more; one that leapt ahead ends no term, and makes no file
older, until it is believed (`clock_trust`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, final

from metaexpert.logger.files.keeping.clock_trust import BELIEVED, ClockTrust
from metaexpert.logger.files.keeping.hold import Holds
from metaexpert.logger.files.names import LogFile

_DAY_SECONDS: Final = 86_400


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a log is kept; a limit that is None does not apply.

    Attributes:
        packing: what finished files are packed as, `.gz` or `.zst`; empty for as they were written.
        pack_after_seconds: how long after its last entry.
        archive_after_seconds: how long after its last entry a file is moved to the archive; None without an archive.
        max_age_seconds: how long after its last entry a file is kept.
        max_files: finished files.
        max_bytes: what they take, bytes, wherever they are.
        folder_bytes: what finished files take beside the log, bytes (`backup_count` files of `max_bytes`).
        min_free_bytes: room left on the log's disk, bytes.
        keep_for_seconds: the term: how long after its last entry nothing deletes a file.
        archive_frees_disk: the archive is on another disk than the log, so that files are moved there first where room
            is short.
    """

    packing: str = ""
    pack_after_seconds: float = 0.0
    archive_after_seconds: float | None = None
    max_age_seconds: float | None = None
    max_files: int | None = None
    max_bytes: int | None = None
    folder_bytes: int | None = None
    min_free_bytes: int = 0
    keep_for_seconds: float = 0.0
    archive_frees_disk: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file of a log as it is found.

    Attributes:
        file: which.
        size_bytes: what it takes, its chain included.
        modified_at: its last entry, seconds since 1970.
        began_at: no entry of it is older, as far as names and the files around it tell; 0 where they tell nothing.
        ended_at: no entry of it is newer; what `modified_at` says, unless that cannot be. None for `modified_at`.
        is_written: its writer lives.
        is_current: the log's own name leads to it, so that it stays as it is as long as it can.
        is_archived: it is in the archive.
        frees_log_disk: it lies on the disk the log is on.
        is_ours: False for one in the archive that another program has put there, None where nobody knows who has: it
            is neither counted nor deleted.
    """

    file: LogFile
    size_bytes: int
    modified_at: float
    began_at: float = 0.0
    ended_at: float | None = None
    is_written: bool = False
    is_current: bool = False
    is_archived: bool = False
    frees_log_disk: bool = True
    is_ours: bool | None = True

    @property
    def last_at(self) -> float:
        """The time behind which none of its entries is, seconds since 1970."""
        return self.modified_at if self.ended_at is None else self.ended_at


@final
@dataclass(frozen=True, slots=True)
class Pack:
    """Compress a file."""

    kept: KeptFile
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Archive:
    """Move a file to the archive."""

    kept: KeptFile
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Purge:
    """Delete a file."""

    kept: KeptFile
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Conflict:
    """A bound that is exceeded by files which nothing may delete.

    Attributes:
        bound: the option.
        reason: what it says, and what is in its way.
        kept: the files that would have gone, the oldest first.
    """

    bound: str
    reason: str
    kept: tuple[KeptFile, ...]


type Action = Pack | Archive | Purge | Conflict


def plan(
    files: Iterable[KeptFile],
    rules: Rules,
    now: float,
    disk_free: int | None,
    holds: Holds,
    *,
    clock: ClockTrust = BELIEVED,
) -> tuple[Action, ...]:
    """What is to be done with the files of one log, in the order it is to be done: pack, archive, purge, and be told.

    What is to be packed may be among what is purged for its size: packed, it may fit. So plan anew after packing.

    Args:
        files: all there are, in any order.
        rules: how the log is kept.
        now: seconds since 1970.
        disk_free: room on the log's disk, bytes; None where it is not known.
        holds: the holds in force.
        clock: whether `now` is believed.
    """
    planning = _Planning(files, rules, now, holds, clock)
    planning.empty()
    planning.by_age()
    planning.by_count()
    packs = planning.packs()
    planning.by_bytes()
    archives = planning.archives(disk_free)
    planning.by_folder_bytes()
    planning.by_free_disk(disk_free, archives)
    moved = [each for each in archives if each.kept.file not in planning.gone]
    return (*packs, *moved, *planning.purges, *planning.conflicts)


def is_within_term(kept: KeptFile, rules: Rules, now: float) -> bool:
    """Whether the time has not come yet at which a file may be deleted."""
    return now - kept.modified_at < rules.keep_for_seconds


def protection(kept: KeptFile, rules: Rules, now: float, holds: Holds, clock: ClockTrust = BELIEVED) -> str:
    """Why a file may not be deleted, for people; empty when it may."""
    held = holds.over(kept.file, kept.began_at, kept.last_at)
    return "; ".join(filter(None, (held, _term(kept, rules, now, clock))))


def _term(kept: KeptFile, rules: Rules, now: float, clock: ClockTrust) -> str:
    if is_within_term(kept, rules, now):
        return "within its term (keep_for)"
    if rules.keep_for_seconds and not clock.is_believed:
        return f"whether its term (keep_for) is over cannot be told: {clock.doubt}"
    return ""


def _may_go_on(kept: KeptFile, now: float) -> bool:
    """Whether a process that has closed its last file for a moment may write to it again."""
    return kept.is_current and now - kept.modified_at < _DAY_SECONDS


def duration_text(seconds: float) -> str:
    """A duration for people."""
    return f"{seconds / _DAY_SECONDS:g} days" if seconds >= _DAY_SECONDS else f"{seconds:g} s"


@final
class _Planning:
    """One plan in the making: what goes is taken out of what is left, bound by bound."""

    def __init__(self, files: Iterable[KeptFile], rules: Rules, now: float, holds: Holds, clock: ClockTrust) -> None:
        finished = (each for each in files if each.is_ours and not each.is_written and not _may_go_on(each, now))
        oldest_first = sorted(finished, key=lambda each: (each.modified_at, each.file))
        self._left = {each.file: each for each in oldest_first}
        self._rules = rules
        self._now = now
        self._now_for_ages = now - clock.ahead_seconds if clock.has_leapt else now
        self._protected = {each.file: protection(each, rules, now, holds, clock) for each in oldest_first}
        self._left_bytes = _size(oldest_first)
        self._freed_bytes = 0
        self.purges: list[Purge] = []
        self.conflicts: list[Conflict] = []
        self.gone: set[LogFile] = set()

    # ---- what is deleted --------------------------------------------------------------------------------------

    def empty(self) -> None:
        """Leftovers of a writer that was killed before it wrote; neither term nor hold has anything to keep there."""
        for each in [each for each in self._left.values() if not each.size_bytes]:
            self._delete(each, "it is empty")

    def by_age(self) -> None:
        limit = self._rules.max_age_seconds
        if limit is not None:
            old = [each for each in self._left.values() if self._now_for_ages - each.modified_at > limit]
            self._purge(old, "max_age", lambda: True, f"its last entry is older than {duration_text(limit)}")

    def by_count(self) -> None:
        limit = self._rules.max_files
        if limit is not None:
            reason = f"there are more than {limit} finished files"
            self._purge([*self._left.values()], "max_files", lambda: len(self._left) > limit, reason)

    def by_bytes(self) -> None:
        limit = self._rules.max_bytes
        if limit is not None:
            reason = f"finished files take more than {limit} bytes"
            self._purge([*self._left.values()], "max_bytes", lambda: self._left_bytes > limit, reason)

    def by_folder_bytes(self) -> None:
        """Where there is an archive nothing is deleted for it: what is too much is moved there."""
        limit = self._rules.folder_bytes
        if limit is not None and self._rules.archive_after_seconds is None:
            reason = f"finished files take more than the {limit} bytes of that many files of max_bytes"
            self._purge([*self._left.values()], "backup_count", lambda: self._left_bytes > limit, reason)

    def by_free_disk(self, disk_free: int | None, archives: Sequence[Archive]) -> None:
        floor = self._rules.min_free_bytes
        if disk_free is None or disk_free >= floor:
            return
        leaving = [each.kept for each in archives if self._rules.archive_frees_disk and each.kept.frees_log_disk]
        away = {each.file for each in leaving}
        there = [each for each in self._left.values() if each.frees_log_disk and each.file not in away]
        free = disk_free + _size(leaving)
        reason = f"the disk has less than {floor} bytes free"
        self._purge(there, "min_free_bytes", lambda: free + self._freed_bytes < floor, reason)

    def _purge(
        self, oldest_first: Sequence[KeptFile], bound: str, is_exceeded: Callable[[], bool], reason: str
    ) -> None:
        """Delete of the candidates what may be, as long as the bound is exceeded; tell what may not."""
        in_the_way: list[KeptFile] = []
        for each in oldest_first:
            if not is_exceeded():
                return  # what is in the way is in nobody's way any more
            if self._protected[each.file]:
                in_the_way.append(each)
            else:
                self._delete(each, f"{bound}: {reason}")
        if in_the_way and is_exceeded():
            self.conflicts.append(self._conflict(bound, reason, in_the_way))

    def _delete(self, kept: KeptFile, reason: str) -> None:
        self.purges.append(Purge(kept, reason))
        self.gone.add(kept.file)
        del self._left[kept.file]
        self._left_bytes -= kept.size_bytes
        self._freed_bytes += kept.size_bytes if kept.frees_log_disk else 0

    def _conflict(self, bound: str, reason: str, kept: Sequence[KeptFile]) -> Conflict:
        why = "; ".join(dict.fromkeys(self._protected[each.file] for each in kept))
        count = f"{len(kept)} file{'s' if len(kept) > 1 else ''} ({_size(kept)} bytes)"
        return Conflict(bound, f"{reason}, but {count} may not be deleted: {why}", tuple(kept))

    # ---- what is packed and moved -----------------------------------------------------------------------------

    def packs(self) -> list[Pack]:
        """What is to be packed; in the archive nothing is."""
        rules = self._rules
        return [
            Pack(each, "it is finished")
            for each in self._left.values()
            if rules.packing and not each.file.packing and not each.is_archived and not each.is_current
            if self._now - each.modified_at >= rules.pack_after_seconds
        ]

    def archives(self, disk_free: int | None) -> list[Archive]:
        """What is to be moved to the archive: by age, and what is too much for the log's folder or its disk."""
        rules, after = self._rules, self._rules.archive_after_seconds
        if after is None:
            return []
        frees = rules.archive_frees_disk and disk_free is not None
        here = [each for each in self._left.values() if not each.is_archived and not each.is_current]
        due, here_bytes, free_bytes = list[Archive](), _size(here), (disk_free or 0) + self._freed_bytes
        for each in here:
            if self._now - each.modified_at >= after:
                due.append(Archive(each, f"its last entry is older than {duration_text(after)}"))
            elif rules.folder_bytes is not None and here_bytes > rules.folder_bytes:
                due.append(Archive(each, "backup_count: beside the log there is no more room"))
            elif frees and each.frees_log_disk and free_bytes < rules.min_free_bytes:
                due.append(Archive(each, "min_free_bytes: the disk is short of room"))
            else:
                continue
            here_bytes -= each.size_bytes
            free_bytes += each.size_bytes if each.frees_log_disk else 0
        return due


def _size(files: Iterable[KeptFile]) -> int:
    return sum(each.size_bytes for each in files)
