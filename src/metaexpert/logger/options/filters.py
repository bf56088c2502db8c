"""What a sink takes, how it thins out what it takes, and which keys it writes."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from metaexpert.logger.configuring.errors import nearest
from metaexpert.logger.entry import PROTECTED_LOG_TYPES
from metaexpert.logger.filters import Scalar
from metaexpert.logger.formats.selection import DocumentKeys
from metaexpert.logger.options.base import LevelName, LogType, Options, Seconds


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        message = f"is not a regular expression: {error}"
        raise ValueError(message) from error
    return value


def _logger_name(value: str) -> str:
    if value.startswith(".") or value.endswith((".", "*")):
        message = 'must be a logger\'s name, such as "app"; it stands for all below it too'
        raise ValueError(message)
    return value


def _thinned(value: str) -> str:
    if value in PROTECTED_LOG_TYPES:
        message = "is never held back; trade, audit and gap entries are always written"
        raise ValueError(message)
    return value


type Pattern = Annotated[str, AfterValidator(_pattern)]
type LoggerName = Annotated[str, AfterValidator(_logger_name)]
type ThinnedLogType = Annotated[LogType, AfterValidator(_thinned)]


class FieldConditionOptions(Options):
    """A condition on one field; one of `equals`, `one_of`, `exists` is given."""

    name: str = Field(min_length=1)
    """The field: bound, from the context, of the call or of a trade event; dots reach into nested objects."""
    equals: Scalar | None = None
    """The value it has, as JSON has it (a Decimal is a string)."""
    one_of: tuple[Scalar, ...] | None = Field(default=None, min_length=1)
    """The values of which it has one."""
    exists: bool | None = None
    """Whether it is there at all."""

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        given = [name for name in ("equals", "one_of", "exists") if getattr(self, name) is not None]
        if len(given) != 1:
            message = f"one of equals, one_of, exists must be given, not {' and '.join(given) or 'none of them'}"
            raise ValueError(message)
        return self


class FilterOptions(Options):
    """Which entries a sink takes, beside `level` and `log_types`; gap entries pass every filter."""

    include_loggers: tuple[LoggerName, ...] | None = Field(default=None, min_length=1)
    """Loggers it takes, each with all below it; all when left out."""
    exclude_loggers: tuple[LoggerName, ...] = ()
    """Loggers it leaves out, each with all below it."""
    levels: dict[LoggerName, LevelName] = Field(default_factory=dict[str, str])
    """Lowest level by logger, in place of the sink's `level`; the longest name that fits decides."""
    include_fields: tuple[FieldConditionOptions, ...] = ()
    """Conditions that must all hold."""
    exclude_fields: tuple[FieldConditionOptions, ...] = ()
    """Conditions of which none may hold."""
    include_messages: tuple[Pattern, ...] = ()
    """Regular expressions of which one must be found in the message's first 4096 characters; all when empty."""
    exclude_messages: tuple[Pattern, ...] = ()
    """Regular expressions of which none may be found there."""


class KeysOptions(Options):
    """Which keys a sink writes, as dotted paths such as `thread` and `extra.symbol`."""

    include: tuple[str, ...] | None = None
    """Keys it writes beside those that every entry needs; all when left out."""
    exclude: tuple[str, ...] = ()
    """Keys it leaves out."""

    def check(self, known: DocumentKeys) -> None:
        """Refuse what the sink's format does not have, or cannot do without.

        Raises:
            ValueError: the message names the key and what would do.
        """
        for option, paths in (("include", self.include or ()), ("exclude", self.exclude)):
            for path in paths:
                if not (known.knows(path) or known.needs(path)):
                    hint = nearest(path, known.mandatory | known.optional)
                    message = f"keys.{option}: there is no key {path!r} to choose in what this sink writes{hint}"
                    raise ValueError(message)
        for path in self.exclude:
            if known.needs(path):
                message = f"keys.exclude: {path!r} cannot be left out; every entry needs it"
                raise ValueError(message)


class ThinningOptions(Options):
    """Which entries may be held back; trade, audit and gap entries never are."""

    max_level: LevelName = "INFO"
    """Highest level it applies to."""
    log_types: tuple[ThinnedLogType, ...] | None = None
    """The log types it applies to; all but the protected when left out."""
    loggers: tuple[LoggerName, ...] | None = Field(default=None, min_length=1)
    """The loggers it applies to, each with all below it; all when left out."""


class SamplingOptions(ThinningOptions):
    """Writes a share of the entries, chosen by their sequence number."""

    rate: float = Field(ge=0.0, le=1.0)
    """The share that is written; sinks with the same rate write the same entries."""


class RateLimitOptions(ThinningOptions):
    """Writes so many entries a second at most, and a gap entry that says what was held back."""

    max_level: LevelName = "WARNING"
    rate: float = Field(gt=0.0, le=1e9)
    """Entries a second."""
    burst: int | None = Field(default=None, ge=1, le=1_000_000_000)
    """Entries that may come at once; one second's worth when left out."""
    per: Literal["sink", "logger", "site"] = "sink"
    """What has a limit of its own: the sink, each logger, or each place in the code that logs."""
    report_every: Seconds = 10.0
    """How often the sink says what was held back, seconds."""


class RepeatsOptions(ThinningOptions):
    """Writes an entry once and, in place of those just like it that follow, how often it was repeated."""

    max_level: LevelName = "CRITICAL"
    window: Seconds = 10.0
    """How long an entry's repetitions are held back, seconds; then their number is written."""
    in_a_row: bool = False
    """Whether any other entry that is written ends the run too."""
