"""The environment as a source: `METAEXPERT_LOG_…` variables, `__` stepping into tables and lists.

`METAEXPERT_LOG_LEVEL` is `log_level` and `METAEXPERT_LOG_MAX_BYTES` is `max_bytes`. An element of a list is addressed
by its index or its name (`METAEXPERT_LOG_SINKS__LOKI__PASSWORD`), the name without case and with `_` for all but
letters and digits.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, final

import orjson
from pydantic import BaseModel

from metaexpert.exceptions import ConfigError
from metaexpert.logger.configuring.errors import nearest
from metaexpert.logger.configuring.layers import Container, Layers
from metaexpert.logger.configuring.origin import KeyPath, Origin, OriginKind
from metaexpert.logger.configuring.shape import Shape

ENV_PREFIX: Final = "METAEXPERT_LOG_"
_STEP: Final = "__"
_NOWHERE: Final[KeyPath] = ()
_NOT_IN_VARIABLE: Final = re.compile(r"[^a-z0-9]+")


@final
@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: its name, its text, and the keys the name is made of."""

    name: str
    text: str
    keys: tuple[str, ...]

    def up_to(self, depth: int) -> str:
        """The beginning of the name, with the step into what is below."""
        return ENV_PREFIX + "".join(key.upper() + _STEP for key in self.keys[:depth])


def variables(environ: Mapping[str, str] | None) -> list[Variable]:
    """Our variables, of the process's environment when none is given; the whole before its parts, so that parts win."""
    given = os.environ if environ is None else environ
    names = [name for name in given if name.upper().startswith(ENV_PREFIX)]
    ordered = sorted(names, key=lambda name: (name.count(_STEP), name))
    return [Variable(name, given[name], tuple(name[len(ENV_PREFIX) :].lower().split(_STEP))) for name in ordered]


@final
class EnvironmentLayer:
    """Lays variables over what is there.

    Args:
        layers: what is there.
        model: the options they are for.
    """

    def __init__(self, layers: Layers, model: type[BaseModel]) -> None:
        self._layers = layers
        self._root = Shape(models=(model,))

    def lay(self, variable: Variable, *, only_missing: bool = False) -> None:
        """Set what a variable names; with `only_missing`, unless it is given.

        Raises:
            ConfigError: the variable names no option, or its text cannot be read.
        """
        container: Container = self._layers.values
        shape, path = self._root, _NOWHERE
        origin = Origin(OriginKind.ENVIRONMENT, variable.name)
        last = len(variable.keys) - 1
        for depth in range(last + 1):
            key = _key(variable, depth, shape, container)
            path = (*path, str(key))
            shape = _narrowed(shape.below(str(key)), container, key)
            if depth < last:
                container = self._step(variable, depth, container, key, shape)
            elif not (only_missing and key in container):
                self._layers.put(container, key, _decoded(variable, shape), path, lambda _: origin)

    def _step(self, variable: Variable, depth: int, container: Container, key: str | int, shape: Shape) -> Container:
        inner = self._layers.opened(container, key, [] if shape.is_list else {})
        if shape.is_plain or not isinstance(inner, dict | list):
            raise ConfigError(f"{_told(variable)}: {variable.up_to(depth + 1)[:-2]} takes a plain value, no table")
        return cast("Container", inner)


def _key(variable: Variable, depth: int, shape: Shape, container: Container) -> str | int:
    given = variable.keys[depth]
    if isinstance(container, list):
        return _index(variable, depth, container)
    if shape.has_free_keys:
        return given
    candidates = (f"log_{given}", given) if depth == 0 else (given,)
    for candidate in candidates:
        if candidate in shape.keys:
            return candidate
    shown = [name.removeprefix("log_") if depth == 0 else name for name in shape.keys]
    raise _no_such(variable, depth, shown)


def _index(variable: Variable, depth: int, elements: Sequence[Any]) -> int:
    """The element a name or a number stands for.

    Raises:
        ConfigError: it stands for none, or for several.
    """
    given = variable.keys[depth]
    names = [_name_of(element) for element in elements]
    found = [index for index, name in enumerate(names) if name and name == _normal(given)]
    if len(found) > 1:
        numbers = " and ".join(variable.up_to(depth) + str(index) for index in found)
        raise ConfigError(f"{_told(variable)}: {given!r} is the name of several; address them by {numbers}")
    if found:
        return found[0]
    if given.isdecimal() and int(given) < len(elements):
        return int(given)
    if not elements:
        whole = variable.up_to(depth)[:-2]
        raise ConfigError(f"{_told(variable)}: the list is empty; give the whole as JSON in {whole}, or in a file")
    raise _no_such(variable, depth, [name or str(index) for index, name in enumerate(names)], "element")


def _no_such(variable: Variable, depth: int, keys: Sequence[str], what: str = "option") -> ConfigError:
    hint = nearest(variable.keys[depth].upper(), map(str.upper, keys), variable.up_to(depth))
    return ConfigError(f"{_told(variable)}: there is no such {what}{hint}")


def _name_of(element: object) -> str:
    """The name of a list's element, as it stands in a variable; empty when it has none."""
    return _normal(str(_said_of(element, "name") or _said_of(element, "type") or ""))


def _said_of(element: object, key: str) -> object:
    """What a table, or options made in code, say under `key`."""
    if isinstance(element, dict):
        return cast("dict[str, object]", element).get(key)
    return getattr(element, key, None)


def _normal(name: str) -> str:
    return _NOT_IN_VARIABLE.sub("_", name.casefold())


def _narrowed(shape: Shape, container: Container, key: str | int) -> Shape:
    """The shape of a list's element that says what it is."""
    if not isinstance(container, list):
        return shape
    return shape.of_type(_said_of(container[cast("int", key)], "type"))


def _decoded(variable: Variable, shape: Shape) -> Any:
    """A variable's text as what its option takes; whether a plain value fits is for the option to say.

    Raises:
        ConfigError: the option takes a list or a table, and the text is none.
    """
    text = variable.text.strip()
    if shape.is_plain:
        return variable.text
    if text.startswith(("[", "{")):
        return _from_json(variable, text)
    if shape.is_list and not shape.below("").is_table:
        return [part.strip() for part in text.split(",") if part.strip()]
    wanted = """a list in JSON, such as '[{"type": "console"}]'""" if shape.is_list else "a table in JSON"
    # the text is not shown: it may be the whole with a bracket missing, secrets and all
    raise ConfigError(f"{_told(variable)}: must be {wanted}{'' if shape.is_list else _parts(variable, shape)}")


def _from_json(variable: Variable, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{_told(variable)}: begins like JSON but is not: {error}") from None


def _parts(variable: Variable, shape: Shape) -> str:
    first = shape.keys[0].upper() if shape.keys else "…"
    return f", or be given in parts, such as {variable.up_to(len(variable.keys))}{first}"


def _told(variable: Variable) -> str:
    return f"environment variable {variable.name}"
