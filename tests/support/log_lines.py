"""Log files with lines a test names, at times it knows."""

import json
from pathlib import Path
from typing import Any

BOOT_ID = "1a2097fe9ce0bcd01"
START = "20261123T171500Z"


def log_line(seq: int, message: str, level: str = "INFO", **more: Any) -> dict[str, Any]:
    """An entry as a JSON file has it, `seq` seconds after 2026-11-23 17:15:00 UTC."""
    entry = {
        "timestamp": f"2026-11-23T17:{15 + seq // 60:02}:{seq % 60:02}.123456789Z",
        "level": level,
        "logger": "expert.feed",
        "message": message,
        "module": "feed",
        "function": "run",
        "line": 42,
        "log_type": "general",
        "process": 4711,
        "id": f"{BOOT_ID}-{seq}",
        "seq": seq,
        "monotonic_ns": 5_000_000_000_000 + seq * 1_000_000_000,
        "thread": 7,
    }
    return entry | more


def error_line(seq: int, message: str, said: str, kind: str = "ConnectionError", **more: Any) -> dict[str, Any]:
    """An entry with an exception."""
    traceback = (
        "Traceback (most recent call last):\n"
        f'  File "/app/feed.py", line {40 + seq}, in connect\n'
        "    raise failure\n"
        f"{kind}: {said}\n"
    )
    return log_line(
        seq,
        message,
        "ERROR",
        exception={"type": kind, "message": said, "traceback": traceback},
        severity="high",
        **more,
    )


def trade_line(seq: int, message: str, log_type: str = "trade", **data: Any) -> dict[str, Any]:
    """A trade event."""
    return log_line(seq, message, log_type=log_type, trade_data=data, extra={"strategy_id": 1001})


def write_log(
    folder: Path, *lines: dict[str, Any] | bytes, stem: str = "expert", number: int = 1, tag: str = "0bcd01"
) -> Path:
    """A file of a log with these lines, bytes as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.{START}-4711-{tag}.{number:04d}.log"
    encoded = [line if isinstance(line, bytes) else json.dumps(line, separators=(",", ":")).encode() for line in lines]
    path.write_bytes(b"".join(line + b"\n" for line in encoded))
    return path
