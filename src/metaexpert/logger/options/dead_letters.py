"""What is kept of the entries a destination refuses for good."""

from pydantic import Field

from metaexpert.logger.options.base import Options


class DeadLetterOptions(Options):
    """What is kept of entries refused for good, in `<log_dir>/dead-letters/`."""

    enabled: bool = True
    """Keep them, to be looked at and sent again; else they are only counted and told."""
    max_bytes: int = Field(default=64 * 1024 * 1024, ge=64 * 1024)
    """Disk they take at most for one sink, bytes; the oldest give way."""
    max_entries: int = Field(default=100_000, ge=1)
    """How many there are at most for one sink; the oldest give way."""
