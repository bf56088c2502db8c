"""What waits on disk while a collector is down or too slow."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from metaexpert.logger.options.base import Options


class SpoolOptions(Options):
    """A collector's queue on disk, for what it does not take now: it is down, too slow, or the program ends."""

    enabled: bool = True
    """Keep such entries on disk; else what does not fit into memory is dropped, and all of it at the end."""
    folder: Path | None = None
    """Folder of the queue, below `log_dir`; `spool/<type>-<name>` when left out. No two sinks share one."""
    max_bytes: int = Field(default=1024 * 1024 * 1024, ge=64 * 1024)
    """Disk it takes at most, bytes; then the oldest entries of the lowest class give way, trade and audit never."""
    min_free_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    """Disk it leaves free for others, bytes."""
    segment_bytes: int = Field(default=8 * 1024 * 1024, ge=1024 * 1024, le=64 * 1024 * 1024)
    """Size at which a file of it ends, bytes."""
    fsync: Literal["interval", "always", "never"] = "interval"
    """When what is written is brought to the disk: once in `fsync_interval`, at each write, or at the end."""
    fsync_interval: Annotated[float, Field(ge=0.01, le=3600.0)] = 1.0
    """How long it may take until what is written is on the disk itself, seconds (`fsync` "interval")."""
