"""Which fields are hidden."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from metaexpert.logger.options.base import Options
from metaexpert.logger.redaction import normal_key


def _redaction_key(value: str) -> str:
    if not normal_key(value):
        message = "must contain a letter or digit"
        raise ValueError(message)
    return value


def _pattern(value: str) -> str:
    try:
        compiled = re.compile(value)
    except re.error as error:
        message = f"is no regular expression: {error}"
        raise ValueError(message) from None
    if compiled.match(""):
        message = "matches an empty text, and with that all there is"
        raise ValueError(message)
    return value


type Pattern = Annotated[str, AfterValidator(_pattern)]
type RedactionKey = Annotated[str, AfterValidator(_redaction_key)]


class RedactionOptions(Options):
    """Which fields are hidden, beside the built-in keys."""

    keys: tuple[RedactionKey, ...] = ()
    """Further keys to hide; each matches anywhere in a key, without case and punctuation."""
    allow: tuple[RedactionKey, ...] = ()
    """Keys to show although a built-in rule matches them; each matches the whole key."""
    values: bool = True
    """Look for what looks like a secret in messages, values and tracebacks as well."""
    patterns: tuple[Pattern, ...] = ()
    """Further regular expressions; what they match in any text is hidden."""
    pseudonyms: tuple[RedactionKey, ...] = ()
    """Keys whose values are shown as keyed pseudonyms, the same for the same value; each matches the whole key."""
    pseudonym_key_file: Path | None = None
    """The file with the secret that pseudonyms are made with (HMAC-SHA256)."""

    @model_validator(mode="after")
    def _pseudonyms_have_a_key(self) -> Self:
        if self.pseudonyms and self.pseudonym_key_file is None:
            message = (
                "pseudonyms need pseudonym_key_file, a file with a secret: without one anybody could try values out"
            )
            raise ValueError(message)
        if self.patterns and not self.values:
            message = "patterns are looked for in text: they need values = true"
            raise ValueError(message)
        return self
