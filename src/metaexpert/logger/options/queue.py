"""Room for entries that wait, and the pace of the dispatcher."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from metaexpert.logger.entry import CAPTURE_OVERHEAD_BYTES
from metaexpert.logger.lanes import Overflow
from metaexpert.logger.options.base import Options, Share


class QueueOptions(Options):
    """The room each sink has for entries it has not delivered yet."""

    max_entries: int = Field(default=100_000, ge=16)
    """Entries a sink holds at most; errors and protected entries have a quarter more."""
    max_bytes: int = Field(default=32 * 1024 * 1024, ge=256 * 1024)
    """Memory a sink's entries take at most, bytes."""
    overflow: Overflow = Overflow.DROP_LOWEST
    """What gives way when the room is full."""
    grow_max_bytes: int = Field(default=256 * 1024 * 1024, ge=256 * 1024)
    """Memory up to which the room grows beyond its bounds (overflow "grow"), bytes."""
    spill_max_bytes: int = Field(default=1024 * 1024 * 1024, ge=64 * 1024)
    """Disk a sink's queue takes at most (overflow "spill"), bytes."""
    high_watermark: Share = 0.8
    """Fill from which the sink is under pressure."""
    low_watermark: Share = 0.5
    """Fill at which the pressure ends."""
    block_timeout: Annotated[float, Field(ge=0.0, le=60.0)] = 1.0
    """How long a thread waits in a log call at most (overflow "block"), seconds."""

    @model_validator(mode="after")
    def _watermarks_in_order(self) -> Self:
        if self.low_watermark >= self.high_watermark:
            message = f"low_watermark ({self.low_watermark:g}) must be below high_watermark ({self.high_watermark:g})"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _grows_beyond_its_bounds(self) -> Self:
        if self.overflow is Overflow.GROW and self.grow_max_bytes < self.max_bytes:
            message = (
                f"grow_max_bytes ({self.grow_max_bytes}) must be at least max_bytes ({self.max_bytes}), from where on "
                "the room grows; raise it, or lower max_bytes"
            )
            raise ValueError(message)
        return self

    @property
    def most_bytes(self) -> int:
        """Memory a sink with such a queue may take, its reserve aside, bytes."""
        return self.grow_max_bytes if self.overflow is Overflow.GROW else self.max_bytes

    @property
    def most_entries(self) -> int:
        """Entries it may hold, its reserve aside; where it grows, as many as there can be in its bytes."""
        return self.grow_max_bytes // CAPTURE_OVERHEAD_BYTES if self.overflow is Overflow.GROW else self.max_entries


class DispatcherOptions(Options):
    """The pace of the dispatcher task."""

    slice: Annotated[float, Field(ge=0.00002, le=0.05)] = 0.0001
    """Longest work without yielding to the loop, seconds."""
    linger: Annotated[float, Field(ge=0.0002, le=1.0)] = 0.002
    """How long it waits for company when entries trickle in, seconds; errors and protected entries end it."""
