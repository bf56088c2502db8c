"""The options that several commands have, each declared once."""

from pathlib import Path
from typing import Annotated, Final

from metaexpert.cli.declared import Argument, Option

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_TYPES: Final = ("general", "trade", "audit", "gap", "recovery", "error", "performance", "clock", "alert")

FILTERS: Final = "Which entries"
OUTPUT: Final = "Output"
"""The panels of `--help`."""


def _levels(incomplete: str) -> list[str]:
    names = [level.lower() for level in LEVELS] if incomplete.islower() else LEVELS
    return [name for name in names if name.startswith(incomplete)]


def _log_types(incomplete: str) -> list[str]:
    return [log_type for log_type in LOG_TYPES if log_type.startswith(incomplete)]


def _log_names(incomplete: str) -> list[str]:
    """The logs there are in the configuration's folder."""
    from metaexpert.cli.logs_places import plain_places  # noqa: PLC0415 - only where a shell asks
    from metaexpert.logger.files.names import LogFile  # noqa: PLC0415 - as above

    try:
        files = [LogFile.parsed(path) for place in plain_places() for path in place.iterdir()]
    except OSError:
        return []
    return sorted({file.log.name for file in files if file is not None and file.log.name.startswith(incomplete)})


# ---- where -------------------------------------------------------------------------------------------------------

Places = Annotated[
    list[Path] | None,
    Argument("Folders, logs and files, archives among them; the configuration's folders when left out."),
]
LogName = Annotated[
    str | None,
    Option(("--log",), "Of this log alone, such as trades.log; all logs when left out.", complete=_log_names),
]
ConfigFile = Annotated[
    Path | None, Option(("--file",), "A TOML file, instead of metaexpert.toml or pyproject.toml here.")
]
LogDir = Annotated[Path | None, Option(("--log-dir",), "Instead of the configuration's log_dir.")]
SinkName = Annotated[str | None, Option(("--sink",), "Only what is this sink's, by the sink's name.")]

# ---- which entries -----------------------------------------------------------------------------------------------

Level = Annotated[str | None, Option(("--level", "-l"), "From this level on.", FILTERS, complete=_levels)]
Since = Annotated[
    str | None,
    Option(("--since",), "From this time on: 2026-11-23, 2026-11-23T17:15, 17:15, 15m, 2h, 3d, yesterday.", FILTERS),
]
Until = Annotated[str | None, Option(("--until",), "Before this time, given like --since.", FILTERS)]
Where = Annotated[
    list[str],
    Option(
        ("--where", "-w"),
        "A condition on a field, such as symbol=BTCUSDT or latency_ms>100; all given ones hold.",
        FILTERS,
    ),
]
LoggerName = Annotated[list[str], Option(("--logger",), "Of this logger and those below it; several allowed.", FILTERS)]
LogType = Annotated[
    list[str], Option(("--log-type", "-t"), "Of this log type; several allowed.", FILTERS, complete=_log_types)
]
SinceUtc = Annotated[
    str | None, Option(("--since",), "Only entries since: a time in UTC such as 2026-11-23T14:00, or 30d.")
]
UntilUtc = Annotated[str | None, Option(("--until",), "Only entries until then.")]

# ---- what comes out ----------------------------------------------------------------------------------------------

Utc = Annotated[bool, Option(("--utc",), "Times are UTC, not the machine's.", OUTPUT)]
Color = Annotated[
    bool | None,
    Option(
        ("--color/--no-color",),
        "Colours; when left out, on a terminal unless NO_COLOR is set.",
        OUTPUT,
        shows_default=False,
    ),
]
Fields = Annotated[
    str | None,
    Option(
        ("--fields",),
        "Show these alone, such as time,level,symbol,price; found at the top, among fields and trade data.",
        OUTPUT,
    ),
]
EntriesAsJson = Annotated[
    bool, Option(("--json",), "Lines as they stand in the log; with --fields objects of these.", OUTPUT)
]
JsonLines = Annotated[bool, Option(("--json",), "One JSON object a line.", OUTPUT)]
AsJson = Annotated[bool, Option(("--json",), "JSON for scripts.", OUTPUT)]
AsCsv = Annotated[bool, Option(("--csv",), "CSV, with a heading.", OUTPUT)]
Parquet = Annotated[Path | None, Option(("--parquet",), "Write a Parquet file (extra query).", OUTPUT)]
Yes = Annotated[bool, Option(("--yes",), "Don't ask.")]
