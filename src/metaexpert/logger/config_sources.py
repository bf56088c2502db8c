"""Where configuration values come from: a TOML file and the environment, as plain nested dicts.

Our own reader rather than pydantic-settings, since a variable that no field knows must be an error that names the
nearest field, and every value must be able to say where it came from.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import orjson

from metaexpert.exceptions import ConfigError
from metaexpert.logger.config_errors import nearest

ENV_PREFIX: Final = "METAEXPERT_LOG_"
_FILE: Final = Path("metaexpert.toml")
_PROJECT: Final = Path("pyproject.toml")

type Values = dict[str, Any]


def from_toml(path: str | Path | None) -> Values:
    """Values of the named file, or of the first usual one that exists.

    Raises:
        ConfigError: the file cannot be read or is not TOML.
    """
    if path is not None:
        return _logger_table(_read(Path(path)), Path(path))
    if _FILE.exists():
        return _logger_table(_read(_FILE), _FILE)
    if _PROJECT.exists():
        return _table(_read(_PROJECT), ("tool", "metaexpert", "logger"), _PROJECT)
    return {}


def from_environment(environ: Mapping[str, str] | None, fields: tuple[str, ...]) -> Values:
    """Values of `METAEXPERT_LOG_…` variables; `__` steps into a table, JSON is taken for lists and tables.

    `METAEXPERT_LOG_LEVEL` means `log_level` and `METAEXPERT_LOG_MAX_BYTES` means `max_bytes`.

    Raises:
        ConfigError: a variable names no field.
    """
    values: Values = {}
    given = os.environ if environ is None else environ
    # tables before the keys within them, so that the more specific variable wins
    for variable in sorted(given, key=lambda name: (name.count("__"), name)):
        if variable.upper().startswith(ENV_PREFIX):
            first, *rest = variable[len(ENV_PREFIX) :].lower().split("__")
            _put(values, [_field(first, variable, fields), *rest], _decoded(given[variable], variable), variable)
    return values


def merged(*layers: Mapping[str, Any]) -> Values:
    """The layers over one another, the last on top; tables are merged key by key."""
    result: Values = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            both = isinstance(below, dict) and isinstance(value, dict)
            result[key] = merged(cast("Values", below), cast("Values", value)) if both else value
    return result


def _field(name: str, variable: str, fields: tuple[str, ...]) -> str:
    for candidate in (f"log_{name}", name):
        if candidate in fields:
            return candidate
    known = {f"{ENV_PREFIX}{field.removeprefix('log_').upper()}" for field in fields}
    message = f"environment variable {variable}: there is no such option{nearest(variable, known)}"
    raise ConfigError(message)


def _put(values: Values, keys: list[str], value: Any, variable: str) -> None:
    for key in keys[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            message = f"environment variable {variable}: {key} is already given as a plain value by another variable"
            raise ConfigError(message)
        values = cast("Values", inner)
    values[keys[-1]] = value


def _decoded(text: str, variable: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"environment variable {variable}: begins like JSON but is not: {error}"
        raise ConfigError(message) from None


def _read(path: Path) -> Values:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"configuration file {path}: {error}"
        raise ConfigError(message) from None


def _logger_table(document: Values, path: Path) -> Values:
    """The logger's part: `[tool.metaexpert.logger]` in a pyproject.toml, `[logger]` or the whole file elsewhere."""
    if path.name == _PROJECT.name:
        return _table(document, ("tool", "metaexpert", "logger"), path)
    return _table(document, ("logger",), path) if "logger" in document else document


def _table(document: Values, keys: tuple[str, ...], path: Path) -> Values:
    for key in keys:
        found = document.get(key, {})
        if not isinstance(found, dict):
            message = f"configuration file {path}: [{'.'.join(keys)}] must be a table, not {found!r}"
            raise ConfigError(message)
        document = cast("Values", found)
    return document
