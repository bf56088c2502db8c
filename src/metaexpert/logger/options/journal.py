"""What is kept on disk before a log call returns."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from metaexpert.logger.options.base import LevelName, Options
from metaexpert.logger.options.functions import named_function

type AuditFailureHook = Annotated[
    Callable[[str, int], object], BeforeValidator(named_function), WithJsonSchema({"type": "string"})
]


class JournalOptions(Options):
    """The journal of errors, trade and audit entries, and the flight recorder of all."""

    enabled: bool | None = None
    """Keep them; when left out, where logging writes to files or to a collector."""
    folder: Path | None = None
    """Where; `journal` in `log_dir` when left out. It must lie on a local disk."""
    segment_bytes: int = Field(default=8 * 1024 * 1024, ge=256 * 1024, le=1024 * 1024 * 1024)
    """Size of one file, allocated as a whole, bytes."""
    max_bytes: int = Field(default=256 * 1024 * 1024, ge=512 * 1024)
    """Disk all files of a process take at most, bytes; entries beyond that are reported to `on_audit_failure`."""
    fsync_interval: Annotated[float, Field(ge=0.001, le=60.0)] = 0.05
    """Longest time until an entry is brought to the disk, seconds; whoever awaits a receipt ends the wait."""
    mode: Literal["auto", "mmap", "pwrite"] = "auto"
    """How entries get there: through a memory map, or written, as is safe on network and copy-on-write file systems."""
    recorder_bytes: int = Field(default=1024 * 1024, ge=0, le=1024 * 1024 * 1024)
    """Size of the flight recorder, bytes; 0 for none."""
    recorder_level: LevelName | None = None
    """Lowest level of which the recorder takes what loggers hold back, with fields that are plain values; when left out
    it takes what they let through. A call at a level that is switched off then costs about what any other costs."""
    keep_crashes: int = Field(default=5, ge=0, le=1000)
    """Reports of runs that ended without a stop which are kept; see `metaexpert logs last-crash`."""
    on_audit_failure: AuditFailureHook | None = None
    """Called with the reason and the number of entries when protected entries cannot be made safe, to halt trading for
    instance; in the thread that found out, so it must be quick."""

    @model_validator(mode="after")
    def _has_room_for_two(self) -> Self:
        if self.max_bytes < 2 * self.segment_bytes:
            message = (
                f"max_bytes ({self.max_bytes}) must be at least twice segment_bytes ({self.segment_bytes}); raise it, "
                "or lower segment_bytes"
            )
            raise ValueError(message)
        if 0 < self.recorder_bytes < 64 * 1024:
            message = f"recorder_bytes ({self.recorder_bytes}) must be at least 65536, or 0 for no flight recorder"
            raise ValueError(message)
        return self
