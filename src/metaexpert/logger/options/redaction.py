"""Which fields are hidden."""

from typing import Annotated

from pydantic import AfterValidator

from metaexpert.logger.options.base import Options
from metaexpert.logger.redaction import normal_key


def _redaction_key(value: str) -> str:
    if not normal_key(value):
        message = "must contain a letter or digit"
        raise ValueError(message)
    return value


type RedactionKey = Annotated[str, AfterValidator(_redaction_key)]


class RedactionOptions(Options):
    """Which fields are hidden, beside the built-in keys."""

    keys: tuple[RedactionKey, ...] = ()
    """Further keys to hide; each matches anywhere in a key, without case and punctuation."""
    allow: tuple[RedactionKey, ...] = ()
    """Keys to show although a built-in rule matches them; each matches the whole key."""
