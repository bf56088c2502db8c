"""What every sink has, and the sinks of this process: console, file, memory."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, override

from pydantic import Field, field_validator, model_validator

from metaexpert.logger.formats.lines import LineFormat, keys_of
from metaexpert.logger.formats.selection import ENTRY_KEYS, JSON_KEYS, DocumentKeys
from metaexpert.logger.options.base import SINK_TYPES, LevelName, LogType, Options, Seconds
from metaexpert.logger.options.evidence import MIN_ANCHORED_BYTES, EvidenceOptions
from metaexpert.logger.options.filters import (
    FilterOptions,
    KeysOptions,
    RateLimitOptions,
    RepeatsOptions,
    SamplingOptions,
)
from metaexpert.logger.options.keeping import (
    ArchiveOptions,
    Compression,
    Duration,
    RetentionOptions,
    usable_compression,
)
from metaexpert.logger.options.queue import QueueOptions
from metaexpert.logger.options.rotation import Fsync, RotationOptions


class SinkOptions(Options):
    """What every sink has."""

    name: str = Field(default="", max_length=64)
    """The sink's name in statistics and gap entries; its type when empty."""
    level: LevelName = "DEBUG"
    """Lowest level it takes."""
    log_types: tuple[LogType, ...] | None = None
    """The log types it takes; all when left out."""
    filter: FilterOptions | None = None
    """Further conditions: loggers, fields, messages."""
    keys: KeysOptions | None = None
    """The keys it writes; all when left out."""
    sampling: SamplingOptions | None = None
    """Writes a share of the entries."""
    rate_limit: RateLimitOptions | None = None
    """Writes so many entries a second at most."""
    repeats: RepeatsOptions | None = None
    """Writes how often an entry was repeated, in place of its repetitions."""
    queue: QueueOptions | None = None
    """Its room, when it differs from the configuration's."""
    batch_max_entries: int = Field(default=10_000, ge=1)
    """Entries a batch holds at most."""
    batch_max_bytes: int = Field(default=256 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Encoded size at which a batch is written, bytes."""
    batch_max_age: Seconds = 0.05
    """How long a batch's first entry waits for company, seconds."""

    def document_keys(self) -> DocumentKeys:
        """The keys among which `keys` chooses."""
        return ENTRY_KEYS

    @model_validator(mode="after")
    def _keys_that_can_be_chosen(self) -> Self:
        if self.keys is not None:
            self.keys.check(self.document_keys())
        return self

    @classmethod
    @override
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "type" in cls.model_fields:
            SINK_TYPES[cls.model_fields["type"].default] = cls


class ConsoleOptions(SinkOptions):
    """Lines on the terminal."""

    type: Literal["console"] = "console"
    stream: Literal["stderr", "stdout"] = "stderr"
    """Where the lines go."""
    use_colors: bool | None = None
    """ANSI colours of text; when left out, on a terminal unless NO_COLOR is set."""
    format: LineFormat = "text"
    """What a line is: text for people, or one of the formats for programs."""
    environment: str = ""
    """The environment that the formats "ecs" and "otel" name."""

    @override
    def document_keys(self) -> DocumentKeys:
        return keys_of(self.format)


class FileOptions(SinkOptions):
    """A log file."""

    type: Literal["file"] = "file"
    path: Path
    """The file; relative to `log_dir`."""
    json_logging: bool = True
    """JSON lines, else text."""
    format: LineFormat | None = None
    """What a line is; when left out as `json_logging` says. `metaexpert logs` reads "json" and "text" alone."""
    environment: str = ""
    """The environment that the formats "ecs" and "otel" name."""
    max_bytes: int = Field(default=10 * 1024 * 1024, ge=0)
    """Size at which the next file begins, bytes; 0 for any."""
    backup_count: int = Field(default=5, ge=0, le=10_000)
    """Finished files kept, as many bytes as so many of `max_bytes` hold; 0 for no rotation by size, and no limit."""
    rotation: RotationOptions = RotationOptions()
    """When the next file begins by the clock."""
    fsync: Fsync = "never"
    """When what was written is brought to the disk itself: once in `fsync_interval`, after each batch, after each batch
    with a protected entry; or when a file is finished, at the stop, and before the journal lets go of entries."""
    fsync_interval: Annotated[float, Field(ge=0.01, le=3600.0)] = 1.0
    """How long it may take until what is written is on the disk itself, seconds (`fsync` "interval")."""
    compression: Compression = "none"
    """How finished files are compressed, in the background; `"zstd"` needs the extra `zstd` below Python 3.14."""
    compress_after: Duration = 0.0
    """How long after its last entry a finished file is compressed, seconds, or with a unit such as `"1d"`."""
    archive: ArchiveOptions | None = None
    """Where finished files go after a time; they stay beside the log when left out."""
    retention: RetentionOptions = RetentionOptions()
    """How long finished files are kept."""
    tamper_evidence: EvidenceOptions | None = None
    """A hash chain beside each file; none when left out."""

    @override
    def document_keys(self) -> DocumentKeys:
        return keys_of(self.line_format)

    @property
    def line_format(self) -> LineFormat:
        """What a line is."""
        return self.format or ("json" if self.json_logging else "text")

    @model_validator(mode="after")
    def _has_room_for_anchors(self) -> Self:
        if self.tamper_evidence is not None and self.tamper_evidence.anchor and 0 < self.max_bytes < MIN_ANCHORED_BYTES:
            message = (
                f"max_bytes ({self.max_bytes}) must be at least {MIN_ANCHORED_BYTES} with tamper_evidence.anchor, or 0 "
                "for no rotation by size: each rotation writes an entry"
            )
            raise ValueError(message)
        return self

    @field_validator("compression")
    @classmethod
    def _can_be_compressed(cls, value: Compression) -> Compression:
        return usable_compression(value)


class MemoryOptions(SinkOptions):
    """Entries kept in memory."""

    type: Literal["memory"] = "memory"
    max_entries: int = Field(default=10_000, ge=1)
    """Entries kept; older ones give way."""

    @override
    def document_keys(self) -> DocumentKeys:
        return JSON_KEYS
