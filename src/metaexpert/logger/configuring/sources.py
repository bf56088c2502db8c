"""Where configuration values come from: a TOML file, the environment over it, keyword arguments over both.

Our own reader rather than pydantic-settings, since a variable that no field knows must be an error that names the
nearest field, and every value must be able to say where it came from.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel

from metaexpert.exceptions import ConfigError
from metaexpert.logger.configuring.environment import EnvironmentLayer, Variable, variables
from metaexpert.logger.configuring.layers import Layers, Values
from metaexpert.logger.configuring.origin import ConfigSource, KeyPath, Origin, OriginKind

_FILE: Final = Path("metaexpert.toml")
_PROJECT: Final = Path("pyproject.toml")
_TABLE: Final = "logger"
_PROJECT_TABLE: Final = ("tool", "metaexpert", "logger")


def gathered(source: ConfigSource, model: type[BaseModel]) -> tuple[Layers, list[str]]:
    """The values of all sources for `model`, and what is wrong with the variables among them.

    A variable that addresses an element of a list given as an argument fills in what that element leaves out.

    Raises:
        ConfigError: a file cannot be read or is not TOML.
    """
    layers, problems = Layers(), list[str]()
    _lay_file(layers, source)
    into_arguments = [each for each in variables(source.environ) if _is_within_a_list(each, source)]
    below = [each for each in variables(source.environ) if each not in into_arguments]
    _lay_variables(layers, model, below, problems, only_missing=False)
    layers.lay(source.overrides, lambda path: Origin(OriginKind.ARGUMENT, ".".join(path)))
    _lay_variables(layers, model, into_arguments, problems, only_missing=True)
    return layers, problems


def _is_within_a_list(variable: Variable, source: ConfigSource) -> bool:
    first, *rest = variable.keys
    return bool(rest) and isinstance(source.overrides.get(first), list | tuple)


def _lay_variables(
    layers: Layers, model: type[BaseModel], given: list[Variable], problems: list[str], *, only_missing: bool
) -> None:
    environment = EnvironmentLayer(layers, model)
    for variable in given:
        try:
            environment.lay(variable, only_missing=only_missing)
        except ConfigError as error:
            problems.append(str(error))


def _lay_file(layers: Layers, source: ConfigSource) -> None:
    """Lay the named file, or the first usual one that exists."""
    usual = (name for name in (_FILE, _PROJECT) if (source.folder / name).exists())
    path = source.path or next(usual, None)
    if path is not None:
        values, table = _logger_table(_read(source.folder / path, path), path)
        layers.lay(values, _in_file(path, table))


def _in_file(path: Path, table: tuple[str, ...]) -> Callable[[KeyPath], Origin]:
    return lambda at: Origin(OriginKind.FILE, ".".join((*table, *at)), str(path))


def _read(path: Path, shown: Path) -> Values:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # editors on Windows write a byte order mark
    except OSError as error:
        message = f"configuration file {shown}: cannot be read: {error.strerror or error}"
        raise ConfigError(message) from None
    except UnicodeDecodeError as error:
        message = f"configuration file {shown}: is not UTF-8 text ({error.reason} at byte {error.start})"
        raise ConfigError(message) from None
    except tomllib.TOMLDecodeError as error:
        message = f"configuration file {shown}: is not TOML: {error}"
        raise ConfigError(message) from None


def _logger_table(document: Values, path: Path) -> tuple[Values, tuple[str, ...]]:
    """The logger's part: `[tool.metaexpert.logger]` in a pyproject.toml, `[logger]` or the whole file elsewhere."""
    keys: tuple[str, ...] = ()
    if path.name == _PROJECT.name:
        keys = _PROJECT_TABLE
    elif _TABLE in document:
        keys = (_TABLE,)
    return _table(document, keys, path), keys


def _table(document: Values, keys: tuple[str, ...], path: Path) -> Values:
    for depth, key in enumerate(keys, 1):
        found: Any = document.get(key, {})
        if not isinstance(found, dict):
            message = (
                f"configuration file {path}: [{'.'.join(keys[:depth])}] must be a table, not {type(found).__name__}"
            )
            raise ConfigError(message)
        document = cast("Values", found)
    return document
