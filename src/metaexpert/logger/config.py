"""LoggerConfig: everything about logging in one frozen object.

`LoggerConfig(…)` takes keyword arguments alone; `LoggerConfig.load(…)` lays keyword arguments over the environment over
a TOML file over a preset, and remembers how, so that it can be read again.
"""

import os
from collections.abc import Mapping
from os.path import abspath, normcase
from pathlib import Path
from typing import Annotated, Any, Final, Self, cast

from pydantic import BaseModel, Field, PrivateAttr, field_validator, model_validator

from metaexpert.exceptions import ConfigError
from metaexpert.logger.configuring.errors import nearest
from metaexpert.logger.configuring.origin import DEFAULT, ConfigSource, KeyPath, Origin, OriginKind, Provenance
from metaexpert.logger.configuring.presets import PRESETS, Preset, over_preset, preset_value
from metaexpert.logger.configuring.problems import made_or_problems
from metaexpert.logger.configuring.sources import gathered
from metaexpert.logger.options.alerts import AlertsOptions
from metaexpert.logger.options.base import SINK_TYPES, LevelName, Options
from metaexpert.logger.options.capture import CaptureOptions
from metaexpert.logger.options.clock import ClockOptions
from metaexpert.logger.options.custom import CustomOptions
from metaexpert.logger.options.errors import ErrorOptions
from metaexpert.logger.options.evidence import EvidenceOptions
from metaexpert.logger.options.held_back import HeldBackOptions
from metaexpert.logger.options.http import ElasticsearchOptions, HttpOptions, LokiOptions, NdjsonOptions
from metaexpert.logger.options.journal import JournalOptions
from metaexpert.logger.options.keeping import (
    TRADE_TERM_SECONDS,
    ArchiveOptions,
    Compression,
    Duration,
    RetentionOptions,
    usable_compression,
)
from metaexpert.logger.options.otlp import OtlpOptions
from metaexpert.logger.options.performance import PerformanceOptions
from metaexpert.logger.options.queue import DispatcherOptions, QueueOptions
from metaexpert.logger.options.redaction import RedactionOptions
from metaexpert.logger.options.rotation import Fsync, RotationOptions
from metaexpert.logger.options.secret_files import unreadable_secrets
from metaexpert.logger.options.sink import ConsoleOptions, FileOptions, MemoryOptions
from metaexpert.logger.options.splunk import SplunkOptions
from metaexpert.logger.options.syslog import SyslogOptions
from metaexpert.logger.options.tracing import TracingOptions
from metaexpert.logger.spool.assembly import spool_folder, spools

type AnySink = Annotated[
    ConsoleOptions
    | FileOptions
    | LokiOptions
    | ElasticsearchOptions
    | OtlpOptions
    | SplunkOptions
    | NdjsonOptions
    | SyslogOptions
    | MemoryOptions
    | CustomOptions,
    Field(discriminator="type"),
]

_NOTHING: Final = object()


