"""What becomes of finished log files: compressed, moved to an archive, kept for a term, deleted."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from metaexpert.logger.files.keeping.packing import has_zstd
from metaexpert.logger.options.base import Options

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_MOST_SECONDS: Final = 100 * 366 * 86_400
_SPELLED: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)")

TRADE_TERM_SECONDS: Final = 1827 * 86_400.0
"""Five years, leap days included wherever they fall: RTS 6 (EU 2017/589), article 28(3)."""


def duration_seconds(value: object) -> object:
    """Seconds out of a duration spelled with its unit, such as `90d`; any other value as it is.

    Raises:
        ValueError: it is spelled in another way.
    """
    if not isinstance(value, str):
        return value
    match = _SPELLED.fullmatch(value.strip().lower())
    if match is None:
        message = 'must be seconds, or a number with its unit: s, m, h, d or w, such as "90d"'
        raise ValueError(message)
    return float(match[1]) * _UNITS[match[2] or "s"]


type Duration = Annotated[
    float,
    BeforeValidator(duration_seconds),
    Field(ge=0.0, le=_MOST_SECONDS),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*[smhdw]?$"}]}
    ),
]


type Compression = Literal["none", "gzip", "zstd"]


def usable_compression(value: Compression) -> Compression:
    """The same, where this interpreter has what it takes.

    Raises:
        ValueError: it has not; the message names the extra.
    """
    if value == "zstd" and not has_zstd():
        message = "needs a package that is not installed: pip install 'metaexpert[zstd]', or choose \"gzip\""
        raise ValueError(message)
    return value


class RetentionOptions(Options):
    """How long finished files of a log are kept, in its folder and in its archive; the oldest go first.

    Nothing within its term (`keep_for`), or under a legal hold, goes for any of these; where they are exceeded for that
    reason, it is told.
    """

    max_age: Duration | None = None
    """How long after its last entry a file is kept, seconds, or with a unit such as `"90d"`; no limit when left out."""
    max_files: int | None = Field(default=None, ge=1)
    """Finished files kept; no limit when left out."""
    max_bytes: int | None = Field(default=None, ge=1)
    """Disk that finished files take, bytes, compressed ones as they are; no limit when left out."""
    min_free_bytes: int = Field(default=0, ge=0)
    """Disk left free for others where the log is, bytes: files there go until that much is free."""
    keep_for: Duration | None = None
    """The term: how long after its last entry nothing deletes a file, seconds, or with a unit; five years
    when left out for a log that takes trade and audit entries alone, none for others."""

    @model_validator(mode="after")
    def _term_ends_before_age(self) -> Self:
        if self.max_age is not None and self.keep_for is not None and self.max_age < self.keep_for:
            message = (
                f"max_age ({self.max_age:g} s) must not be shorter than keep_for ({self.keep_for:g} s), before "
                "which nothing is deleted; raise the one, or lower the other"
            )
            raise ValueError(message)
        return self


class ArchiveOptions(Options):
    """Where finished files go after a time."""

    folder: Path
    """The archive; relative to `log_dir`. It may lie on another disk, and be away for a time."""
    after: Duration = 0.0
    """How long after its last entry a file goes there, seconds, or with a unit such as `"30d"`."""
