"""What is wrong with a configuration, in words: the key, its value, what is allowed, and the nearest known key."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final, cast

from pydantic import BaseModel, ValidationError

from metaexpert.logger.redaction import REDACTED, Redactor

_SHOWN_CHARACTERS: Final = 80


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """One line for each thing that is wrong in values given to `model`."""
    return "\n".join(_line(cast("dict[str, Any]", detail), model) for detail in error.errors(include_url=False))


def nearest(key: str, known: Iterable[str]) -> str:
    """A hint at the known key most like `key`, or at all of them."""
    known = sorted(known)
    close = get_close_matches(key, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _line(detail: dict[str, Any], model: type[BaseModel]) -> str:
    location = [str(part) for part in detail["loc"]]
    key = f"{model.__name__}.{'.'.join(location)}" if location else model.__name__
    if detail["type"] == "extra_forbidden":
        return f"{key}: there is no such option{nearest(location[-1], _known_keys(model, location))}"
    if detail["type"] == "missing":
        return f"{key}: is required"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not location or "\n" in message or message.startswith(f"{model.__name__}."):
        return f"{key}: {message}"
    return f"{key} = {_shown(location[-1], detail.get('input'))}: {message}"


def _known_keys(model: type[BaseModel], location: list[str]) -> Iterable[str]:
    """Fields of the model the location ends in, as far as it can be followed; else the top model's."""
    for part in location[:-1]:
        field = model.model_fields.get(part)
        inner = getattr(field, "annotation", None)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return model.model_fields


def _shown(key: str, value: object) -> str:
    if Redactor().hides(key):
        return REDACTED
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
