"""The JSON schema of a configuration file, for editors: what may stand in `metaexpert.toml`, and what it means.

Draft 7 (https://json-schema.org/draft-07), which TOML editors know. Whatever an option's class says becomes part of it.
"""

import json
from typing import Any, Final, cast

from pydantic import BaseModel

from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.configuring.shape import shape_of
from metaexpert.logger.configuring.words import words_of
from metaexpert.logger.options.base import SINK_TYPES

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_DEFINITIONS: Final = "definitions"
_LEVELS: Final = ("CRITICAL", "FATAL", "ERROR", "WARNING", "WARN", "INFO", "DEBUG", "NOTSET")

_NULL: Final = {"type": "null"}
_DROPPED: Final = frozenset({"discriminator", "title"})

type Schema = dict[str, Any]


def json_schema() -> Schema:
    """The schema: the options at the top of the file, or under `[logger]` beside whatever else the file holds."""
    options = LoggerConfig.model_json_schema(ref_template=f"#/{_DEFINITIONS}/{{model}}")
    parts = cast("dict[str, Schema]", options.pop("$defs"))
    parts["LevelName"] = {
        "description": "A level, by name or by number.",
        "enum": [*_LEVELS, *map(str.lower, _LEVELS), 0, 10, 20, 30, 40, 50],
    }
    for model in _models_below(LoggerConfig):
        _describe(parts.get(model.__name__, options), model)
        if model in SINK_TYPES.values():
            _tell_apart_by_type(parts[model.__name__])
    properties = cast("dict[str, Schema]", options["properties"])
    whole: Schema = {
        "$schema": _DRAFT,
        "description": "The logging of a MetaExpert program, metaexpert.toml.",
        "type": "object",
        "properties": {**properties, "logger": {"$ref": f"#/{_DEFINITIONS}/LoggerConfig"}},
        "anyOf": [{"required": ["logger"]}, {"propertyNames": {"enum": list(properties)}}],
        _DEFINITIONS: {"LoggerConfig": options, **parts},
    }
    return _for_toml(whole)


def _models_below(model: type[BaseModel]) -> set[type[BaseModel]]:
    """A class of options and those of all tables within it."""
    found: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        model = waiting.pop()
        found.add(model)
        shapes = [shape_of(field.annotation) for field in model.model_fields.values()]
        inner = [each for shape in shapes for each in (*shape.models, *shape.below("").models)]
        waiting += [each for each in inner if each not in found]
    return found


def _describe(part: Schema, model: type[BaseModel]) -> None:
    """Each option means what its class says, or a class above that has another default only."""
    options = part["properties"]
    for name, option in options.items():
        options[name] = dict(sorted({"description": words_of(model, name), **option}.items()))


def _tell_apart_by_type(sink: Schema) -> None:
    """A sink in a list has to say its type, so that one schema alone fits it."""
    sink["required"] = ["type", *sink.get("required", [])]
    sink["properties"]["type"]["description"] = sink.get("description", "")


def schema_text() -> str:
    """The schema as it is printed and kept."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _for_toml(schema: Schema) -> Schema:
    """Without what TOML and draft 7 do not have: null, OpenAPI's discriminator, and words beside a `$ref`."""
    result = {key: _inner(key, value) for key, value in _without_null(schema).items() if key not in _DROPPED}
    if "description" in result:
        result["description"] = result["description"].split("\n\n")[0]  # what it raises is for programs
    if result.get("default", "") is None:
        del result["default"]
    elif isinstance(result.get("default"), dict):
        result["default"] = {key: value for key, value in result["default"].items() if value is not None}
    if "$ref" in result and len(result) > 1:
        return {"allOf": [{"$ref": result.pop("$ref")}], **result}
    return result


def _inner(keyword: str, value: Any) -> Any:
    if keyword in {"properties", _DEFINITIONS}:
        return {name: _for_toml(each) for name, each in cast("dict[str, Schema]", value).items()}
    if keyword in {"anyOf", "oneOf", "allOf"}:
        return [_for_toml(each) for each in cast("list[Schema]", value)]
    if keyword in {"items", "additionalProperties", "propertyNames"} and isinstance(value, dict):
        return _for_toml(cast("Schema", value))
    return value


def _without_null(schema: Schema) -> Schema:
    """What is left out in TOML has no null to say so."""
    choices = [each for each in cast("list[Schema]", schema.get("anyOf", [])) if each != _NULL]
    if len(choices) != 1:
        return schema
    return {**choices[0], **{key: value for key, value in schema.items() if key != "anyOf"}}
