"""Presets: choices to begin with, laid below everything else that is given.

Each value stands beside its reason; a preset says only where it differs from the defaults.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

type Values = Mapping[str, Any]
type Preset = Literal["development", "production", "backtesting"]

PRESETS: Final[Mapping[Preset, Values]] = {
    "development": {
        "log_level": "DEBUG",  # one looks for something
        "log_to_console": True,  # where one looks; coloured on a terminal, as is the default
        "json_logging": False,  # the files are read by people
        "shutdown_timeout": 1.0,  # Ctrl-C is pressed often, and a collector that is down must not hold the prompt
    },
    "production": {
        "log_level": "INFO",
        "json_logging": True,  # the files are read by programs
        "log_console_level": "WARNING",  # the console goes to the supervisor's log, the whole is in the files
        "max_bytes": 64 * 1024 * 1024,  # with what follows: a gigabyte and a quarter of history for each file,
        "backup_count": 20,
        "compression": "gzip",  # ten times as much of it; every tool reads it
        "queue": {
            "max_entries": 250_000,  # a collector is away for minutes, not moments
            "max_bytes": 64 * 1024 * 1024,
        },
        "shutdown_timeout": 8.0,  # below the 10 s after which Docker kills; Kubernetes waits 30 s
    },
    "backtesting": {
        "log_level": "INFO",
        "log_console_level": "WARNING",  # a terminal is slower than a backtest
        "queue": {
            "max_entries": 250_000,  # years of market data pass in seconds
            "max_bytes": 64 * 1024 * 1024,
            "overflow": "block",  # time is simulated: waiting costs nothing, a lost entry spoils the result
            "block_timeout": 60.0,
        },
        "dispatcher": {
            "slice": 0.005,  # no market data waits for the loop: longer steps, larger batches
            "linger": 0.02,
        },
        "shutdown_timeout": 60.0,  # the result is complete or the run was in vain
    },
}


def over_preset(preset: Preset, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values laid over those of a preset; tables are merged key by key."""
    return _merged(PRESETS[preset], values)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        inner = result.get(key)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(cast("Values", inner), cast("Values", value)) if both else value
    return result


def preset_value(preset: Preset, path: tuple[str, ...]) -> object:
    """What a preset says at `path`; None when it says nothing there."""
    value: object = PRESETS[preset]
    for key in path:
        value = cast("Values", value).get(key) if isinstance(value, Mapping) else None
    return value
