"""What is wrong with a configuration, in words: the key, its value, what is allowed, and the nearest known key.

No secret is ever shown: values under hidden keys, at any depth, and credentials within addresses are left out.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, cast

from pydantic import BaseModel, ValidationError

from metaexpert.logger.configuring.origin import KeyPath
from metaexpert.logger.configuring.shape import Shape
from metaexpert.logger.redaction import REDACTED, Redactor

_SHOWN_CHARACTERS: Final = 80
_USERINFO: Final = re.compile(r"(?<=//).*@")
_WHOLE_KINDS: Final = frozenset({"model_type", "model_attributes_type", "dict_type", "tuple_type"})
_WORD: Final = re.compile(r"[\w .,-]{0,32}")
_MAY_HOLD_SECRETS: Final = re.compile(r"[@?#]")
"""Of an address: credentials, parameters, a fragment."""

_DEMAND: Final = re.compile(r"^(?:should|must) be ")
_TAG_ERRORS: Final = frozenset({"union_tag_invalid", "union_tag_not_found"})
_SECRET_KEYS: Final = ("headers",)
_OF_KINDS: Final = {
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
"""Words for what pydantic says in those of Python."""


def explain(error: ValidationError, model: type[BaseModel], kinds: Mapping[str, type[BaseModel]]) -> str:
    """One line for each thing that is wrong.

    Args:
        error: what pydantic found.
        model: the options that were to be made.
        kinds: options told apart by their `type`.
    """
    return "\n".join(line for _, line in explained(error, model, kinds, lambda _: ""))


def explained(
    error: ValidationError,
    model: type[BaseModel],
    kinds: Mapping[str, type[BaseModel]],
    source: Callable[[KeyPath], str],
) -> Iterator[tuple[KeyPath, str]]:
    """The place of each thing that is wrong and a line on it, which names the source where that is known.

    Args:
        error: what pydantic found.
        model: the options that were to be made.
        kinds: options told apart by their `type`.
        source: where the value at a path came from, in words; empty when the reader knows.
    """
    said: dict[KeyPath, list[tuple[str, str]]] = {}
    for each in error.errors(include_url=False):
        detail = cast("dict[str, Any]", each)
        inner, path = _followed(model, detail["loc"], kinds)
        if detail["type"] in _TAG_ERRORS:
            path = [*path, "type"]
        said.setdefault(tuple(path), []).append(_said(detail, inner, path, kinds))
    for path, what in said.items():
        key = ".".join((model.__name__, *path))
        where = source(path)
        for line in _any_of([message for _, message in what]).splitlines():
            told = f"{key}{what[0][0]}: {line}"
            yield path, f"{told} (from {where})" if where else told


def _any_of(messages: list[str]) -> str:
    """What is said of one value that might be of several kinds, each of which has something against it."""
    first, *others = dict.fromkeys(messages)
    return " or ".join((first, *(_DEMAND.sub("", other) for other in others)))


def nearest(key: str, known: Iterable[str], prefix: str = "") -> str:
    """A hint at the known key most like `key`, or at all of them, each shown with `prefix`."""
    known = sorted(known)
    close = get_close_matches(key, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {prefix}{close[0]}?"
    return f"; known are {', '.join(prefix + name for name in known)}"


def _said(
    detail: dict[str, Any], inner: type[BaseModel], path: list[str], kinds: Mapping[str, type[BaseModel]]
) -> tuple[str, str]:
    """What was given, as it may be shown after the key, and what is said to it."""
    kind, given = detail["type"], cast("object", detail.get("input"))
    if kind == "extra_forbidden":
        return "", f"there is no such option{nearest(path[-1], inner.model_fields)}"
    if kind == "missing":
        return "", "is required"
    if kind in _TAG_ERRORS:
        return _wrong_type(given, _types_at(detail) or kinds)
    message = _OF_KINDS.get(kind) or detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not path or isinstance(given, BaseModel) or (isinstance(given, dict) and kind == "value_error"):
        return "", message
    if (
        kind in _WHOLE_KINDS
        and isinstance(given, str | list | tuple)
        and not _WORD.fullmatch(str(cast("object", given)))
    ):
        return f" = {REDACTED}", message  # a whole table as text, secrets and all
    return f" = {_shown(path, cast('object', given))}", message


def _followed(
    model: type[BaseModel], location: tuple[str | int, ...], kinds: Mapping[str, type[BaseModel]]
) -> tuple[type[BaseModel], list[str]]:
    """The options a location ends in, and its path without pydantic's own marks."""
    shape, path = Shape(models=(model,)), list[str]()
    for part, before in zip(location, (None, *location), strict=False):
        if isinstance(before, int) and part in shape.types:
            shape = shape.of_type(part)
        elif isinstance(before, int) and part in kinds:
            shape = Shape(models=(kinds[cast("str", part)],))
        elif shape.is_plain:
            break  # the members of a union, or whether a key or its value is meant
        else:
            model = shape.models[0] if shape.models else model
            path.append(str(part))
            shape = shape.below(str(part))
    return model, path


def _types_at(detail: Mapping[str, Any]) -> list[str]:
    """The types of this very list, as pydantic names them; other lists have others."""
    return re.findall(r"'([^']+)'", detail.get("ctx", {}).get("expected_tags", ""))


def _wrong_type(value: object, kinds: Iterable[str]) -> tuple[str, str]:
    """What is said of a table whose `type` is unknown or missing."""
    allowed = f"must be one of {', '.join(map(repr, sorted(kinds)))}"
    given = cast("dict[str, object]", value).get("type") if isinstance(value, dict) else None
    if not isinstance(given, str):
        return "", allowed
    close = get_close_matches(given, kinds, n=1, cutoff=0.6)
    return f" = {given!r}", allowed + (f"; did you mean {close[0]!r}?" if close else "")


def _shown(path: list[str], value: object) -> str:
    """The value as it may be shown; below a hidden key nothing is."""
    text = REDACTED if any(map(_hides, path)) else _USERINFO.sub(f"{REDACTED}@", repr(_redacted(path[-1], value)))
    if path[-1] == "url" and ("targets" in path or _MAY_HOLD_SECRETS.search(text)):
        text = REDACTED
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _hides(key: str) -> bool:
    """Whether a value under `key` is a secret; the path of a secret's file is none."""
    return not key.endswith("_file") and Redactor(keys=_SECRET_KEYS).hides(key)


def _redacted(key: str, value: object) -> object:
    if _hides(key):
        return REDACTED
    if isinstance(value, dict):
        table = cast("dict[object, object]", value)
        return {inner: _redacted(str(inner), one) for inner, one in table.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", one) for one in cast("Iterable[object]", value)]
    return value
