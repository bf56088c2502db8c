"""A logging runtime with exactly the sinks a test names."""

from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from metaexpert.logger import LoggerConfig, LoggingRuntime
from metaexpert.logger.stats import SinkStats

_FOLDER = TemporaryDirectory(prefix="metaexpert-tests-")
_FRESH = count()


def logging_to(*sinks: Any, **config: Any) -> LoggingRuntime:
    """A runtime to enter, with `sinks` alone and a folder where no other has left anything; `config` overrides."""
    values: dict[str, Any] = {
        "log_name": "tests",
        "log_level": "DEBUG",
        "log_to_console": False,
        "log_to_file": False,
        "check_trades": False,  # tests log what no order lives through, and count what arrives
        "performance": {"enabled": False},
        "clock": {"enabled": False},
        "log_dir": Path(_FOLDER.name) / str(next(_FRESH)),
        "shutdown_timeout": 2.0,
    }
    values |= {"sinks": sinks, **config}
    return LoggingRuntime(LoggerConfig(**values))


def sink_stats(runtime: LoggingRuntime) -> SinkStats:
    """The statistics of the only sink."""
    (stats,) = runtime.stats().sinks.values()
    return stats


def unbalanced(runtime: LoggingRuntime) -> Sequence[SinkStats]:
    """The sinks whose ledger does not balance."""
    return [sink for sink in runtime.stats().sinks.values() if not sink.ledger.balanced]


def ids(entries: Iterable[dict[str, Any]]) -> list[str]:
    """Entry ids of decoded lines, in order."""
    return [entry["id"] for entry in entries]
