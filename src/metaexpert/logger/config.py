"""LoggerConfig and the options of everything it configures: frozen, keyword-only, validated where they are defined.

An unknown key is an error that names the nearest known one. `LoggerConfig(…)` takes keyword arguments alone;
`LoggerConfig.load(…)` lays keyword arguments over the environment over a TOML file.
"""

import logging
import re
from collections.abc import Mapping
from os.path import abspath
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, cast, override
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from metaexpert.exceptions import ConfigError
from metaexpert.logger.config_errors import explain
from metaexpert.logger.config_sources import from_environment, from_toml, merged
from metaexpert.logger.lanes import Overflow
from metaexpert.logger.redaction import normal_key

_NOT_IN_URL: Final = re.compile(r"[?#\s\x00-\x1f\x7f]")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110, section 5.6.2: a token."""


def _level_name(value: object) -> object:
    name = logging.getLevelName(value) if isinstance(value, int) and not isinstance(value, bool) else value
    name = name.upper() if isinstance(name, str) else name
    if not isinstance(name, str) or name not in logging.getLevelNamesMapping():
        known = ", ".join(logging.getLevelNamesMapping())
        message = f"must be a level: {known}"
        raise ValueError(message)
    return name


def _http_url(value: str) -> str:
    if "@" in value:
        message = "must not carry credentials; use username and password"
        raise ValueError(message)
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or _bad_port(parts) or _NOT_IN_URL.search(value):
        message = 'must be an address such as "https://loki.example:3100"'
        raise ValueError(message)
    return value


def _header_name(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        message = "must be the name of a header: letters, digits and some punctuation, no spaces"
        raise ValueError(message)
    return value


def _bad_port(parts: SplitResult) -> bool:
    try:
        return parts.port == 0
    except ValueError:
        return True


def _header_safe(value: object) -> object:
    """A header's value; the newline that ends a secret's file is not part of it."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        return value
    text = text.strip()
    if not text.isprintable():
        message = "must not contain control characters"
        raise ValueError(message)
    return text


def _redaction_key(value: str) -> str:
    if not normal_key(value):
        message = "must contain a letter or digit"
        raise ValueError(message)
    return value


def _label_name(value: str) -> str:
    if not value.isascii() or not value.isidentifier():
        message = "must be a label name: letters, digits and _, not beginning with a digit"
        raise ValueError(message)
    return value


type LevelName = Annotated[str, BeforeValidator(_level_name)]
type HttpUrl = Annotated[str, AfterValidator(_http_url)]
type LabelName = Annotated[str, AfterValidator(_label_name)]
type HeaderName = Annotated[str, AfterValidator(_header_name)]
type HeaderValue = Annotated[str, BeforeValidator(_header_safe)]
type HeaderSecret = Annotated[SecretStr, BeforeValidator(_header_safe)]
type RedactionKey = Annotated[str, AfterValidator(_redaction_key)]
type LogType = Literal["general", "trade", "audit", "gap"]
type Share = Annotated[float, Field(gt=0.0, le=1.0)]
type Seconds = Annotated[float, Field(gt=0.0, le=86_400.0)]


class _OptionsType(type(BaseModel)):
    """Translates pydantic errors where options are made by hand; nested ones keep their place in the whole."""

    @override
    def __call__(cls, *args: Any, **values: Any) -> Any:
        try:
            return super().__call__(*args, **values)
        except ValidationError as error:
            raise ConfigError(explain(error, cast("type[BaseModel]", cls), SINK_TYPES)) from None


class Options(BaseModel, metaclass=_OptionsType):
    """Base of all options.

    Raises:
        ConfigError: a key is unknown or a value not allowed; the message names key, value and what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class QueueOptions(Options):
    """The room each sink has for entries it has not delivered yet."""

    max_entries: int = Field(default=100_000, ge=16)
    """Entries a sink holds at most; errors and protected entries have a quarter more."""
    max_bytes: int = Field(default=32 * 1024 * 1024, ge=256 * 1024)
    """Memory a sink's entries take at most, bytes."""
    overflow: Overflow = Overflow.DROP_LOWEST
    """What gives way when the room is full."""
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


class DispatcherOptions(Options):
    """The pace of the dispatcher task."""

    slice: Annotated[float, Field(ge=0.00002, le=0.05)] = 0.0001
    """Longest work without yielding to the loop, seconds."""
    linger: Annotated[float, Field(ge=0.0002, le=1.0)] = 0.002
    """How long it waits for company when entries trickle in, seconds; errors and protected entries end it."""


