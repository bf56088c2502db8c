"""Lays out log files that former runs seem to have left: whole ones to search, sparse ones to see how a tail starts.

Lines are as the library writes them, in order of time, each with an id of its own; one in ``RARE_EVERY`` is about
``RARE_SYMBOL``. A sparse file has lines at its beginning and its end and a hole of one line between them, since a tail
reads no more, and was written last when its last entry was.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench.workload import EXCHANGE, LOGGER_NAME, MESSAGE
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.identity import Identity

LOG: Final = "expert.log"
RARE_SYMBOL: Final = "SOLUSDT"
RARE_EVERY: Final = 1_000
_SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "LTCUSDT")
_BEGAN: Final = datetime(2026, 1, 5, tzinfo=UTC)
_BOOT_ID: Final = f"{int(_BEGAN.timestamp() * 1000):011x}00b34c"
_PID: Final = 4711
_STEP_MICROSECONDS: Final = 100
_BLOCK_LINES: Final = 10_000
_ENDS_LINES: Final = 500


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What the files hold."""

    entries: int
    rare_entries: int
    size_bytes: int


def write_logs(folder: Path, files: int, file_bytes: int) -> LaidOut:
    """Write whole files of one run."""
    number = size_bytes = 0
    for path in _paths(folder, files):
        with path.open("wb") as file:
            while file.tell() < file_bytes:
                file.write(_block(number, _BLOCK_LINES))
                number += _BLOCK_LINES
            size_bytes += file.tell()
    return LaidOut(number, -(-number // RARE_EVERY), size_bytes)


def write_sparse_logs(folder: Path, files: int, file_bytes: int) -> LaidOut:
    """Write the ends of files of one run."""
    lines = file_bytes // len(_line(0))  # as many as a whole file would have
    size_bytes = 0
    for index, path in enumerate(_paths(folder, files)):
        end = b"\n" + _block((index + 1) * lines - _ENDS_LINES, _ENDS_LINES)
        with path.open("wb") as file:
            file.write(_block(index * lines, _ENDS_LINES))
            file.seek(file_bytes - len(end), os.SEEK_SET)
            file.write(end)
            size_bytes += file.tell()
        written_at = (_BEGAN + timedelta(microseconds=(index + 1) * lines * _STEP_MICROSECONDS)).timestamp()
        os.utime(path, (written_at, written_at))
    return LaidOut(files * lines, -(-files * lines // RARE_EVERY), size_bytes)


def _paths(folder: Path, files: int) -> Iterator[Path]:
    folder.mkdir(parents=True)
    identity = Identity(service="bench", boot_id=_BOOT_ID, pid=_PID)
    file = LogFile.first(folder / LOG, identity)
    for _ in range(files):
        yield file.path
        file = file.next()


def _block(first: int, count: int) -> bytes:
    return "".join([_line(number) for number in range(first, first + count)]).encode()


def _line(number: int) -> str:
    moment = _BEGAN + timedelta(microseconds=number * _STEP_MICROSECONDS)
    symbol = RARE_SYMBOL if number % RARE_EVERY == 0 else _SYMBOLS[number % len(_SYMBOLS)]
    return (
        f'{{"timestamp":"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z","level":"INFO","logger":"{LOGGER_NAME}","message":"{MESSAGE}",'
        f'"module":"strategy","function":"on_tick","line":42,"log_type":"general","process":{_PID},"id":"{_BOOT_ID}-{number}",'
        f'"seq":{number},"thread":140245,"task":"expert","extra":{{"exchange":"{EXCHANGE}","symbol":"{symbol}",'
        f'"price":{43_000 + number % 1000 / 4},"latency_ms":3.2,"strategy_id":1001}}}}\n'
    )
