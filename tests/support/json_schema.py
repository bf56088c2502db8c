"""A validator for the part of JSON schema, draft 7, that our schema uses; a keyword it does not know is an error."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

type Schema = Mapping[str, Any]

_KINDS: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_WORDS = frozenset({"$schema", "description", "default", "definitions", "format", "writeOnly"})
_HOLDS: Mapping[str, Callable[[Any, Any], object]] = {
    "const": lambda value, wanted: value == wanted,
    "enum": lambda value, choices: value in choices,
    "minimum": lambda value, bound: value >= bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "minLength": lambda value, bound: len(value) >= bound,
    "maxLength": lambda value, bound: len(value) <= bound,
    "minItems": lambda value, bound: len(value) >= bound,
    "maxItems": lambda value, bound: len(value) <= bound,
    "maxProperties": lambda value, bound: len(value) <= bound,
    "pattern": lambda value, pattern: re.search(pattern, value),
    "required": lambda value, keys: not isinstance(value, dict) or set(keys) <= value.keys(),
}


class Validator:
    """Validates values against a schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def errors(self, value: Any) -> list[str]:
        """What keeps `value` from being valid, each with its place."""
        return self.errors_of(self._schema, value, "$")

    def errors_of(self, schema: Schema, value: Any, at: str) -> list[str]:
        """The same for a part of the schema."""
        if "type" in schema and not _is(schema["type"], value):
            return [f"{at}: {value!r} is no {schema['type']}"]
        checks = (self._check(keyword, schema, value, at) for keyword in schema if keyword not in {"type", *_WORDS})
        return [error for check in checks for error in check]

    def _check(self, keyword: str, schema: Schema, value: Any, at: str) -> Iterator[str]:
        given = schema[keyword]
        match keyword:
            case "$ref":
                part = self._schema["definitions"][given.removeprefix("#/definitions/")]
                yield from self.errors_of(part, value, at)
            case "allOf":
                yield from (error for each in given for error in self.errors_of(each, value, at))
            case "anyOf" | "oneOf":
                found = [self.errors_of(each, value, at) for each in given]
                if found.count([]) == 0 or (keyword == "oneOf" and found.count([]) > 1):
                    yield f"{at}: fits {found.count([])} of {keyword} {found}"
            case "items":
                for index, each in enumerate(value):
                    yield from self.errors_of(given, each, f"{at}[{index}]")
            case "properties" | "additionalProperties" | "propertyNames":
                for item in value.items():
                    yield from self._of_key(keyword, schema, item, f"{at}.{item[0]}")
            case _:
                if not _HOLDS[keyword](value, given):
                    yield f"{at}: {value!r} breaks {keyword} {given}"

    def _of_key(self, keyword: str, schema: Schema, item: tuple[str, Any], at: str) -> list[str]:
        key, value = item
        given, known = schema[keyword], schema.get("properties", {})
        if keyword == "propertyNames":
            return self.errors_of(given, key, at)
        if keyword == "properties":
            return self.errors_of(known[key], value, at) if key in known else []
        if key in known or given is True:
            return []
        return self.errors_of(given, value, at) if given else [f"{at}: is unknown"]


def _is(kind: str, value: Any) -> bool:
    return isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))
