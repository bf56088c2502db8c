"""Keeping the finished log files of a configuration: sweep what kills left, compress, archive, delete.

One pass looks after each folder of logs under its lock (`housekeeping.lock`), so that of many processes one at a time
does. A pass may end at any moment: the next one, of whichever process, goes on. Every fault is counted and told, and
leaves the rest of the work to be done.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.keeping import moves
from metaexpert.logger.files.keeping.clock_record import CLOCK_FILE, record, recorded, up_time
from metaexpert.logger.files.keeping.clock_trust import BELIEVED, ClockReading, ClockTrust, is_news, judged
from metaexpert.logger.files.keeping.hold import Holds, read_holds
from metaexpert.logger.files.keeping.kept_logs import KeptLog, found, same_contents
from metaexpert.logger.files.keeping.origin import claim, forget_gone, origin_of
from metaexpert.logger.files.keeping.pace import Pace, StoppedError
from metaexpert.logger.files.keeping.retention import Action, Archive, Conflict, KeptFile, Pack, Purge, plan, protection
from metaexpert.logger.files.keeping.transfer import sweep
from metaexpert.logger.files.ownership import at_rest
from metaexpert.logger.owner_lock import OwnerLock

LOCK_FILE: Final = "housekeeping.lock"
_SUBJECT: Final = "log files"


@dataclass(slots=True)
class Counters:
    """What was done since the start.

    Attributes:
        passes: passes ended.
        packed: files compressed.
        archived: files moved to an archive.
        purged: files deleted.
        purged_bytes: what they took, bytes.
        failures: what could not be done, each time it was tried.
        last_error: the trouble of the latest pass; None when it had none.
        conflicts: bounds exceeded now by files that nothing may delete, in words.
        clock_leaps: how often the clock was found to have leapt ahead.
        clock_doubt: why no term is over by the clock's word now, in words; None when it is believed.
    """

    passes: int = 0
    packed: int = 0
    archived: int = 0
    purged: int = 0
    purged_bytes: int = 0
    failures: int = 0
    last_error: str | None = None
    conflicts: tuple[str, ...] = ()
    clock_leaps: int = 0
    clock_doubt: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be done with one log.

    Attributes:
        log: the log.
        files: its files as they were found.
        actions: what is to be done with them.
        holds: the holds in force.
        now: the time it goes by, seconds since 1970.
        clock: whether that is believed.
    """

    log: KeptLog
    files: tuple[KeptFile, ...]
    actions: tuple[Action, ...]
    holds: Holds
    now: float
    clock: ClockTrust

    def protection(self, kept: KeptFile) -> str:
        """Why a file may not be deleted, for people; empty when it may."""
        return protection(kept, self.log.rules, self.now, self.holds, self.clock)


def deed_of(action: Action) -> object:
    """What is done with which file, wherever and however compressed it is by then."""
    if isinstance(action, Conflict):
        return Conflict
    file = action.kept.file
    return type(action), file.stem, file.suffix, file.run, file.number


