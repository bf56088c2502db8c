"""A program that has itself killed at each step of rotate, compress, archive and delete, and looks at what was left.

`python kept_kills.py <folder>` forks a process for each step, which kills itself there (SIGKILL, by `soak.points`: the
product knows nothing of it); the next one, a restart, does the work again. A line of JSON on stdout for each: what was
left, which entries are lost or there twice afterwards, and what lies about.
"""

import asyncio
import errno
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from support.log_files import QUICK, written

from metaexpert.logger import EvidenceOptions, FileOptions, LoggerConfig, RetentionOptions, get_logger, setup_logging
from metaexpert.logger.files.evidence.verify import verify
from metaexpert.logger.files.keeping import transfer
from metaexpert.logger.files.keeping.housekeeping import LOCK_FILE, Housekeeper
from metaexpert.logger.files.keeping.kept_logs import KeptLog, kept_logs
from metaexpert.logger.files.keeping.moves import PURGED_FILE
from metaexpert.logger.files.keeping.retention import Rules
from metaexpert.logger.files.reader import Reader
from metaexpert.logger.files.reading.sources import sources_in
from soak.points import Point, arm

LATER: Final = time.time() + 7200
FILES: Final = 4
ENTRIES: Final = 30
CHUNK_BYTES: Final = 64 * 1024
_NEVER_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Step:
    """Where a process is killed.

    Attributes:
        phase: what it is at.
        name: how far it has come, for people.
        point: the place in the product.
    """

    phase: str
    name: str
    point: Point


def _step(phase: str, name: str, where: str, event: Any = "start", occurrence: int = 1) -> Step:
    module, _, function = where.partition(":")
    return Step(phase, name, Point(module, function, event, occurrence))


def _making(phase: str, syncs_before: int = 0) -> tuple[Step, ...]:
    """The steps in which one file is made of another, after folders were synced so many times."""
    return (
        _step(phase, "nothing made yet", "files.keeping.transfer:_write_and_verify"),
        _step(phase, "temporary file made, empty", "files.keeping.transfer:_through"),
        _step(phase, "written in part", "files.keeping.transfer:_through", "line", 9),
        _step(phase, "written, not on the disk", "files.keeping.transfer:_bring_to_disk"),
        _step(phase, "on the disk", "files.keeping.transfer:_bring_to_disk", "return"),
        _step(phase, "about to be read back", "files.keeping.transfer:_verify"),
        _step(phase, "read back", "files.keeping.transfer:_verify", "return"),
        _step(phase, "has its name, folder not synced", "journal.segments:sync_folder", "start", syncs_before + 1),
        _step(phase, "made; the one it was made of still there", "files.keeping.moves:_delete"),
        _step(phase, "the one it was made of is gone", "journal.segments:sync_folder", "start", syncs_before + 2),
        _step(phase, "first file done", "files.keeping.moves:_delete", "return"),
    )


ROTATE: Final = (
    _step("rotate", "about to begin the next file", "files.series:Series.begin", "start", 2),
    _step("rotate", "next file made, not locked", "files.series:_opened", "return", 3),
    _step("rotate", "next file locked, the log's name not led to it", "files.links:point", "start", 3),
    _step("rotate", "temporary link made", "files.links:point", "line", 11),
    _step("rotate", "the log's name led to it", "files.links:point", "return", 3),
    _step("rotate", "old file not closed yet", "files.retiring:Retiring._retire_here", "start", 2),
    _step("rotate", "old file closed, housekeeping woken", "files.retiring:Retiring._retire_here", "return", 1),
    _step("rotate", "compressed beside the program, plain one there", "files.keeping.moves:_delete"),
)
_SEALING: Final = "files.evidence.sealing:Sealing"
SEAL: Final = (
    _step("seal", "about to end the chain", "files.evidence.chain:Chain.seal"),
    _step("seal", "chain ended in memory", "files.evidence.chain:Chain.seal", "return"),
    _step("seal", "next file begun, its beginning not in the seals", "files.evidence.chain:Chain.begin", "start", 2),
    _step("seal", "next file begun and chained, old one unsealed", "files.evidence.chain:Chain.begin", "return", 2),
    _step("seal", "old file not on the disk", "files.retiring:Retiring._sync_file"),
    _step("seal", "old file on the disk, its chain not ended", f"{_SEALING}.bring_to_disk"),
    _step("seal", "chain ended on the disk, not in the seals", f"{_SEALING}._append"),
    _step("seal", "in the seals, old file still open", f"{_SEALING}._append", "return"),
    _step("seal", "old file sealed and closed", "files.retiring:Retiring._close", "return"),
)
COMPRESS: Final = _making("compress")
CLAIM_SYNCS: Final = 2
"""The folder's name, and the record of what it claims, are both new."""