class RedactionOptions(Options):
    """Which fields are hidden, beside the built-in keys."""

    keys: tuple[RedactionKey, ...] = ()
    """Further keys to hide; each matches anywhere in a key, without case and punctuation."""
    allow: tuple[RedactionKey, ...] = ()
    """Keys to show although a built-in rule matches them; each matches the whole key."""


class SinkOptions(Options):
    """What every sink has."""

    name: str = Field(default="", max_length=64)
    """The sink's name in statistics and gap entries; its type when empty."""
    level: LevelName = "DEBUG"
    """Lowest level it takes."""
    log_types: tuple[LogType, ...] | None = None
    """The log types it takes; all when left out."""
    queue: QueueOptions | None = None
    """Its room, when it differs from the configuration's."""
    batch_max_entries: int = Field(default=10_000, ge=1)
    """Entries a batch holds at most."""
    batch_max_bytes: int = Field(default=256 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Encoded size at which a batch is written, bytes."""
    batch_max_age: Seconds = 0.05
    """How long a batch's first entry waits for company, seconds."""


class ConsoleOptions(SinkOptions):
    """Lines on the terminal."""

    type: Literal["console"] = "console"
    stream: Literal["stderr", "stdout"] = "stderr"
    use_colors: bool | None = None
    """ANSI colours; when left out, on a terminal unless NO_COLOR is set."""


class FileOptions(SinkOptions):
    """A log file."""

    type: Literal["file"] = "file"
    path: Path
    """The file; relative to `log_dir`."""
    json_logging: bool = True
    """JSON lines, else text."""
    max_bytes: int = Field(default=10 * 1024 * 1024, ge=0)
    """Size at which the file is rotated, bytes; 0 for never."""
    backup_count: int = Field(default=5, ge=0, le=10_000)
    """Rotated files kept; 0 for no rotation."""


class HttpOptions(SinkOptions):
    """A collector reached over HTTP."""

    url: HttpUrl
    """The collector's address, without the path of its API."""
    headers: dict[HeaderName, HeaderSecret] = Field(default_factory=dict[str, SecretStr])
    """Further headers."""
    username: HeaderValue = ""
    password: HeaderSecret | None = None
    bearer_token: HeaderSecret | None = None
    api_key: HeaderSecret | None = None
    """Sent as `Authorization: ApiKey …`."""
    tenant: HeaderValue = ""
    """Sent as X-Scope-OrgID."""
    verify_tls: bool = True
    ca_file: Path | None = None
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    timeout: Seconds = 10.0
    """Longest time a request may take in all, seconds."""
    connect_timeout: Seconds = 3.0
    """Longest time to connect, seconds."""
    gzip_min_bytes: int = Field(default=16 * 1024, ge=0)
    """Size from which a body is compressed, bytes."""
    backoff_first: Seconds = 0.5
    """Ceiling of the first wait between attempts, seconds; doubled each time, the wait drawn evenly below it."""
    backoff_max: Seconds = 30.0
    """Highest such ceiling, seconds."""
    batch_max_bytes: int = Field(default=900 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Encoded size at which a batch is sent, bytes before compression; a whole request stays below a mebibyte."""
    batch_max_age: Seconds = 1.0

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        given = [name for name in ("username", "bearer_token", "api_key") if getattr(self, name)]
        if len(given) > 1:
            message = f"only one of username, bearer_token, api_key may be given, not {' and '.join(given)}"
            raise ValueError(message)
        return self


class LokiOptions(HttpOptions):
    """Grafana Loki."""

    type: Literal["loki"] = "loki"
    labels: dict[LabelName, str] = Field(default_factory=dict[str, str], max_length=12)
    """Labels of every stream, beside service, level and log_type; few and bounded."""
    metadata: tuple[str, ...] = ("symbol", "order_id", "client_order_id", "strategy_id", "trace_id", "span_id")
    """Fields sent as structured metadata too, beside entry_id."""


class ElasticsearchOptions(HttpOptions):
    """Elasticsearch or OpenSearch."""

    type: Literal["elasticsearch"] = "elasticsearch"
    index: str = Field(default="logs-metaexpert-default", min_length=1, max_length=255)
    """Index or data stream the documents are created in."""
    environment: str = ""
    """ECS service.environment."""


class MemoryOptions(SinkOptions):
    """Entries kept in memory."""

    type: Literal["memory"] = "memory"
    max_entries: int = Field(default=10_000, ge=1)
    """Entries kept; older ones give way."""


SINK_TYPES: Final[dict[str, type[BaseModel]]] = {
    "console": ConsoleOptions,
    "file": FileOptions,
    "loki": LokiOptions,
    "elasticsearch": ElasticsearchOptions,
    "memory": MemoryOptions,
}

type AnySink = Annotated[
    ConsoleOptions | FileOptions | LokiOptions | ElasticsearchOptions | MemoryOptions, Field(discriminator="type")
]


class LoggerConfig(Options):
    """Everything about logging.

    Raises:
        ConfigError: a key is unknown or a value not allowed; the message names key, value and what is allowed.
    """

    log_name: str = Field(default="expert", min_length=1)
    """Name of the expert or service, `service` in collectors."""
    log_level: LevelName = "INFO"
    """Level of the root logger while logging runs."""
    log_dir: Path = Path("logs")
    """Folder of the log files."""
    log_file: Path = Path("expert.log")
    """Main file: everything."""
    log_trade_file: Path = Path("trades.log")
    """Trade and audit entries."""
    log_error_file: Path = Path("errors.log")
    """ERROR and up."""
    log_to_console: bool = True
    log_to_file: bool = True
    json_logging: bool = False
    """JSON lines in the files, else text."""
    max_bytes: int = Field(default=10 * 1024 * 1024, ge=0)
    """Size at which a file is rotated, bytes; 0 for never."""
    backup_count: int = Field(default=5, ge=0, le=10_000)
    """Rotated files kept."""
    use_colors: bool | None = None
    """ANSI colours on the console; when left out, on a terminal unless NO_COLOR is set."""
    queue: QueueOptions = QueueOptions()
    dispatcher: DispatcherOptions = DispatcherOptions()
    redaction: RedactionOptions = RedactionOptions()
    sinks: tuple[AnySink, ...] = ()
    """Further destinations."""
    shutdown_timeout: Annotated[float, Field(ge=0.0, le=3600.0)] = 5.0
    """How long stopping may take, seconds; what is not delivered then is counted as dropped."""

    @classmethod
    def load(
        cls, path: str | Path | None = None, *, environ: Mapping[str, str] | None = None, **overrides: Any
    ) -> Self:
        """Read the configuration.

        Args:
            path: a TOML file; when left out `metaexpert.toml`, else `[tool.metaexpert.logger]` in `pyproject.toml`,
                each looked for in the present folder.
            environ: variables to read instead of the process's, such as `METAEXPERT_LOG_LEVEL` and
                `METAEXPERT_LOG_QUEUE__MAX_BYTES`.
            overrides: fields that win over both.

        Raises:
            ConfigError: a file cannot be read, a key is unknown or a value not allowed.
        """
        values = merged(from_toml(path), from_environment(environ, tuple(cls.model_fields)), overrides)
        return cls(**values)

    @model_validator(mode="after")
    def _names_and_files_differ(self) -> Self:
        names = [options.name for options in self.all_sinks()]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            message = f"sinks: the name {min(twice)!r} is used twice; give each sink a name of its own"
            raise ValueError(message)
        files = [options.path for options in self.all_sinks() if isinstance(options, FileOptions)]
        places = [abspath(self.log_dir / path) for path in files]  # noqa: PTH100 - resolve() would ask the file system
        shared = [path for path, place in zip(files, places, strict=True) if places.count(place) > 1]
        if shared:
            message = f"the file {str(shared[0])!r} is written by two sinks; give each a file of its own"
            raise ValueError(message)
        return self

    def all_sinks(self) -> tuple[AnySink, ...]:
        """Every sink with its name: those of the flat fields, then `sinks`."""
        flat: list[AnySink] = []
        if self.log_to_console:
            flat.append(ConsoleOptions(name="console", use_colors=self.use_colors))
        if self.log_to_file:
            flat += [
                self._file("file", self.log_file),
                self._file("trade", self.log_trade_file, log_types=("trade", "audit")),
                self._file("error", self.log_error_file, level="ERROR"),
            ]
        named = [
            options if options.name else options.model_copy(update={"name": options.type}) for options in self.sinks
        ]
        return (*flat, *named)

    def _file(self, name: str, path: Path, **options: Any) -> FileOptions:
        return FileOptions(
            name=name,
            path=path,
            json_logging=self.json_logging,
            max_bytes=self.max_bytes,
            backup_count=self.backup_count,
            **options,
        )
