"""Reading logs back: how fast a filter goes through them, beside ``jq`` and ``zgrep``, and how soon a tail shows.

Ours alone, but for these two where they are installed. Files of a gigabyte are laid out, of which one line in a
thousand is about another symbol; what is found is counted, and a run that finds another number has no figure. They come
from the page cache. ``jq`` and ``zgrep`` are given one of the files. The tail is of a folder of ten gigabytes, laid out
sparsely.
"""

import asyncio
import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, cast

from bench.large_logs import RARE_SYMBOL, LaidOut, write_logs, write_sparse_logs
from bench.measures.base import Case
from bench.pacing import settle_garbage
from bench.reading import Reading
from metaexpert.logger.files.reader import Query, Reader, last, sources_in

FOLDER_BYTES: Final = 10_000_000_000
"""The size that is asked for; a smaller folder leaves no figure under its name."""
_SHOWN: Final = 10
_TAILS: Final = 5
_STARTS: Final = 15
_BARE: Final = (sys.executable, "-c", "print()")
_MEGA: Final = 1_000_000
_CONDITION: Final = f"symbol={RARE_SYMBOL}"


async def reading(case: Case) -> Reading:
    """Lay out, filter and count; then tail the large folder."""
    return await asyncio.to_thread(_measured, case)


def _measured(case: Case) -> Reading:
    amounts, folder = case.amounts, case.folder / "whole"
    laid_out = write_logs(folder, amounts.log_files, amounts.log_file_bytes)
    figures = {"searched_mb": laid_out.size_bytes / _MEGA}
    faults: list[str] = []
    settle_garbage()
    figures["where_mb_per_second"] = _rate(laid_out, lambda: Reader(sources_in([folder]), _where()), faults)
    figures["text_mb_per_second"] = _rate(laid_out, lambda: Reader(sources_in([folder]), _text()), faults)
    one = min(folder.iterdir())
    figures |= _against(one, faults)
    figures |= _tails(case)
    return Reading(
        figures={} if faults else figures,
        offered=laid_out.rare_entries,
        arrived=laid_out.rare_entries,
        fault="; ".join(faults),
    )


def _where() -> Query:
    return Query.parsed(where=[_CONDITION])


def _text() -> Query:
    return Query(text=re.compile(RARE_SYMBOL.encode()))


def _rate(laid_out: LaidOut, read: Callable[[], Iterable[object]], faults: list[str]) -> float:
    """Megabytes a second; what was not found is a fault."""
    before_seconds = time.perf_counter()
    count = sum(1 for _ in read())
    taken_seconds = time.perf_counter() - before_seconds
    if count != laid_out.rare_entries:
        faults.append(f"{count} entries found of {laid_out.rare_entries}")
    return laid_out.size_bytes / _MEGA / taken_seconds


def _against(file: Path, faults: list[str]) -> dict[str, float]:
    """One file through ``jq``, packed through ``zgrep``, and through ours both ways."""
    size_bytes = file.stat().st_size
    packed = file.with_name(f"{file.name}.gz")
    with file.open("rb") as plain, gzip.open(packed, "wb", compresslevel=6) as target:
        shutil.copyfileobj(plain, target)
    expected = sum(1 for _ in Reader(sources_in([file]), _where()))
    selecting = f'select(.extra.symbol=="{RARE_SYMBOL}")'
    figures = {
        "one_mb_per_second": _timed(size_bytes, lambda: sum(1 for _ in Reader(sources_in([file]), _where()))),
        "packed_mb_per_second": _timed(size_bytes, lambda: sum(1 for _ in Reader(sources_in([packed]), _where()))),
    }
    for name, command in (("jq", ["jq", "-c", selecting, str(file)]), ("zgrep", ["zgrep", RARE_SYMBOL, str(packed)])):
        if shutil.which(name) is not None:
            figures[f"{name}_mb_per_second"] = _timed(size_bytes, lambda command=command: _lines(command))
            if (count := _lines(command)) != expected:
                faults.append(f"{name} finds {count} entries, ours {expected}")
    packed.unlink()
    return figures


def _timed(size_bytes: int, run: Callable[[], object]) -> float:
    before_seconds = time.perf_counter()
    run()
    return size_bytes / _MEGA / (time.perf_counter() - before_seconds)


def _lines(command: Sequence[str]) -> int:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.count(b"\n")


def _tails(case: Case) -> dict[str, float]:
    """Milliseconds until the large folder's last lines are there: in a process that runs, and by the whole command."""
    folder = case.folder / "sparse"
    laid_out = write_sparse_logs(folder, case.amounts.tail_files, case.amounts.tail_file_bytes)
    environ = _as_installed(case.folder / "bytecode")
    command = [sys.executable, "-m", "metaexpert", "logs", "tail", "-n", str(_SHOWN), str(folder)]
    for each in (command, _BARE):  # what compiles
        _first_line_ms(each, environ)
    figures = {
        "tail_gib": laid_out.size_bytes / 2**30,
        "tail_ms": _median_ms(lambda: last(sources_in([folder]), Query(), _SHOWN)),
        "tail_command_ms": statistics.median(_first_line_ms(command, environ) for _ in range(_STARTS)),
        "bare_python_ms": statistics.median(_first_line_ms(_BARE, environ) for _ in range(_STARTS)),
    }
    if laid_out.size_bytes >= FOLDER_BYTES:
        figures["tail_10_gb_ms"] = figures["tail_ms"]
        figures["tail_command_10_gb_ms"] = figures["tail_command_ms"]
    return figures


def _as_installed(folder: Path) -> dict[str, str]:
    """The environment in which modules are compiled once, as they are where a package was installed."""
    unwanted = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    return {key: value for key, value in os.environ.items() if key not in unwanted} | {
        "PYTHONPYCACHEPREFIX": str(folder)
    }


def _first_line_ms(command: Sequence[str], environ: Mapping[str, str]) -> float:
    """Milliseconds from a program's start to its first line."""
    before_seconds = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as process:
        output = cast("IO[bytes]", process.stdout)
        line = output.readline()
        taken_ms = (time.perf_counter() - before_seconds) * 1e3
        output.read()
    if process.returncode or not line:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return taken_ms


def _median_ms(run: Callable[[], object]) -> float:
    taken: list[float] = []
    for _ in range(_TAILS):
        before_seconds = time.perf_counter()
        run()
        taken.append((time.perf_counter() - before_seconds) * 1e3)
    return statistics.median(taken)
