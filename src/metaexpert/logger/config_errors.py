"""What is wrong with a configuration, in words: the key, its value, what is allowed, and the nearest known key.

No secret is ever shown: values under hidden keys, at any depth, and credentials within addresses are left out.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, cast

from pydantic import BaseModel, ValidationError

from metaexpert.logger.config_origin import KeyPath
from metaexpert.logger.redaction import REDACTED, Redactor

_SHOWN_CHARACTERS: Final = 80
_USERINFO: Final = re.compile(r"(?<=//).*@")
_TAG_ERRORS: Final = frozenset({"union_tag_invalid", "union_tag_not_found"})
_SECRET_KEYS: Final = ("headers",)


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
    for each in error.errors(include_url=False):
        detail = cast("dict[str, Any]", each)
        inner, path = _followed(model, detail["loc"], kinds)
        if detail["type"] in _TAG_ERRORS:
            path = [*path, "type"]
        said = _said(detail, inner, path, kinds)
        key = ".".join((model.__name__, *path))
        where = source(tuple(path))
        for line in said.splitlines():
            yield tuple(path), f"{key}{line} (from {where})" if where else f"{key}{line}"


def nearest(key: str, known: Iterable[str], prefix: str = "") -> str:
    """A hint at the known key most like `key`, or at all of them, each shown with `prefix`."""
    known = sorted(known)
    close = get_close_matches(key, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {prefix}{close[0]}?"
    return f"; known are {', '.join(prefix + name for name in known)}"


def _said(detail: dict[str, Any], inner: type[BaseModel], path: list[str], kinds: Mapping[str, type[BaseModel]]) -> str:
    """What follows the key."""
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f": there is no such option{nearest(path[-1], inner.model_fields)}"
    if kind == "missing":
        return ": is required"
    if kind in _TAG_ERRORS:
        return _wrong_type(detail.get("input"), kinds)
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = cast("object", detail.get("input"))
    is_whole = not path or isinstance(given, BaseModel) or (isinstance(given, dict) and kind == "value_error")
    shown = "" if is_whole else f" = {_shown(path, cast('object', given))}"
    return "\n".join(f"{shown}: {line}" for line in message.splitlines())


def _followed(
    model: type[BaseModel], location: tuple[str | int, ...], kinds: Mapping[str, type[BaseModel]]
) -> tuple[type[BaseModel], list[str]]:
    """The options a location ends in, and its path without pydantic's own marks."""
    path: list[str] = []
    for part, before in zip(location, (None, *location), strict=False):
        if isinstance(before, int) and part in kinds:
            model = kinds[cast("str", part)]
            continue
        path.append(str(part))
        field = model.model_fields.get(str(part))
        for inner in _models_in(field.annotation if field else None):
            model = inner
    return model, path


def _models_in(annotation: object) -> Iterable[type[BaseModel]]:
    """The options class an annotation names, alone or beside None."""
    for kind in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _wrong_type(value: object, kinds: Mapping[str, type[BaseModel]]) -> str:
    """What is said of a table whose `type` is unknown or missing."""
    allowed = f"must be one of {', '.join(map(repr, sorted(kinds)))}"
    given = cast("dict[str, object]", value).get("type") if isinstance(value, dict) else None
    if not isinstance(given, str):
        return f": {allowed}"
    close = get_close_matches(given, kinds, n=1, cutoff=0.6)
    return f" = {given!r}: {allowed}" + (f"; did you mean {close[0]!r}?" if close else "")


def _shown(path: list[str], value: object) -> str:
    """The value as it may be shown; below a hidden key nothing is."""
    text = REDACTED if any(map(_hides, path)) else _USERINFO.sub(f"{REDACTED}@", repr(_redacted(path[-1], value)))
    if path[-1] == "url" and ("@" in text or "?" in text):
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
