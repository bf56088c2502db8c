"""What is wrong with a configuration, in words: the key, its value, what is allowed, and the nearest known key.

No secret is ever shown: values under hidden keys, at any depth, and credentials within addresses are left out.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, cast

from pydantic import BaseModel, ValidationError

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
    return "\n".join(_line(cast("dict[str, Any]", detail), model, kinds) for detail in error.errors(include_url=False))


def nearest(key: str, known: Iterable[str]) -> str:
    """A hint at the known key most like `key`, or at all of them."""
    known = sorted(known)
    close = get_close_matches(key, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _line(detail: dict[str, Any], model: type[BaseModel], kinds: Mapping[str, type[BaseModel]]) -> str:
    inner, path = _followed(model, detail["loc"], kinds)
    key = ".".join((model.__name__, *path))
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"{key}: there is no such option{nearest(path[-1], inner.model_fields)}"
    if kind == "missing":
        return f"{key}: is required"
    if kind in _TAG_ERRORS:
        return f"{key}: type{_given_type(detail.get('input'))} must be one of {', '.join(map(repr, sorted(kinds)))}"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    shown = _shown(path, detail.get("input")) if path else ""
    return f"{key} = {shown}: {message}" if shown else f"{key}: {message}"


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


def _given_type(value: object) -> str:
    given = cast("dict[str, object]", value).get("type") if isinstance(value, dict) else None
    return f" = {given!r}" if isinstance(given, str) else ""


def _shown(path: list[str], value: object) -> str:
    """The value as it may be shown; below a hidden key nothing is."""
    hides = Redactor(keys=_SECRET_KEYS).hides
    text = REDACTED if any(map(hides, path)) else _USERINFO.sub(f"{REDACTED}@", repr(_redacted(path[-1], value)))
    if path[-1] == "url" and ("@" in text or "?" in text):
        text = REDACTED
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _redacted(key: str, value: object) -> object:
    if Redactor(keys=_SECRET_KEYS).hides(key):
        return REDACTED
    if isinstance(value, dict):
        table = cast("dict[object, object]", value)
        return {inner: _redacted(str(inner), one) for inner, one in table.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", one) for one in cast("Iterable[object]", value)]
    return value
