"""Log files made to be read: lines of our format, names of our naming, packed, damaged, rotated."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

BOOT = "0193557a7c9b7c0e8f6d1c2b3a"
START_NS = 1_795_392_000_000_000_000
"""2026-11-23, midnight UTC."""


def stamp(time_ns: int) -> str:
    second, fraction = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def json_line(time_ns: int, level: str = "INFO", message: str = "tick", seq: int = 1, tag: str = "9f3a01", **more: Any):
    """A line as JsonLines writes it, without its newline."""
    extra = more.pop("extra", None)
    values = {
        "timestamp": stamp(time_ns),
        "level": level,
        "logger": more.pop("logger", "expert.feed"),
        "message": message,
        "module": "feed",
        "function": "on_tick",
        "line": 88,
        "log_type": more.pop("log_type", "general"),
        "process": 4711,
        "id": f"{BOOT}{tag}-{seq}",
        "seq": seq,
        "thread": 1,
    }
    return orjson.dumps(values | ({"extra": extra} if extra else {}) | more)


def text_line(time_ns: int, level: str = "INFO", message: str = "tick", logger: str = "expert.feed") -> bytes:
    """A line as TextLines writes it, without its newline."""
    return f"{stamp(time_ns)[:26]}Z {level:8} {logger}: {message}".encode()


@dataclass
class Folder:
    """A folder of log files."""

    path: Path

    def name(self, number: int = 1, tag: str = "9f3a01", start: str = "20261123T000000Z", log: str = "expert") -> Path:
        return self.path / f"{log}.{start}-4711-{tag}.{number:04d}.log"

    def write(self, lines: Iterable[bytes], number: int = 1, tag: str = "9f3a01", log: str = "expert") -> Path:
        path = self.name(number, tag, log=log)
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    def pack(self, path: Path) -> Path:
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes(), 1))
        path.unlink()
        return packed
