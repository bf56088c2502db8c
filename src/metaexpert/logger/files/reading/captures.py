"""Entries of log files as log calls capture them, so that every format can encode them anew; pure.

A line tells less than the call knew: of the file only its module, of the function only its name; service and host stand
in no line. An entry without an id, as in text logs, gets one from a digest of its line, the same at every reading.
"""

from hashlib import blake2s
from typing import Any, Final, cast

import orjson

from metaexpert.logger.entry import NO_MONOTONIC_NS, OF_ANOTHER_RUN, Capture, Details, data_key
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.site import placed

_DIGEST_BYTES: Final = 10
_LARGEST_LINE: Final = 2**31 - 1
"""The interpreter keeps no larger one."""

_EXCEPTION: Final = ("type", "message", "traceback")


def run_of(entry: LogEntry) -> tuple[str, int]:
    """Boot id and process id of the run that wrote an entry; a process id that is not known is 0."""
    boot_id = (entry.entry_id or "").rpartition("-")[0] or blake2s(entry.line, digest_size=_DIGEST_BYTES).hexdigest()
    pid = entry.values.get("process")
    if not isinstance(pid, int):
        file = LogFile.parsed(entry.source)
        pid = 0 if file is None else file.run.pid
    return boot_id, pid


def capture_of(entry: LogEntry) -> Capture:
    """What the entry's call captured, as far as its line tells."""
    values = entry.values
    place = placed(f"{values.get('module') or 'unknown'}.py", str(values.get("function") or "unknown"), _line(values))
    extra, log_type, thread, task = entry.extra, entry.log_type, values.get("thread"), values.get("task")
    steady_ns = values.get("monotonic_ns")
    return (
        _seq(entry),
        entry.time_ns,
        entry.level_number,
        entry.logger,
        entry.message,
        place,
        OF_ANOTHER_RUN,
        orjson.dumps(extra)[1:-1] if extra else b"",
        b"",
        thread if isinstance(thread, int) else 0,
        task if isinstance(task, str) else None,
        log_type,
        _details(values, data_key(log_type)),
        len(entry.line),
        steady_ns if type(steady_ns) is int else NO_MONOTONIC_NS,
    )


def _seq(entry: LogEntry) -> int:
    number = (entry.entry_id or "").rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _line(values: dict[str, Any]) -> int:
    line = values.get("line")
    return line if isinstance(line, int) and 0 <= line <= _LARGEST_LINE else 0


def _details(values: dict[str, Any], key: str) -> Details | None:
    exception, stack, data = values.get("exception"), values.get("stack_info"), values.get(key)
    if exception is None and stack is None and data is None:
        return None
    return (
        _exception(exception),
        orjson.dumps(stack) if isinstance(stack, str) else b"",
        orjson.dumps(data) if isinstance(data, dict) else b"",
    )


def _exception(told: Any) -> bytes:
    if not isinstance(told, dict):
        return b""
    table = cast("dict[str, Any]", told)
    return orjson.dumps(table | {name: str(table.get(name) or "") for name in _EXCEPTION})
