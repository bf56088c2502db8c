"""LoggerConfig: everything about logging in one frozen object.

`LoggerConfig(…)` takes keyword arguments alone; `LoggerConfig.load(…)` lays keyword arguments over the environment over
a TOML file.
"""

from collections.abc import Mapping
from os.path import abspath
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from metaexpert.logger.config_sources import from_environment, from_toml, merged
from metaexpert.logger.options.base import LevelName, Options
from metaexpert.logger.options.custom import CustomOptions
from metaexpert.logger.options.http import ElasticsearchOptions, LokiOptions, NdjsonOptions
from metaexpert.logger.options.queue import DispatcherOptions, QueueOptions
from metaexpert.logger.options.redaction import RedactionOptions
from metaexpert.logger.options.sink import ConsoleOptions, FileOptions, MemoryOptions

type AnySink = Annotated[
    ConsoleOptions | FileOptions | LokiOptions | ElasticsearchOptions | NdjsonOptions | MemoryOptions | CustomOptions,
    Field(discriminator="type"),
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
