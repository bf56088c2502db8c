"""Whose the files in a disk queue's folder are: the runs that wrote them, found, taken over, and swept away.

Segments are called `<boot id>-<pid>-<count>.<lane>.<number>.segment` and stand beside a lock `<run>.lock`, which is
held as long as their owner lives. A file that can't be understood stays where it is.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from metaexpert.logger.entry import OF_ANOTHER_RUN, Lane
from metaexpert.logger.owner_lock import OwnerLock
from metaexpert.logger.segment import SegmentError
from metaexpert.logger.spool.segment import SpoolSegment
from metaexpert.logger.spool.series import Run
from metaexpert.logger.spool.storage import Storage

SEGMENT_NAME: Final = re.compile(
    r"(?P<run>(?P<boot>[0-9a-z]+)-\d+-(?P<count>\d+))\.(?P<lane>[0-4])\.(?P<number>\d{8})\.segment"
)
ASIDE: Final = ".damaged"
_LOCK: Final = ".lock"
_SEGMENTS_A_BREATH: Final = 8
_BREATH_SECONDS: Final = 0.0001
"""Lets the event loop's thread have the interpreter while a long queue is looked through."""

_FORMER: Final = ".spool"

type Acquire = Callable[[Path], OwnerLock | None]
"""Locks what names an owner; None where another one has it."""


def owned(path: Path) -> OwnerLock | None:
    """Lock `path` in its folder, both made when missing; None when another owner holds it.

    Raises:
        OSError: it cannot be made or locked at all.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return OwnerLock.acquire(path)


def segment_name(run: str, lane: Lane, number: int) -> str:
    """What a segment is called."""
    return f"{run}.{lane:d}.{number:08d}.segment"


def lock_name(run: str) -> str:
    """What a run's lock is called."""
    return f"{run}{_LOCK}"


def runs_in(files: Mapping[str, int]) -> dict[str, list[re.Match[str]]]:
    """The names of segments by run, oldest run first, each run's by number."""
    named = [match for match in map(SEGMENT_NAME.fullmatch, files) if match is not None]
    named.sort(key=lambda match: (match["boot"], int(match["count"]), match["run"], match["number"]))
    runs: dict[str, list[re.Match[str]]] = {}
    for match in named:
        runs.setdefault(match["run"], []).append(match)
    return runs


def taken_over(
    storage: Storage, folder: Path, names: Sequence[re.Match[str]], files: Mapping[str, int], run: Run
) -> list[str]:
    """Fill `run` with the segments of that name; returns what was left where it is, and why."""
    told: list[str] = []
    for name in names:
        path = folder / name.string
        segment = SpoolSegment(storage, path, Lane(int(name["lane"])), int(name["number"]))
        segment.lasti = OF_ANOTHER_RUN
        try:
            segment.find(files[name.string])
        except (SegmentError, OSError) as error:
            told.append(f"{path}: {(isinstance(error, OSError) and error.strerror) or error}")
            continue
        finally:
            segment.close()
        run.series(segment.lane).segments.append(segment)
        if segment.first is not None:
            run.lowest = min(run.lowest, segment.first.arrival)
        if not len(run.series(segment.lane).segments) % _SEGMENTS_A_BREATH:
            time.sleep(_BREATH_SECONDS)
    return told


def sweep(folder: Path, files: Mapping[str, int], acquire: Acquire, own: str) -> None:
    """Delete the locks of owners that ended and left nothing else."""
    with_segments = runs_in(files)
    for name in files:
        run = name.removesuffix(_LOCK)
        if run in {name, own} or run in with_segments:
            continue
        with suppress(OSError):
            lock = acquire(folder / name)
            if lock is not None:
                lock.release(delete=True)


def former_files(storage: Storage, folder: Path, label: str) -> list[Path]:
    """Files of this queue in the format before segments; they stood in the folder above."""
    files = storage.files(folder.parent)
    return [folder.parent / name for name in files if name.endswith(_FORMER) and f".{label}." in name]
