"""Reads log files back, rotated ones included: what each really holds, by entry id."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from metaexpert.logger.files.names import files_of

type Kind = tuple[str, str]
"""Level and log type."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What one destination holds.

    Attributes:
        kinds: Level and log type by entry id.
        copies: Entries beyond the first of their id.
        unreadable: Lines that are no entries.
        conflicting: Ids received again with other content.
        gaps: Gap entries, whole.
        by_logger: Entries by logger, where the lines were read.
    """

    kinds: Mapping[str, Kind]
    copies: int = 0
    unreadable: int = 0
    conflicting: int = 0
    gaps: tuple[Mapping[str, Any], ...] = ()
    by_logger: Mapping[str, int] = field(default_factory=dict[str, int])


def read_log(path: Path) -> Holding:
    """Everything in the files of the log at `path`, of all runs."""
    kinds: dict[str, Kind] = {}
    by_logger: Counter[str] = Counter()
    gaps: list[Mapping[str, Any]] = []
    lines = unreadable = 0
    for line in lines_of(path):
        lines += 1
        try:
            entry = orjson.loads(line)
            entry_id, kind = entry["id"], (entry["level"], entry["log_type"])
        except (orjson.JSONDecodeError, TypeError, KeyError):
            unreadable += 1
            continue
        kinds[entry_id] = kind
        by_logger[entry["logger"]] += 1
        if kind[1] == "gap":
            gaps.append(entry)
    return Holding(kinds, lines - unreadable - len(kinds), unreadable, 0, tuple(gaps), by_logger)


def lines_of(path: Path) -> list[bytes]:
    """The lines of all files of the log at `path`."""
    return [line for file in sorted(files_of(path)) for line in file.path.read_bytes().splitlines()]
