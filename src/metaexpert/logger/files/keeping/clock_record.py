"""What is known of the clock, kept in each folder of logs from pass to pass, run to run and boot to boot.

One line of JSON with a checksum, of a fixed length, written over in place under the housekeeping's lock. One that is
missing or damaged is as good as none: the clock then has to be plausible for a day anew.
"""

import json
import os
import secrets
import sys
import time
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from metaexpert.logger.files.keeping.clock_trust import ClockReading, ClockTrust

CLOCK_FILE: Final = "housekeeping.clock"

_MODE: Final = 0o600
_BINARY: Final = os.O_BINARY if sys.platform == "win32" else 0
_LINE_BYTES: Final = 512
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESS: Final = f"process {secrets.token_hex(8)}"
"""Where the boot has no name, times of this process alone can be compared."""


def up_time() -> tuple[float, str]:
    """Seconds since some moment of this boot, asleep or not where the system can tell, and which boot it is."""
    return _up_seconds(), _boot()


def _up_seconds() -> float:
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        clock = getattr(time, name, None)
        if clock is not None:
            return time.clock_gettime(clock)
    return time.monotonic()


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return _PROCESS


def recorded(folder: Path) -> ClockTrust | None:
    """What is known of the clock in a folder of logs; None when nothing is.

    Raises:
        OSError: it cannot be read.
    """
    try:
        data = (folder / CLOCK_FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        checksum, _, text = data.strip().partition(b" ")
        if int(checksum, 16) != zlib.crc32(text):
            return None
        values: dict[str, Any] = json.loads(text)
        seen = ClockReading(**values.pop("seen"))
        return ClockTrust(seen=seen, **values)
    except (ValueError, TypeError, KeyError):
        return None


def record(folder: Path, trust: ClockTrust) -> None:
    """Keep what is known of the clock, on the disk.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps(asdict(trust), separators=(",", ":")).encode()
    line = (b"%08x %b" % (zlib.crc32(text), text)).ljust(_LINE_BYTES - 1) + b"\n"
    descriptor = os.open(folder / CLOCK_FILE, os.O_WRONLY | os.O_CREAT | _BINARY, _MODE)
    try:
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