ARCHIVE: Final = (
    _step("archive to another disk", "the folder has no name yet", "files.keeping.origin:_named"),
    _step("archive to another disk", "the folder is named, nothing claimed", "files.keeping.origin:_named", "return"),
    _step("archive to another disk", "files claimed, none moved", "files.keeping.origin:claim", "return"),
    *_making("archive to another disk", CLAIM_SYNCS),
    _step("archive to another disk", "file moved, chain not", "files.keeping.moves:move", "start", 2),
    _step("archive to another disk", "chain copied, not gone here", "files.keeping.moves:_delete", "start", 2),
    _step("archive to another disk", "file and chain moved", "files.keeping.moves:archive", "return"),
    _step("archive on this disk", "nothing moved yet", "files.keeping.moves:move"),
    _step(
        "archive on this disk",
        "file renamed, folders not synced",
        "journal.segments:sync_folder",
        "start",
        CLAIM_SYNCS + 1,
    ),
    _step("archive on this disk", "file moved, chain not", "files.keeping.moves:move", "start", 2),
    _step("archive on this disk", "file and chain moved", "files.keeping.moves:archive", "return"),
)
PURGE: Final = (
    _step("delete", "decided", "files.keeping.moves:purge"),
    _step("delete", "written down", "files.keeping.moves:_write_down", "return"),
    _step("delete", "in the seals", "files.evidence.chain:record_removal", "return"),
    _step("delete", "file gone, chain not", "files.keeping.moves:purge", "line", 5),
    _step("delete", "file and chain gone", "files.keeping.moves:purge", "line", 6),
    _step("delete", "first of two gone", "files.keeping.moves:purge", "return"),
)
ALL: Final = (
    _step("all at once", "lock taken", "files.keeping.transfer:sweep"),
    _step("all at once", "compressing the last one", "files.keeping.transfer:_through", "line", 60),
    _step("all at once", "archiving the second one", "files.keeping.moves:archive", "start", 2),
    _step("all at once", "deleting, all else done", "files.keeping.moves:purge"),
    _step("all at once", "about to unlock", "owner_lock:OwnerLock.release"),
)
STEPS: Final = (*ROTATE, *SEAL, *COMPRESS, *ARCHIVE, *PURGE, *ALL)

RULES: Final = {
    "compress": Rules(packing=".gz"),
    "archive to another disk": Rules(archive_after_seconds=0.0),
    "archive on this disk": Rules(archive_after_seconds=0.0),
    "delete": Rules(max_files=FILES - 2),
    "all at once": Rules(packing=".zst", archive_after_seconds=0.0, max_files=FILES - 1),
}


@dataclass(slots=True)
class Seen:
    """What became of a kill at a step.

    Attributes:
        phase: of the step.
        name: of the step.
        killed: whether the process came there and was killed.
        left: what the kill left that a finished work would not have.
        lost: entries that are in no file after the restart, though they should be.
        doubled: those that readers find twice.
        orphans: what lies about after the restart.
    """

    phase: str
    name: str
    killed: bool = False
    left: list[str] = field(default_factory=list[str])
    lost: list[str] = field(default_factory=list[str])
    doubled: list[str] = field(default_factory=list[str])
    orphans: list[str] = field(default_factory=list[str])


