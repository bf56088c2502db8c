"""Values laid over one another, and where each came from.

Tables are merged key by key, lists and plain values replaced. What is laid is copied: nobody's dict is changed.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast, final

from pydantic import BaseModel

from metaexpert.logger.configuring.origin import KeyPath, Origin, OriginKind, nearest_origin

type Values = dict[str, Any]
type Container = dict[str, Any] | list[Any]


@final
class Layers:
    """A configuration's values in the making.

    Attributes:
        values: what is given so far.
        origins: where it came from, by path.
    """

    def __init__(self) -> None:
        self.values: Values = {}
        self.origins: dict[KeyPath, Origin] = {}

    def lay(self, values: Mapping[str, Any], origin: Callable[[KeyPath], Origin]) -> None:
        """Lay `values` on top; `origin` tells where the value at a path came from."""
        self._lay(values, origin, self.values, ())

    def _lay(self, values: Mapping[str, Any], origin: Callable[[KeyPath], Origin], onto: Values, at: KeyPath) -> None:
        for key, value in values.items():
            below = onto.get(key)
            if isinstance(value, dict) and isinstance(below, dict):
                self._lay(cast("Values", value), origin, cast("Values", below), (*at, key))
            else:
                self.put(onto, key, value, (*at, key), origin)

    def put(
        self, container: Container, key: str | int, value: Any, path: KeyPath, origin: Callable[[KeyPath], Origin]
    ) -> None:
        """Set one value, in place of what is there."""
        cast("Values", container)[cast("str", key)] = _copied(value)
        for old in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[old]
        self.origins |= {leaf: origin(leaf) for leaf in _leaves(value, path)}

    def source(self, path: KeyPath) -> str:
        """Where what is given at, around or below `path` came from, in words; of arguments nothing is said."""
        around = nearest_origin(self.origins, path)
        if around is not None:
            return "" if around.kind is OriginKind.ARGUMENT else str(around)
        below = [origin for known, origin in self.origins.items() if path and known[: len(path)] == path]
        told = [origin.file or str(origin) for origin in below if origin.kind is not OriginKind.ARGUMENT]
        return ", ".join(dict.fromkeys(told))

    def opened(self, container: Container, key: str | int, empty: Container) -> object:
        """The table or list under `key`, to be written into: made when missing, options as the table they came from."""
        table = cast("Values", container)
        name = cast("str", key)
        if isinstance(container, dict) and name not in container:
            container[name] = empty
        if isinstance(table[name], BaseModel):
            table[name] = _given(table[name])
        return table[name]


def _given(options: BaseModel) -> Values:
    """What was given to options made in code; the rest is left to the defaults."""
    given = {name: getattr(options, name) for name in options.model_fields_set}
    kind = getattr(options, "type", None)
    return given if kind is None else given | {"type": kind}


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in cast("Values", value).items()}
    if isinstance(value, list | tuple):
        return [_copied(inner) for inner in cast("list[Any]", value)]
    return value


def _leaves(value: object, path: KeyPath) -> Iterator[KeyPath]:
    """The paths of the plain values in `value`; a list of plain values is one."""
    if isinstance(value, dict) and value:
        for key, inner in cast("dict[object, object]", value).items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list | tuple) and any(isinstance(inner, dict) for inner in cast("list[object]", value)):
        for index, inner in enumerate(cast("list[object]", value)):
            yield from _leaves(inner, (*path, str(index)))
    else:
        yield path
