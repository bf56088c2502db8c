"""Everything that is wrong with a configuration at once, not only what stands in the way first.

What compares several options (names used twice, watermarks) is only looked at when each of them is usable by itself.
So what is wrong is told, taken out, and the rest looked at again.
"""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from metaexpert.logger.configuring.errors import explained
from metaexpert.logger.configuring.layers import Layers
from metaexpert.logger.configuring.origin import KeyPath


def made_or_problems[M: BaseModel](
    model: type[M], layers: Layers, kinds: Mapping[str, type[BaseModel]]
) -> tuple[M | None, list[str]]:
    """The options made of the layers' values, or a line on each thing that is wrong.

    Args:
        model: the options to make.
        layers: their values; what is wrong among them is taken out.
        kinds: options told apart by their `type`.
    """
    lines: list[str] = []
    removed: set[KeyPath] = set()
    while True:
        try:
            made = model.model_validate(layers.values)
        except ValidationError as error:
            found = list(explained(error, model, kinds, layers.source))
            # what is missing because it was taken out is no news
            lines += [line for path, line in found if path not in removed and line not in lines]
            if not _take_out(layers.values, [path for path, _ in found], removed):
                return None, lines
        else:
            return (None if lines else made), lines


def _take_out(values: dict[str, Any], paths: list[KeyPath], removed: set[KeyPath]) -> bool:
    """Remove what stands at the paths, and what needs what was removed there before; whether anything was."""
    gone = frozenset(removed)
    for path in paths:
        _remove(values, path[:-1] if path in gone else path, removed)
    return removed > gone


def _remove(values: dict[str, Any], path: KeyPath, removed: set[KeyPath]) -> None:
    """Remove a key from its table; an element goes with its whole list, so that the others keep their index."""
    container: Any = values
    table, key, depth = values, path[0] if path else "", 0
    for step, part in enumerate(path):
        if isinstance(container, dict):
            table, key, depth = cast("dict[str, Any]", container), part, step + 1
        container = _inner(cast("object", container), part)
    if table.pop(key, table) is not table:
        removed.add(path[:depth])


def _inner(container: object, part: str) -> object:
    if isinstance(container, dict):
        return cast("dict[str, object]", container).get(part)
    if isinstance(container, list) and part.isdecimal() and int(part) < len(cast("list[object]", container)):
        return cast("list[object]", container)[int(part)]
    return None
