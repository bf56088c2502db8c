"""Which way this machine tells of a process."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from metaexpert.logger.measuring.process import ProcessReading, read_by_proc

_PROC: Final = Path("/proc")


def process_reader(proc: Path = _PROC) -> Callable[[], ProcessReading]:
    """How the process is read: by /proc, else by psutil where that is installed, else by what Python itself knows.

    Args:
        proc: where Linux shows its processes.
    """
    if not (proc / "self" / "statm").exists() and find_spec("psutil") is not None:
        from metaexpert.logger.measuring.psutil_process import read_by_psutil  # noqa: PLC0415 - an optional dependency

        return read_by_psutil
    return lambda: read_by_proc(proc)
