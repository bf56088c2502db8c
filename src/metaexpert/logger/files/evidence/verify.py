"""Whether log files are what was written: every file of the places named, against chains, seals, keys and anchors.

Files are read as streams, by as many processes as there are cores where that is worth while. First the files are
listed, then the seals are read, then the files: what a running process does meanwhile is no sign of tampering.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final, final

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.evidence.anchors import Held, anchor_place, compared
from metaexpert.logger.files.evidence.chain_format import SUFFIX
from metaexpert.logger.files.evidence.chain_keys import state_of
from metaexpert.logger.files.evidence.seals import seals_of
from metaexpert.logger.files.evidence.verdict import HARMED, FileVerdict, Finding, Kind, Report, SealsVerdict, State
from metaexpert.logger.files.evidence.verify_file import Task, verify_file
from metaexpert.logger.files.evidence.verify_seals import Known, SealsView
from metaexpert.logger.files.names import CHAIN, PACKINGS, LogFile

_WORTH_BYTES: Final = 48 * 1024 * 1024
"""With less to read, starting further processes takes longer than it saves."""

_MOST_PROCESSES: Final = 8
_STATE: Final = state_of(Path(SUFFIX)).name


class VerifyError(MetaExpertError):
    """What was to be verified is not there; the message names it."""


@final
@dataclass(slots=True)
class _Found:
    """What there is at the places.

    Attributes:
        files: log files by their name without packing; a file may be there more than once.
        chains: chains by the name of their file.
        logs: logs that have seals here.
        keyed: logs that have a state of the keys here.
        names: the logs that were asked for by their names, where no folder was named as a whole.
        is_whole: whether all files of logs were looked for, not single ones.
    """

    files: dict[str, dict[Path, LogFile]] = field(default_factory=dict[str, dict[Path, LogFile]])
    chains: dict[str, dict[Path, LogFile]] = field(default_factory=dict[str, dict[Path, LogFile]])
    logs: dict[Path, None] = field(default_factory=dict[Path, None])
    keyed: dict[Path, None] = field(default_factory=dict[Path, None])
    names: set[str] | None = field(default_factory=set[str])
    is_whole: bool = True

    def tasks(self, views: Sequence[SealsView], secret: str | None, only: frozenset[str] | None) -> list[Task]:
        """The files to check; of these names only, or all."""
        return [
            Task(path, self._chain_of(name, file), _known(name, file, views), secret)
            for name, paths in self.files.items()
            if only is None or name in only
            for path, file in paths.items()
        ]

    def _chain_of(self, name: str, file: LogFile) -> Path:
        """The chain of a file: beside it, else wherever it is."""
        there = self.chains.get(name, {})
        return file.chain if file.chain in there or not there else next(iter(there))


def verify(
    places: Iterable[Path],
    *,
    secret: str | None = None,
    anchors: Iterable[Held] | None = None,
    is_partial: bool = False,
    processes: int | None = None,
    told: Callable[[FileVerdict], None] | None = None,
) -> Report:
    """Verify log files.

    Args:
        places: folders, logs such as `logs/expert.log`, and single files; the folders of archives among them.
        secret: what signs the chains follows from, as the auditor keeps it; without it signatures are not looked at.
        anchors: what other places hold of the seals; a log that they know and that is not at the places counts as
            missing, unless single files were named, or logs of other names.
        is_partial: anchors may be about logs that are elsewhere; then none of them counts as missing.
        processes: how many may read at once; the number of cores when left out.
        told: called with each file as it is done.

    Raises:
        VerifyError: there is nothing at a place.
        OSError: a place, or the seals of a log, cannot be read.
    """
    named = list(places)
    found, views = _looked(named, secret)
    verdicts: list[FileVerdict] = []
    for verdict in _checked(found.tasks(views, secret, None), processes):
        verdicts.append(verdict)
        if told is not None:
            told(verdict)
    verdicts += _absent(found, views, named)
    doubtful = frozenset(each.name for each in verdicts if each.state in HARMED or each.state is State.UNREADABLE)
    if doubtful:  # a running process may have packed, moved or begun files between our steps: look once more
        found, views = _looked(named, secret)
        verdicts = [each for each in verdicts if each.name not in doubtful]
        verdicts += _checked(found.tasks(views, secret, doubtful), processes)
        verdicts += [each for each in _absent(found, views, named) if each.name in doubtful]
    count, others, wrong = compared(anchors or (), views)
    lost = {} if is_partial else _lost(found, others)
    elsewhere = sum(anchor_place(each) not in lost for each in others)
    return Report(
        tuple(sorted(verdicts, key=lambda each: (each.name, str(each.path)))),
        (
            *(_told_of(view, wrong.get(str(view.path))) for view in views),
            *_absent_seals(found, views, named),
            *_lost_logs(lost, named),
        ),
        count,
        (f"{elsewhere} anchors are about logs that are not here",) if elsewhere else (),
    )


# ---- what there is ----------------------------------------------------------------------------------------------


def _looked(places: Sequence[Path], secret: str | None) -> tuple[_Found, list[SealsView]]:
    found = _Found()
    for place in places:
        _look_at(place, found)
    return found, [SealsView(log, seals_of(log), secret) for log in found.logs]


def _look_at(place: Path, found: _Found) -> None:
    file = LogFile.parsed(place)
    if place.is_dir():
        found.names = None
        for path in place.iterdir():
            _take(path, found)
    elif file is not None and place.exists():
        found.is_whole = False
        _take(place, found)
        _take(file.chain, found)
        _take(seals_of(file.log), found)
    else:
        _look_for_log(place, found)


def _look_for_log(log: Path, found: _Found) -> None:
    if found.names is not None:
        found.names.add(log.name)
    before = len(found.files) + len(found.logs)
    if log.parent.is_dir():
        for path in log.parent.iterdir():
            file = LogFile.parsed(path.with_name(path.name.removesuffix(CHAIN)))
            if path in {seals_of(log), state_of(seals_of(log))} or (file is not None and file.log == log):
                _take(path, found)
    if len(found.files) + len(found.logs) == before:
        raise VerifyError(f"{log}: no such folder, log or file of a log")


def _take(path: Path, found: _Found) -> None:
    if not path.is_file() or path.is_symlink():
        return
    if path.name.endswith(SUFFIX):
        found.logs[path.with_name(path.name.removesuffix(SUFFIX))] = None
        return
    if path.name.endswith(_STATE):
        found.keyed[path.with_name(path.name.removesuffix(_STATE))] = None
        return
    file = LogFile.parsed(path.with_name(path.name.removesuffix(CHAIN)))
    if file is not None:
        kept = found.chains if path.name.endswith(CHAIN) else found.files
        kept.setdefault(file.packed("").path.name, {})[path] = file


def _known(name: str, file: LogFile, views: Sequence[SealsView]) -> Known | None:
    """What the seals say of a file: those beside it, else those that name it; None when there are none."""
    own = [view for view in views if view.log == file.log]
    for view in (*own, *views):
        if name in view.files:
            return view.files[name]
    same = own or [view for view in views if view.log.name == file.log.name]
    return Known() if same else None


# ---- what is not there ------------------------------------------------------------------------------------------


def _absent(found: _Found, views: Sequence[SealsView], places: Sequence[Path]) -> Iterator[FileVerdict]:
    """Files that the seals or a chain know, and that are not there."""
    if not found.is_whole:
        return
    gone = {name: known for view in views for name, known in view.files.items() if name not in found.files}
    for name, known in gone.items():
        yield _absent_file(name, known, places)
    for name, chains in found.chains.items():
        if name not in found.files and name not in gone:
            text = f"{name} is missing: its chain {next(iter(chains)).name} is there"
            yield FileVerdict(name, None, State.MISSING, finding=Finding(Kind.FILE_MISSING, text, 1))


def _absent_file(name: str, known: Known, places: Sequence[Path]) -> FileVerdict:
    if known.removed:
        return FileVerdict(name, None, State.PURGED, notes=(f"purged by retention on {known.removed}",))
    lines = f" with {known.end.lines} lines" if known.end is not None else ""
    where = ", ".join(map(str, places))
    text = f"{name}{lines} is missing: it is not in {where}; where it was archived, name that folder too"
    return FileVerdict(name, None, State.MISSING, finding=Finding(Kind.FILE_MISSING, text, 1))


def _absent_seals(found: _Found, views: Sequence[SealsView], places: Sequence[Path]) -> Iterator[SealsVerdict]:
    """Logs whose files have chains, and that have no seals at these places."""
    sealed = {view.log.name for view in views}
    chained = {file.log for paths in found.chains.values() for file in paths.values()}
    for log in sorted(log for log in {*chained, *found.keyed} if log.name not in sealed):
        where = ", ".join(map(str, places))
        text = f"{seals_of(log).name} is not in {where}; where the files were brought elsewhere, bring it too"
        yield SealsVerdict(log, seals_of(log), 0, signed=False, findings=(Finding(Kind.SEALS_MISSING, text),))


def _lost(found: _Found, others: Iterable[Held]) -> dict[tuple[str, str, str], Held]:
    """The last anchor of each log that ought to be here, and is not, by its place."""
    lost: dict[tuple[str, str, str], Held] = {}
    for anchor in others:
        is_asked_for = found.names is None or anchor.log in found.names
        if found.is_whole and is_asked_for and anchor.number >= lost.get(anchor_place(anchor), anchor).number:
            lost[anchor_place(anchor)] = anchor
    return lost


def _lost_logs(lost: Mapping[tuple[str, str, str], Held], places: Sequence[Path]) -> Iterator[SealsVerdict]:
    """Logs of which nothing is here but what anchors hold."""
    where = ", ".join(map(str, places))
    for each in lost.values():
        log = Path(each.folder) / each.log
        text = (
            f"{each.log} of {each.host}:{each.folder} is missing: the anchors hold {each.number} lines of its seals, "
            f"the last about {each.file or 'the log'}, and those are not in {where}; where they are elsewhere, name "
            "that folder too, or say that the places are not all there is (--partial)"
        )
        yield SealsVerdict(log, seals_of(log), 0, signed=False, findings=(Finding(Kind.LOG_MISSING, text),))


def _told_of(view: SealsView, anchor: Finding | None) -> SealsVerdict:
    findings = (*view.findings, *([anchor] if anchor else ()))
    notes = list(view.notes)
    if view.is_keyed and not view.is_checked:
        notes.append("it is signed; without the key signatures were not looked at")
    return SealsVerdict(view.log, view.path, len(view.heads), view.is_keyed and view.is_checked, findings, tuple(notes))


# ---- reading ----------------------------------------------------------------------------------------------------


def _checked(tasks: Sequence[Task], processes: int | None) -> Iterator[FileVerdict]:
    sizes = [(_size_bytes(task.path), task) for task in tasks]
    count = min(processes or os.cpu_count() or 1, _MOST_PROCESSES, len(tasks))
    if count < 2 or (processes is None and sum(size for size, _ in sizes) < _WORTH_BYTES):  # noqa: PLR2004 - one alone
        yield from map(verify_file, tasks)
        return
    largest_first = [task for _, task in sorted(sizes, key=lambda pair: pair[0], reverse=True)]
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        yield from pool.map(verify_file, largest_first)


def _size_bytes(path: Path) -> int:
    try:
        size = path.stat().st_size
    except OSError:
        return 0
    return size * 8 if path.suffix in PACKINGS else size
