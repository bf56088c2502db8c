"""What a folder lies on: whether a memory map is safe there, and which start of the machine this is."""

import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import Final

_UNSAFE_TYPES: Final = frozenset(
    {
        "btrfs", "zfs", "bcachefs", "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre",
        "fuse", "fuseblk", "vboxsf", "vmhgfs",
    }
)  # fmt: skip
"""Copy on write (a full disk becomes a SIGBUS), or over a network (another machine may cut the file)."""

_MOUNTS: Final = Path("/proc/self/mountinfo")
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def may_map(folder: Path) -> bool:
    """Whether files in this folder may be written through a memory map."""
    kind = file_system_of(folder)
    return kind is None or (kind not in _UNSAFE_TYPES and not kind.startswith("fuse."))


def file_system_of(folder: Path) -> str | None:
    """The type of the file system a folder lies on; None where the system does not say (as on macOS and Windows)."""
    try:
        device = folder.stat().st_dev
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    wanted = f"{os.major(device)}:{os.minor(device)}"
    found: str | None = None
    for line in lines:
        words = line.split()
        if len(words) > 2 and words[2] == wanted and "-" in words:  # noqa: PLR2004 - proc(5): id, parent, major:minor
            found = words[words.index("-") + 1]
    return found


@cache
def machine_start() -> str:
    """Names this start of the machine: another name means that it went down, and unsynced pages with it."""
    if sys.platform == "linux":
        try:
            return _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError:
            pass
    # minutes since 1970 at which it started; where the clock was set meanwhile it looks like another start
    return f"minute-{round((time.time() - time.monotonic()) / 60)}"
