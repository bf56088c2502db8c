"""What is held back until something fails."""

from typing import Final, Self

from pydantic import Field, model_validator

from metaexpert.logger.options.base import LevelName, Options

TASK: Final = "task"
"""The key that stands for the task itself, not for a field."""


class HeldBackOptions(Options):
    """Entries below their logger's level, kept in memory until the task or the order they belong to fails."""

    key: str = Field(default=TASK, min_length=1, max_length=128)
    """What entries belong to: `"task"`, or the name of a field, such as `"order_id"`, of the call, of `bind` or of
    `log_context`; entries without the field are not held."""
    level: LevelName = "DEBUG"
    """Lowest level that is held back."""
    max_entries: int = Field(default=200, ge=1, le=1_000_000)
    """Entries held for one task or value; the oldest go first."""
    max_bytes: int = Field(default=256 * 1024, ge=4 * 1024)
    """Memory of these, bytes."""
    max_total_bytes: int = Field(default=8 * 1024 * 1024, ge=4 * 1024)
    """Memory of all that is held, bytes; the task or value that has logged nothing for longest goes first."""

    @model_validator(mode="after")
    def _has_room_for_one(self) -> Self:
        if self.max_total_bytes < self.max_bytes:
            message = (
                f"max_total_bytes ({self.max_total_bytes}) must be at least max_bytes ({self.max_bytes}); raise it, or "
                "lower max_bytes"
            )
            raise ValueError(message)
        return self