class LoggerConfig(Options):
    """Everything about logging.

    Raises:
        ConfigError: a key is unknown or a value not allowed; the message names key, value and what is allowed.
    """

    preset: Preset | None = None
    """Choices to begin with; all else that is given, wherever, wins over them."""
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
    """Log to the console."""
    log_console_level: LevelName = "DEBUG"
    """Lowest level the console shows."""
    log_to_file: bool = True
    """Log to the three files."""
    json_logging: bool = False
    """JSON lines in the files, else text."""
    max_bytes: int = Field(default=10 * 1024 * 1024, ge=0)
    """Size at which a log's next file begins, bytes; 0 for any."""
    backup_count: int = Field(default=5, ge=0, le=10_000)
    """Finished files kept of each log, in bytes so many times `max_bytes`; 0 for no rotation by size, and no limit."""
    rotation: RotationOptions = RotationOptions()
    """When a log's next file begins by the clock."""
    fsync: Fsync = "never"
    """When what was written to the files is brought to the disk itself; see `FileOptions`."""
    fsync_interval: Annotated[float, Field(ge=0.01, le=3600.0)] = 1.0
    """How long it may take until what is written is on the disk itself, seconds (`fsync` "interval")."""
    compression: Compression = "none"
    """How finished files are compressed, in the background; `"zstd"` needs the extra `zstd` below Python 3.14."""
    compress_after: Duration = 0.0
    """How long after its last entry a finished file is compressed, seconds, or with a unit such as `"1d"`."""
    archive: ArchiveOptions | None = None
    """Where finished files go after a time; they stay beside the log when left out."""
    retention: RetentionOptions = RetentionOptions()
    """How long finished files are kept; nothing of the trade file goes before `log_trade_keep_for`."""
    log_trade_keep_for: Duration = TRADE_TERM_SECONDS
    """How long after its last entry nothing deletes a trade file, seconds, or with a unit; five years."""
    tamper_evidence: EvidenceOptions | None = None
    """A hash chain beside each of the three files; none when left out."""
    use_colors: bool | None = None
    """ANSI colours on the console; when left out, on a terminal unless NO_COLOR is set."""
    queue: QueueOptions = QueueOptions()
    """The room of each sink."""
    dispatcher: DispatcherOptions = DispatcherOptions()
    """The pace of the dispatcher."""
    redaction: RedactionOptions = RedactionOptions()
    """Which fields are hidden."""
    sinks: tuple[AnySink, ...] = ()
    """Further destinations."""
    capture: CaptureOptions = CaptureOptions()
    """What is taken in beside the calls of our own loggers."""
    errors: ErrorOptions = ErrorOptions()
    """What entries tell of exceptions, and what is kept of a process that crashes."""
    journal: JournalOptions = JournalOptions()
    """What is on disk before a log call returns."""
    tracing: TracingOptions = TracingOptions()
    """Which trace entries belong to."""
    buffer_until_error: HeldBackOptions | None = None
    """Keep entries below their logger's level in memory until the task or the order they belong to fails; not when left
    out."""
    performance: PerformanceOptions = PerformanceOptions()
    """What is measured of the program, told at an interval, and warned of."""
    clock: ClockOptions = ClockOptions()
    """What is said of the machine's clock: jumps, and how far it may be from UTC."""
    check_trades: bool = True
    """Warn of trade entries that are wrong, or make no sense after those before them."""
    alerts: AlertsOptions = AlertsOptions()
    """When somebody is told of what happens, and who."""
    handle_signals: bool = True
    """Stop in good order on SIGTERM, where nothing handles it, and read the configuration again on SIGHUP."""
    shutdown_timeout: Annotated[float, Field(ge=0.0, le=3600.0)] = 5.0
    """How long stopping may take, seconds; what is not delivered then goes to disk queues, or counts as dropped."""

    _provenance: Provenance = PrivateAttr(default_factory=Provenance)

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
            ConfigError: a file cannot be read, a key is unknown or a value not allowed; the message has a line for each
                thing that is wrong.
        """
        named = None if path is None else Path(path)
        given = None if environ is os.environ else environ  # the process's own cannot be pickled
        return cls._loaded(ConfigSource(Path.cwd(), named, given, overrides))

    @classmethod
    def _loaded(cls, source: ConfigSource) -> Self:
        layers, problems = gathered(source, cls)
        origins = dict(layers.origins)
        made, more = made_or_problems(cls, layers, SINK_TYPES)
        more += unreadable_secrets(made.secret_files()) if made else []
        if made is None or problems or more:
            raise ConfigError("\n".join((*problems, *more)))
        made._provenance = Provenance(origins, source)  # noqa: SLF001 - of this class
        return made

    @property
    def journal_folder(self) -> Path:
        """Where the journal is."""
        return self.log_dir / "journal" if self.journal.folder is None else self.journal.folder

    @property
    def is_reloadable(self) -> bool:
        """Whether it was loaded from somewhere it can be read from again."""
        return self._provenance.source is not None

    def reloaded(self) -> Self:
        """Read the configuration again as it was loaded: the same file or folder, variables and keyword arguments.

        Raises:
            ConfigError: it was made in code and there is nothing to read, or what is there now is not usable. This
                configuration stays as it is.
        """
        if self._provenance.source is None:
            raise ConfigError(
                "LoggerConfig: was made in code and cannot be read again; use LoggerConfig.load(), or pass a new one"
            )
        return self._loaded(self._provenance.source)

    @classmethod
    def for_development(cls, **overrides: Any) -> Self:
        """The preset "development": everything from DEBUG, as text, on the console and in the files.

        Args:
            overrides: fields that win over the preset.
        """
        return cls(**{"preset": "development", **overrides})

    @classmethod
    def for_production(cls, **overrides: Any) -> Self:
        """The preset "production": JSON files with a long history, the console from WARNING, more room for outages.

        Args:
            overrides: fields that win over the preset.
        """
        return cls(**{"preset": "production", **overrides})

    @classmethod
    def for_backtesting(cls, **overrides: Any) -> Self:
        """The preset "backtesting": full queues make threads wait, so that nothing is lost; the console from WARNING.

        Args:
            overrides: fields that win over the preset.
        """
        return cls(**{"preset": "backtesting", **overrides})

    def origin(self, key: str) -> Origin:
        """Where an effective value came from.

        Args:
            key: its keys with dots between them, such as `"queue.max_entries"` and `"sinks.0.url"`.

        Raises:
            ConfigError: there is no such value.
        """
        return self.origin_at(tuple(key.split(".")))

    def origin_at(self, path: KeyPath) -> Origin:
        """As `origin`, for keys that may have dots in them."""
        value = self._given_at(path)
        if value is _NOTHING:
            return DEFAULT
        given = self._provenance.given_by(path)
        if given is not None:
            return given
        if self.preset is not None and preset_value(self.preset, path) == value:
            return Origin(OriginKind.PRESET, self.preset)
        return Origin(OriginKind.ARGUMENT, ".".join(path))

    def _given_at(self, path: KeyPath) -> object:
        """The value at a path, `_NOTHING` when it is a default."""
        value: object = self
        is_given = True
        for key in path:
            is_given = is_given and not (isinstance(value, BaseModel) and key not in value.model_fields_set)
            value = _below(value, key)
            if value is _NOTHING:
                raise ConfigError(f"{type(self).__name__}: there is nothing at {'.'.join(path)!r}")
        return value if is_given else _NOTHING

    @model_validator(mode="before")
    @classmethod
    def _over_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = cast("dict[str, Any]", values)
        preset = given.get("preset")
        return over_preset(cast("Preset", preset), given) if isinstance(preset, str) and preset in PRESETS else given

    @field_validator("compression")
    @classmethod
    def _can_be_compressed(cls, value: Compression) -> Compression:
        return usable_compression(value)

    @model_validator(mode="after")
    def _names_and_files_differ(self) -> Self:
        problems = [
            f"sinks: the name {name!r} is used twice; give each sink a name of its own"
            for name in _repeated([options.name for options in self.all_sinks()])
        ]
        files = [options.path for options in self.all_sinks() if isinstance(options, FileOptions)]
        # resolve() would ask the file system
        places = [normcase(abspath(self.log_dir / path)) for path in files]  # noqa: PTH100
        problems += [
            f"the file {str(files[places.index(place)])!r} is written by two sinks; give each a file of its own"
            for place in _repeated(places)
        ]
        problems += self._shared_spools()
        problems += self._archives_among_logs()
        problems += self._alerts_about_nobody()
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _alerts_about_nobody(self) -> list[str]:
        """Rules about sinks there are none of: they would never say a word."""
        known = [options.name for options in self.all_sinks()]
        return [
            f"alerts.rules.{at}: there is no sink {name!r}{nearest(name, known)}"
            for at, name in self.alerts.sinks_named()
            if name not in known
        ]

    def _archives_among_logs(self) -> list[str]:
        logs = [options for options in self.all_sinks() if isinstance(options, FileOptions)]
        folders = {self._place(options.path.parent) for options in logs}
        archives = [(each, self._place(each.archive.folder)) for each in logs if each.archive is not None]
        shared = _repeated([f"{place}{os.sep}{normcase(options.path.name)}" for options, place in archives])
        problems = [
            f'archive.folder of {options.name!r} holds logs; give a folder of its own, such as "archive"'
            for options, place in archives
            if place in folders
        ]
        problems += [
            f"two logs called {os.path.basename(each)!r} go to one archive; give each an archive.folder of its own"  # noqa: PTH119
            for each in shared
        ]
        return problems

    def _place(self, path: Path) -> str:
        # resolve() would ask the file system
        return normcase(abspath(self.log_dir / path))  # noqa: PTH100

    def _shared_spools(self) -> list[str]:
        queued = [options for options in self.all_sinks() if spools(options, options.queue or self.queue)]
        places = [normcase(abspath(self.log_dir / spool_folder(options))) for options in queued]  # noqa: PTH100
        shared = [
            [each.name for each, at in zip(queued, places, strict=True) if at == place] for place in _repeated(places)
        ]
        return [
            f"sinks: {' and '.join(map(repr, names))} have their disk queues in one folder; give each a spool.folder "
            "of its own, or leave it out"
            for names in shared
            if len({*names}) > 1  # the same name twice is told already
        ]

    def all_sinks(self) -> tuple[AnySink, ...]:
        """Every sink with its name: those of the flat fields, then `sinks`."""
        flat: list[AnySink] = []
        if self.log_to_console:
            flat.append(ConsoleOptions(name="console", level=self.log_console_level, use_colors=self.use_colors))
        if self.log_to_file:
            flat += [
                self._file("file", self.log_file),
                self._file(
                    "trade", self.log_trade_file, log_types=("trade", "audit"), retention=self._trade_retention()
                ),
                self._file("error", self.log_error_file, level="ERROR"),
            ]
        named = [
            options if options.name else options.model_copy(update={"name": options.type}) for options in self.sinks
        ]
        return (*flat, *named)

    def secret_files(self) -> dict[str, Path]:
        """The files that hold secrets, by the option that names them, such as `LoggerConfig.sinks.0.password_file`."""
        own = self.redaction.pseudonym_key_file
        return (
            ({} if own is None else {f"{type(self).__name__}.redaction.pseudonym_key_file": own})
            | {
                f"{type(self).__name__}.sinks.{index}.{field}": path
                for index, options in enumerate(self.sinks)
                if isinstance(options, HttpOptions)
                for field, path in options.secret_files().items()
            }
            | {f"{type(self).__name__}.alerts.{field}": path for field, path in self.alerts.secret_files().items()}
        )

    def _file(self, name: str, path: Path, **options: Any) -> FileOptions:
        return FileOptions(
            name=name,
            path=path,
            json_logging=self.json_logging,
            max_bytes=self.max_bytes,
            backup_count=self.backup_count,
            rotation=self.rotation,
            fsync=self.fsync,
            fsync_interval=self.fsync_interval,
            compression=self.compression,
            compress_after=self.compress_after,
            archive=self.archive,
            tamper_evidence=self.tamper_evidence,
            **{"retention": self.retention, **options},
        )

    def _trade_retention(self) -> RetentionOptions:
        """That of the other files, but for the term, which an age waits for."""
        term, max_age = self.log_trade_keep_for, self.retention.max_age
        longer = None if max_age is None else max(max_age, term)
        return self.retention.model_copy(update={"keep_for": term, "max_age": longer})


def _below(value: object, key: str) -> object:
    """What stands under a key of options, a list or a table; `_NOTHING` when there is no such key."""
    if isinstance(value, BaseModel):
        return getattr(value, key) if key in type(value).model_fields else _NOTHING
    if isinstance(value, tuple):
        elements = cast("tuple[object, ...]", value)
        return elements[int(key)] if key.isdecimal() and int(key) < len(elements) else _NOTHING
    return cast("dict[str, object]", value).get(key, _NOTHING) if isinstance(value, dict) else _NOTHING


def _repeated(names: list[str]) -> list[str]:
    """What occurs more than once, each once."""
    return sorted({name for name in names if names.count(name) > 1})