def main(folder: Path) -> None:
    """Kill at every step; a line each."""
    transfer.CHUNK_BYTES = CHUNK_BYTES  # files as small as these are several pieces
    for index, step in enumerate(STEPS):
        seen = (
            _rotating(step, folder / str(index))
            if step.phase in {"rotate", "seal"}
            else _keeping(step, folder / str(index))
        )
        sys.stdout.write(json.dumps(asdict(seen)) + "\n")
        sys.stdout.flush()


# ---- files made by hand, kept by a process that is killed ----------------------------------------------------------


def _keeping(step: Step, folder: Path) -> Seen:
    log = KeptLog(folder / "expert.log", RULES[step.phase], folder / "archive")
    files = [
        written(log.path, number, data=_lines(number), chain=b"chain %d\n" % number) for number in range(1, FILES + 1)
    ]
    expected = [f"{number}-{at}" for number in range(1, FILES + 1) for at in range(ENTRIES)]
    seen = Seen(step.phase, step.name, killed=_killed_at(step.point, lambda: _keep(log, folder, step.phase)))
    seen.left = _rubbish(log)
    gone = [file.path.name for file in files][: FILES - (log.rules.max_files or FILES)]
    expected = [each for each in expected if int(each.partition("-")[0]) > len(gone)]
    if os.waitstatus_to_exitcode(_forked(lambda: _keep(log, folder, step.phase))) != 0:
        seen.orphans.append("the restart failed")
    found = _ids(log)
    seen.lost = sorted(set(expected) - set(found))
    seen.doubled = _doubled(found) + _doubled(_raw_ids(log))
    seen.orphans += _rubbish(log) + _strays(log, files, set(gone))
    return seen


