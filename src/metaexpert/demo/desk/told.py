"""Reads back what a run told of the desk: entries of the main log, but for ticks and bursts, and the order report."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from metaexpert.demo.collector_process import environment
from metaexpert.demo.holdings import lines_of

type Entry = Mapping[str, Any]

_LEFT_OUT: Final = (b'"message":"tick"', b'"logger":"demo.burst"')
_COMMAND: Final = (sys.executable, "-m", "metaexpert", "logs", "trades")


@dataclass(frozen=True, slots=True)
class Output:
    """What a command said.

    Attributes:
        status: Its exit status.
        text: Its standard output.
        errors: Its standard error.
    """

    status: int
    text: str
    errors: str


def read_entries(log: Path) -> list[Entry]:
    """The entries of a log by the order of their calls, without those that are there in thousands."""
    lines = (line for line in lines_of(log) if not any(mark in line for mark in _LEFT_OUT))
    return sorted(map(orjson.loads, lines), key=lambda entry: entry["seq"])


async def order_report(folder: Path, *options: str) -> Output:
    """What `metaexpert logs trades` says of the log files in `folder`."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        str(folder),
        "--no-color",
        "--utc",
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment() | {"PYTHONIOENCODING": "utf-8"},
        cwd=folder,
    )
    try:
        text, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Output(process.returncode or 0, text.decode(), errors.decode())


def rows_of(report: Output) -> Sequence[Mapping[str, Any]]:
    """The orders of a report in JSON, a line each."""
    return [orjson.loads(line) for line in report.text.splitlines()]
