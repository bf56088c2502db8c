"""Bringing to the disk what runs that ended wrote to a log, before the journal forgets what stands there.

A process that was killed leaves its last lines to the system, which brings them to the disk when it comes to it. Where
the disk refused them, a sync alone would be believed in vain: they are written once more first.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from metaexpert.logger.files.names import Run, files_of
from metaexpert.logger.files.rewriting import write_again
from metaexpert.logger.journal.segments import sync_descriptor, sync_folder


def sync_files_of(log: Path, runs: Mapping[Run, bool]) -> None:
    """Bring the files of some runs to the disk; blocks. What is compressed came there when it was.

    Args:
        log: the log's path, such as `logs/expert.log`.
        runs: runs that have ended, and whether the disk had refused what they wrote.

    Raises:
        OSError: the system could not.
    """
    found = [file for file in files_of(log) if file.run in runs and not file.packing]
    for file in found:
        with suppress(FileNotFoundError):  # compressed, moved or deleted meanwhile
            _sync(file.path, is_refused=runs[file.run])
    if found:
        sync_folder(log.parent)


def _sync(path: Path, *, is_refused: bool) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        if is_refused:
            write_again(path, descriptor, 0, os.fstat(descriptor).st_size)
        sync_descriptor(descriptor)
    finally:
        os.close(descriptor)
