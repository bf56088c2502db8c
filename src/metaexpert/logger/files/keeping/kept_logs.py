"""The logs of a configuration with how each is kept, and what there is of them on disk."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.files.keeping.origin import Claims, claims_in
from metaexpert.logger.files.keeping.packing import SUFFIXES
from metaexpert.logger.files.keeping.retention import KeptFile, Rules
from metaexpert.logger.files.keeping.time_spans import with_spans
from metaexpert.logger.files.keeping.transfer import is_one_place
from metaexpert.logger.files.names import CHAIN, LogFile
from metaexpert.logger.files.ownership import is_written
from metaexpert.logger.options.keeping import TRADE_TERM_SECONDS
from metaexpert.logger.options.sink import FileOptions

_PROTECTED: Final = frozenset({"trade", "audit"})


@final
@dataclass(frozen=True, slots=True)
class KeptLog:
    """A log and how it is kept.

    Attributes:
        path: the log.
        rules: how.
        archive: where its files go after a time; None without an archive.
    """

    path: Path
    rules: Rules
    archive: Path | None = None

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where its files are."""
        return (self.path.parent,) if self.archive is None else (self.path.parent, self.archive)


def kept_logs(config: LoggerConfig) -> tuple[KeptLog, ...]:
    """Every log the configuration writes."""
    return tuple(_kept(options, config.log_dir) for options in config.all_sinks() if isinstance(options, FileOptions))


def _kept(options: FileOptions, log_dir: Path) -> KeptLog:
    archive = options.archive
    folder = None if archive is None else log_dir / archive.folder
    return KeptLog(log_dir / options.path, rules_of(options), folder)


def rules_of(options: FileOptions) -> Rules:
    """How a log with these options is kept; an age never ends before the term does."""
    retention, archive, term = options.retention, options.archive, term_seconds(options)
    max_age = retention.max_age
    return Rules(
        packing=SUFFIXES[options.compression],
        pack_after_seconds=options.compress_after,
        archive_after_seconds=None if archive is None else archive.after,
        max_age_seconds=None if max_age is None else max(max_age, term),
        max_files=retention.max_files,
        max_bytes=retention.max_bytes,
        folder_bytes=_folder_bytes(options),
        min_free_bytes=retention.min_free_bytes,
        keep_for_seconds=term,
    )


def term_seconds(options: FileOptions) -> float:
    """How long after its last entry nothing deletes a file of the log."""
    keep_for = options.retention.keep_for
    if keep_for is not None:
        return keep_for
    return TRADE_TERM_SECONDS if _is_protected(options) else 0.0


def _is_protected(options: FileOptions) -> bool:
    return bool(options.log_types) and _PROTECTED.issuperset(options.log_types or ())


def _folder_bytes(options: FileOptions) -> int | None:
    if _is_protected(options) or not options.backup_count or not options.max_bytes:
        return None
    return options.backup_count * options.max_bytes


def found(log: KeptLog) -> list[KeptFile]:
    """Every file there is of a log, beside it and in its archive.

    Raises:
        OSError: a folder cannot be read; one that is missing has no files.
    """
    current, device = _identity(log.path), _identity(log.path.parent)
    kept: list[KeptFile] = []
    for folder in log.folders:
        is_archive = folder != log.path.parent
        if is_archive and is_one_place(folder, log.path.parent):
            continue  # by another name: what is there was found
        claims = claims_in(folder, log.path) if is_archive else Claims()
        names = _listed(folder)
        chains = {name: entry for name, entry in names.items() if name.endswith(CHAIN)}
        for name, entry in names.items():
            file = LogFile.parsed(folder / name) if name.startswith(log.path.stem) and name not in chains else None
            if file is not None and (file.stem, file.suffix) == (log.path.stem, log.path.suffix):
                with suppress(FileNotFoundError):  # gone meanwhile
                    chain = chains.get(f"{name.removesuffix(file.packing)}{CHAIN}")
                    each = _found(file, entry, chain, current, device, is_archived=is_archive)
                    kept.append(replace(each, is_ours=claims.whose(file)) if is_archive else each)
    return list(with_spans(kept))


def _listed(folder: Path) -> dict[str, os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry for entry in entries}
    except FileNotFoundError:
        return {}


def _found(
    file: LogFile,
    entry: os.DirEntry[str],
    chain: os.DirEntry[str] | None,
    current: os.stat_result | None,
    device: os.stat_result | None,
    *,
    is_archived: bool,
) -> KeptFile:
    state = os.stat(entry.path)  # noqa: PTH116 - what an entry knows of itself lacks device and inode on Windows
    return KeptFile(
        file=file,
        size_bytes=state.st_size + (0 if chain is None else chain.stat().st_size),
        modified_at=state.st_mtime,
        is_written=not file.packing and not is_archived and _is_written(Path(entry.path)),
        is_current=current is not None and os.path.samestat(current, state),
        is_archived=is_archived,
        frees_log_disk=device is not None and device.st_dev == state.st_dev,
    )


def _is_written(path: Path) -> bool:
    try:
        return is_written(path)
    except OSError:  # somebody else's, whose lock we may not try
        return True


def _identity(path: Path) -> os.stat_result | None:
    with suppress(OSError):
        return path.stat()
    return None


def same_contents(files: Sequence[KeptFile]) -> list[list[KeptFile]]:
    """The files that stand more than once, packed and not, or here and in the archive, as a kill leaves them."""
    groups: dict[tuple[object, int], list[KeptFile]] = {}
    for each in files:
        if each.is_ours is not False:
            groups.setdefault((each.file.run, each.file.number), []).append(each)
    return [group for group in groups.values() if len(group) > 1]