def free_bytes(folder: Path) -> int | None:
    """Room on a folder's disk, bytes; None where it cannot be known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


@final
class Housekeeper:
    """Keeps logs, in the thread of whoever calls it.

    Args:
        log_dir: where the holds are.
        logs: what to keep.
        tell: says what trouble there is, by subject and text.
        pace: how fast.
        clock: seconds since 1970.
        up: seconds since some moment of this boot, and which boot it is.
        disk_free: room on a folder's disk, bytes.
    """

    def __init__(
        self,
        log_dir: Path,
        logs: Sequence[KeptLog],
        tell: Callable[[str, str], None],
        *,
        pace: Pace,
        clock: Callable[[], float] = time.time,
        up: Callable[[], tuple[float, str]] = up_time,
        disk_free: Callable[[Path], int | None] = free_bytes,
    ) -> None:
        self.counters = Counters()
        self._log_dir = log_dir
        self._next = (log_dir, tuple(logs))
        self._tell = tell
        self._pace = pace
        self._clock = clock
        self._up = up
        self._disk_free = disk_free
        self._conflicts: dict[Path, tuple[Conflict, ...]] = {}
        self._trouble: str | None = None
        self._has_leapt = False
        self._told_nobodys = set[Path]()
        self._permitted: frozenset[object] | None = None

    def permit(self, actions: Iterable[Action] | None) -> None:
        """Do nothing but these from now on, whatever a later plan says: what somebody confirmed; None for all."""
        self._permitted = None if actions is None else frozenset(map(deed_of, actions))

    def go_over_to(self, log_dir: Path, logs: Sequence[KeptLog]) -> None:
        """Keep other logs from the next pass on; from any thread. One under way goes on by the holds it began with."""
        self._next = (log_dir, tuple(logs))

    # ---- what would be done -----------------------------------------------------------------------------------

    def planned(self, log: KeptLog, files: Sequence[KeptFile] | None = None) -> Planned:
        """What is to be done with a log now; changes nothing.

        Args:
            log: the log.
            files: what there is of it, when that is known.

        Raises:
            OSError: a folder of it cannot be read.
        """
        files, holds = tuple(found(log) if files is None else files), read_holds(self._log_dir)
        rules = replace(log.rules, archive_frees_disk=_is_elsewhere(log))
        now, clock = self._clock(), self._trust(log)
        actions = plan(files, rules, now, self._disk_free(log.path.parent), holds, clock=clock)
        if self._permitted is not None:
            permitted = {Conflict, *self._permitted}
            actions = tuple(each for each in actions if deed_of(each) in permitted)
        return Planned(log, files, actions, holds, now, clock)

    def adopt(self, log: KeptLog) -> int:
        """Make those files in its archive a log's own that nobody claims; how many.

        Raises:
            OSError: it cannot be written down.
        """
        nobodys = [each.file for each in found(log) if each.is_ours is None]
        if log.archive is not None and nobodys:
            claim(log.path, nobodys, log.archive)
        return len(nobodys)

    # ---- a pass -----------------------------------------------------------------------------------------------

    def keep(self) -> bool:
        """One pass over all logs.

        Returns:
            False when another process had one of the folders; it is asked for again later.

        Raises:
            StoppedError: the work is to end.
        """
        self._trouble = self.counters.clock_doubt = None
        self._has_leapt = False
        free = True
        self._log_dir, logs = self._next
        for folder in dict.fromkeys(log.path.parent for log in logs):
            free = self._keep_folder(folder, [log for log in logs if log.path.parent == folder]) and free
        self._conflicts = {path: each for path, each in self._conflicts.items() if path in {log.path for log in logs}}
        self.counters.conflicts = tuple(
            f"{path.name}: {each.bound}: {each.reason}" for path, found in self._conflicts.items() for each in found
        )
        self.counters.last_error = self._trouble
        self.counters.passes += 1
        return free

    def _keep_folder(self, folder: Path, logs: Sequence[KeptLog]) -> bool:
        try:
            if not any(_has_files(log) for log in logs):
                return True  # nothing was written there yet, and nothing is to be made there
            lock = OwnerLock.acquire(folder / LOCK_FILE)
        except OSError as error:
            self._fault(folder, error)
            return True
        if lock is None:
            return False
        try:
            if any(map(_goes_by_time, logs)):
                self._try(folder / CLOCK_FILE, lambda: self._look_at_clock(folder))
            for each in dict.fromkeys(place for log in logs for place in log.folders):
                self._try(each, lambda each=each: bool(sweep(each, self._clock())))
            for log in logs:
                self._try(log.path, lambda log=log: self._keep_log(log))
        finally:
            lock.release(delete=True)
        return True

    def _keep_log(self, log: KeptLog) -> None:
        planned = self.planned(log, self._go_on_with(log))
        if self._pack(planned):
            planned = self.planned(log)
        if self._archive(planned):
            planned = self.planned(log)
        self._purge(planned)
        if log.archive is not None and origin_of(log.path.parent) is not None:
            forget_gone(log.path, log.archive, [each.file for each in planned.files])
        self._tell_conflicts(planned)
        self._tell_nobodys(planned)

    def _go_on_with(self, log: KeptLog) -> Sequence[KeptFile]:
        """Bring to its end what a kill left half done; what there is of the log then."""
        files = found(log)
        doubled = same_contents(files)
        for copies in doubled:
            if not any(each.is_written for each in copies):
                self._try(copies[0].file.path, lambda copies=copies: self._settle(copies))
        for folder in log.folders:
            for file in moves.lone_chains(log.path, folder):
                self._try(file.chain, lambda file=file: moves.follow(file, log.archive, log.path.parent, self._pace))
        return found(log) if doubled else files

    def _settle(self, copies: Sequence[KeptFile]) -> None:
        damaged = moves.settle(copies, self._pace)
        if damaged:
            self._fault(damaged, MetaExpertError("was damaged; another copy of it is whole, and is taken"))

    def _pack(self, planned: Planned) -> int:
        packing = planned.log.rules.packing
        return sum(
            self._try_at_rest(action.kept, lambda action=action: self._pack_one(action, packing))
            for action in planned.actions
            if isinstance(action, Pack) and self._has_room(action.kept)
        )

    def _pack_one(self, action: Pack, packing: str) -> None:
        moves.pack(action.kept.file, packing, self._pace)
        self.counters.packed += 1

    def _has_room(self, kept: KeptFile) -> bool:
        """Whether a packed copy fits beside the plain one, however little packing makes it smaller."""
        free = self._disk_free(kept.file.folder)
        return free is None or free > kept.size_bytes

    def _archive(self, planned: Planned) -> int:
        folder, kept = planned.log.archive, [each.kept for each in planned.actions if isinstance(each, Archive)]
        if folder is None or not kept:
            return 0
        files = [each.file for each in kept]
        if not self._try(files[0].path, lambda: claim(planned.log.path, files, folder)):
            return 0
        for count, each in enumerate(kept):
            if not self._try_at_rest(each, lambda each=each: self._archive_one(each, folder)):
                return count  # the archive is away, or full: asked again at the next pass
        return len(kept)

    def _archive_one(self, kept: KeptFile, folder: Path) -> None:
        moves.archive(kept.file, folder, self._pace)
        self.counters.archived += 1

    def _purge(self, planned: Planned) -> None:
        for action in planned.actions:
            if isinstance(action, Purge):
                self._try_at_rest(action.kept, lambda action=action: self._purge_one(planned.log, action))

    def _purge_one(self, log: KeptLog, action: Purge) -> None:
        kept, now = action.kept, self._clock()
        if kept.size_bytes and protection(kept, log.rules, now, read_holds(self._log_dir), self._trust(log)):
            return  # it was put under a hold a moment ago, or the clock was set
        moves.purge(log.path, kept.file, action.reason, now)
        self.counters.purged += 1
        self.counters.purged_bytes += kept.size_bytes

    # ---- the clock --------------------------------------------------------------------------------------------

    def _trust(self, log: KeptLog) -> ClockTrust:
        """What is known of the clock now; changes nothing."""
        if not _goes_by_time(log):
            return BELIEVED
        with suppress(OSError):
            return judged(recorded(log.path.parent), self._reading())
        return judged(None, self._reading())

    def _reading(self) -> ClockReading:
        return ClockReading(self._clock(), *self._up())

    def _look_at_clock(self, folder: Path) -> None:
        """Take down what is known of the clock, and tell when it leaps."""
        before = recorded(folder)
        after = judged(before, self._reading())
        self.counters.clock_doubt = self.counters.clock_doubt or after.doubt or None
        self._has_leapt = self._has_leapt or after.has_leapt
        if before is not None and after.leaps > before.leaps:
            self.counters.clock_leaps += 1
            text = f"{after.doubt}; until then no file in {folder} goes because its time is over"
            self._tell(f"{_SUBJECT}, clock", text)
        if before is None or is_news(before, after):
            record(folder, after)

    @property
    def has_leapt(self) -> bool:
        """Whether the clock stands where it should not, as far as can be known."""
        return self.counters.clock_doubt is not None and self._has_leapt

    # ---- trouble ----------------------------------------------------------------------------------------------

    def _try(self, what: object, work: Callable[[], object]) -> bool:
        """Do it; whether that went well. A fault is counted, told, and not raised."""
        try:
            work()
        except StoppedError:
            raise
        except (OSError, ValueError, MetaExpertError) as error:
            self._fault(what, error)
            return False
        return True

    def _try_at_rest(self, kept: KeptFile, work: Callable[[], object]) -> bool:
        """As `_try`, unless the file's writer has gone on with it since it was found, and not while it is worked on."""
        return self._try(kept.file.path, lambda: self._at_rest(kept.file.path, work))

    def _at_rest(self, path: Path, work: Callable[[], object]) -> None:
        with at_rest(path) as is_finished:
            if is_finished:
                work()

    def _fault(self, what: object, error: Exception) -> None:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        self.failed(text if str(what) in text else f"{what}: {text}")

    def failed(self, text: str) -> None:
        """Count and tell a failure."""
        self._trouble = self.counters.last_error = text
        self.counters.failures += 1
        self._tell(_SUBJECT, text)

    def _tell_conflicts(self, planned: Planned) -> None:
        """Tell of conflicts when there is one that was not there before."""
        path = planned.log.path
        conflicts = tuple(action for action in planned.actions if isinstance(action, Conflict))
        before = {each.bound for each in self._conflicts.get(path, ())}
        self._conflicts[path] = conflicts
        for each in conflicts:
            if each.bound not in before:
                self._tell(f"{_SUBJECT}, {path.name}, {each.bound}", each.reason)

    def _tell_nobodys(self, planned: Planned) -> None:
        """Tell, once, of files in the archive that nobody claims."""
        count = sum(each.is_ours is None for each in planned.files)
        if count and planned.log.path not in self._told_nobodys:
            self._told_nobodys.add(planned.log.path)
            what = f"{count} file{'s' if count > 1 else ''} of {planned.log.path.name} in {planned.log.archive}"
            text = f"{what} were put there by nobody known; they are neither counted nor deleted (retention --adopt)"
            self._tell(f"{_SUBJECT}, {planned.log.path.name}, archive", text)


def _has_files(log: KeptLog) -> bool:
    """Whether a log has files of ours: a pipe or a device has none, nor has one that nothing was written to."""
    return any(
        path.name.startswith(f"{log.path.stem}.") and path.name != log.path.name
        for folder in log.folders
        if folder.is_dir()
        for path in folder.iterdir()
    )


def _goes_by_time(log: KeptLog) -> bool:
    """Whether the clock has a say in what is deleted."""
    return log.rules.keep_for_seconds > 0 or log.rules.max_age_seconds is not None


def _is_elsewhere(log: KeptLog) -> bool:
    """Whether the archive is there, and on another disk than the log."""
    if log.archive is None:
        return False
    with suppress(OSError):
        return log.archive.stat().st_dev != log.path.parent.stat().st_dev
    return False
