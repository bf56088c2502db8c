"""A log's files as a test makes them, and looks at them."""

import json
from pathlib import Path
from typing import Any

from metaexpert.logger.files.names import files_of
from metaexpert.logger.files.rotation import Rotation
from metaexpert.logger.files.writer import AppendFile
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Worker

IDENTITY = Identity(service="test")

NO_ROTATION = Rotation()


def new_log(path: Path, worker: Worker, rotation: Rotation = NO_ROTATION, **more: Any) -> AppendFile:
    """A log of the run `IDENTITY`."""
    return AppendFile(path, rotation, worker, IDENTITY, **more)


def in_order(log: Path) -> list[Path]:
    """The files of a log in the order they were written in, those of an earlier run first.

    Their times tell runs apart that began within one second, which their names do not.
    """
    return [file.path for file in sorted(files_of(log), key=lambda file: (file.path.stat().st_mtime_ns, file))]


def listed(folder: Path) -> list[Path]:
    """Everything in `folder`, by name."""
    return sorted(folder.iterdir())


def written(log: Path) -> bytes:
    """What all files of a log hold, one after the other."""
    return b"".join(path.read_bytes() for path in in_order(log))


def numbers(path: Path) -> list[int]:
    """The numbers of the entries "n <number>" in a JSON file; every line has to be whole."""
    content = path.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    return [int(json.loads(line)["message"][2:]) for line in content.splitlines()]