def _lines(number: int) -> bytes:
    lines = (
        {"timestamp": f"2026-11-23T17:16:{number:02d}.{at:09d}Z", "id": f"{number}-{at}", "message": "x" * 3000}
        for at in range(ENTRIES)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _keep(log: KeptLog, folder: Path, phase: str) -> None:
    if phase == "archive to another disk":
        Path.rename = _to_another_disk  # type: ignore[method-assign]
    keeper = Housekeeper(folder, [log], _tell, pace=QUICK, clock=lambda: LATER)
    keeper.keep()
    if keeper.counters.failures:
        raise AssertionError(keeper.counters)


def _to_another_disk(self: Path, target: Path) -> Path:
    raise OSError(errno.EXDEV, "Invalid cross-device link", str(self), None, str(target))


def _tell(subject: str, text: str) -> None:
    sys.stderr.write(f"{subject}: {text}\n")


def _strays(log: KeptLog, files: Sequence[Any], gone: set[str]) -> list[str]:
    """Chains that are not beside their file, and files that are not where and as they should be."""
    strays: list[str] = []
    packing, archives = log.rules.packing, log.rules.archive_after_seconds is not None
    place = log.folders[-1] if archives else log.path.parent
    for file in files:
        wanted = set() if file.path.name in gone else {place / f"{file.path.name}{packing}", place / file.chain.name}
        there = {path for each in log.folders if each.exists() for path in each.glob(f"{file.path.name}*")}
        strays += [f"missing: {path.name}" for path in wanted - there] + [
            f"stray: {path.name}" for path in there - wanted
        ]
    return strays


# ---- a program that logs, and is killed as it rotates --------------------------------------------------------------


def _rotating(step: Step, folder: Path) -> Seen:
    config = LoggerConfig(
        log_dir=folder,
        log_to_console=False,
        log_to_file=False,
        shutdown_timeout=10.0,
        sinks=(
            FileOptions(
                path=Path("expert.log"),
                max_bytes=2000,
                backup_count=1000,
                batch_max_entries=2,
                compression="gzip",
                retention=RetentionOptions(),
                tamper_evidence=EvidenceOptions() if step.phase == "seal" else None,
            ),
        ),
    )
    (log,) = kept_logs(config)
    folder.mkdir(parents=True)
    returned = folder / "returned"
    seen = Seen(step.phase, step.name, killed=_killed_at(step.point, lambda: asyncio.run(_log(config, returned))))
    seen.left = _rubbish(log)
    status = _forked(lambda: asyncio.run(_restart(config, log)))
    if os.waitstatus_to_exitcode(status) != 0:
        seen.orphans.append("the restart failed")
    found = _messages(log)
    seen.lost = sorted(set(returned.read_text().split()) - set(found))
    seen.doubled = _doubled(found)
    seen.orphans += _rubbish(log) + _tampered(folder, step)
    return seen


def _tampered(folder: Path, step: Step) -> list[str]:
    """What a kill left that would be taken for tampering."""
    if step.phase != "seal":
        return []
    report = verify([folder], processes=1)
    wrong = [each.finding.text for each in report.files if each.finding is not None]
    return wrong + [finding.text for each in report.seals for finding in each.findings]


async def _log(config: LoggerConfig, returned: Path) -> None:
    """Log until killed; what a call returned for is known, for sure, beside the log."""
    log, descriptor = get_logger("killed"), os.open(returned, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    deadline = time.monotonic() + _NEVER_S
    async with setup_logging(config):
        number = 0
        while time.monotonic() < deadline:
            number += 1
            log.error("n%d", number)
            os.write(descriptor, b"n%d\n" % number)
            await asyncio.sleep(0.002)


async def _restart(config: LoggerConfig, log: KeptLog) -> None:
    async with setup_logging(config) as runtime:
        get_logger("restarted").error("after")
        await runtime.flush(10.0)
    Housekeeper(config.log_dir, [log], _tell, pace=QUICK, clock=lambda: LATER).keep()


# ---- what is there -------------------------------------------------------------------------------------------------


def _ids(log: KeptLog) -> list[str]:
    """The entries as readers see them."""
    return [str(entry.entry_id) for entry in Reader(sources_in(each for each in log.folders if each.exists()))]


def _messages(log: KeptLog) -> list[str]:
    return [entry.message for entry in Reader(sources_in(each for each in log.folders if each.exists()))]


def _raw_ids(log: KeptLog) -> list[str]:
    """The entries of all files, whatever readers make of them."""
    sources = sources_in(each for each in log.folders if each.exists())
    return [str(entry.entry_id) for entry in Reader(sources, distinct=False)]


def _doubled(found: Sequence[str]) -> list[str]:
    return sorted(each for each, count in Counter(found).items() if count > 1)


def _rubbish(log: KeptLog) -> list[str]:
    """Temporary files, locks, and contents that are there twice."""
    names = [path.name for each in log.folders if each.exists() for path in each.iterdir() if path.is_file()]
    kept = {PURGED_FILE, "returned", "operations.jsonl"}
    plain = [name.removesuffix(".gz").removesuffix(".zst") for name in names if name not in kept]
    return sorted([*(name for name in names if ".tmp" in name or name == LOCK_FILE), *_doubled(plain)])


# ---- processes -----------------------------------------------------------------------------------------------------


def _killed_at(point: Point, work: Callable[[], None]) -> bool:
    def armed() -> None:
        arm(point)
        work()

    status = _forked(armed)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _forked(work: Callable[[], None]) -> int:
    """Do it in a process of its own; how that ended."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    status = 1
    try:
        work()
        status = 0
    except BaseException as error:  # noqa: BLE001 - the parent goes on with the next step
        _tell(type(error).__name__, str(error))
    finally:
        os._exit(status)


def matrix(seen: Sequence[Seen]) -> Iterator[str]:
    """The kill matrix, for people."""
    yield f"{'killed at':<78} {'left by the kill':<34} lost doubled orphans"
    for each in seen:
        where = f"{each.phase}: {each.name}" + ("" if each.killed else "  NOT REACHED")
        left = f"{len(each.left)} ({_kinds(each.left)})" if each.left else "nothing"
        yield f"{where:<78} {left:<34} {len(each.lost):>4} {len(each.doubled):>7} {len(each.orphans):>7}"


def _kinds(left: Sequence[str]) -> str:
    kinds = ["temporary" if ".tmp" in name else "lock" if name == LOCK_FILE else "copy" for name in left]
    return ", ".join(dict.fromkeys(kinds))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
