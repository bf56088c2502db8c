"""A configuration as a list of effective values, each with its source, for people and for programs; secrets hidden.

The lines are TOML that `LoggerConfig.load` reads again, but for secrets and what is left out: these are comments.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, cast, final

from pydantic import BaseModel, SecretStr

from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.configuring.origin import KeyPath, Origin
from metaexpert.logger.redaction import Redactor

HIDDEN: Final = "(hidden)"
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_WIDEST: Final = 56
_redactor: Final = Redactor()


@final
@dataclass(frozen=True, slots=True)
class Setting:
    """One effective value.

    Attributes:
        path: its keys.
        value: as JSON has it: text, number, boolean, list, table, or None when it is left out or hidden.
        hidden: whether it is a secret.
        origin: where it came from.
    """

    path: KeyPath
    value: Any
    hidden: bool
    origin: Origin

    @property
    def key(self) -> str:
        """The keys with dots between them."""
        return ".".join(self.path)

    def as_json(self) -> dict[str, Any]:
        """The same as a table."""
        return {
            "key": self.key,
            "value": self.value,
            "hidden": self.hidden,
            "source": self.origin.kind.value,
            "from": str(self.origin),
        }


def settings(config: LoggerConfig) -> Iterator[Setting]:
    """Every effective value, tables after the plain values beside them."""
    for path, value in _leaves(config, ()):
        hidden = isinstance(value, SecretStr) or _is_secret_parameter(path)
        yield Setting(path, None if hidden else _plain(value), hidden, config.origin_at(path))


def _is_secret_parameter(path: KeyPath) -> bool:
    """Whether it is a query parameter that should have been a header."""
    return path[-2:-1] == ("query",) and _redactor.hides(path[-1])


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """The values that are neither a table nor a list of tables."""
    inner = _inside(value) if _is_table(value) else None
    if inner is None:
        yield path, value
        return
    for name, each in sorted(inner.items(), key=lambda item: (_is_table(item[1]), item[0] != "type")):
        yield from _leaves(each, (*path, name))


def _is_table(value: object) -> bool:
    """Whether it stands in tables of its own; an empty table or list is written where it is."""
    if isinstance(value, tuple):
        return isinstance(next(iter(cast("tuple[object, ...]", value)), None), BaseModel)
    return isinstance(value, BaseModel) or (isinstance(value, dict) and bool(cast("object", value)))


def _inside(value: object) -> dict[str, object]:
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {str(key): inner for key, inner in cast("dict[object, object]", value).items()}
    return {str(index): inner for index, inner in enumerate(cast("tuple[object, ...]", value))}


def _plain(value: object) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | dict):
        return [_plain(inner) for inner in cast("Iterable[object]", value)] if isinstance(value, tuple) else {}
    return f"{value.__module__}:{value.__qualname__}" if callable(value) else value


def as_lines(found: list[Setting]) -> Iterator[tuple[str, str]]:
    """The settings as lines of TOML: the value, and the comment that names its source."""
    width = min(_WIDEST, max(len(_assignment(each)) for each in found))
    last: KeyPath = ()
    for each in found:
        inside = each.path[:-1]
        if inside != last:
            yield "", ""
            yield _header(inside), ""
            last = inside
        yield f"{_assignment(each):{width}}", f"  # {each.origin}"


def _header(path: KeyPath) -> str:
    """`[queue]`, or `[[sinks]]` for the next element of a list."""
    keys = ".".join(_key(key) for key in path if not key.isdecimal())
    return f"[[{keys}]]" if path[-1].isdecimal() else f"[{keys}]"


def _assignment(setting: Setting) -> str:
    key = _key(setting.path[-1])
    if setting.hidden:
        return f"# {key} = {HIDDEN}"
    return f"# {key} is left out" if setting.value is None else f"{key} = {_toml(setting.value)}"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(_toml, cast('list[Any]', value)))}]"
        case dict():
            return "{}"  # one with keys has a table of its own
        case _:
            return str(value)


def _text(value: str) -> str:
    """A basic string (https://toml.io/en/v1.0.0#string): escapes are JSON's, and DEL has to be escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
