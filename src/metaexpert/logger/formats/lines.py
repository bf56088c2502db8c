"""The formats a line of a file, a stream, a request or a syslog message can have, by name."""

from collections.abc import Callable
from typing import Final, Literal

from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.cef import CefLines
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.otlp_lines import OtlpLines
from metaexpert.logger.formats.selection import ECS_KEYS, ENTRY_KEYS, JSON_KEYS, DocumentKeys
from metaexpert.logger.formats.splunk_events import SplunkEvents
from metaexpert.logger.formats.text import TextLines
from metaexpert.logger.identity import Identity

type JsonFormat = Literal["json", "ecs", "otel", "splunk"]
"""Formats whose lines are JSON: our own keys, the Elastic Common Schema, OTLP in JSON, events of Splunk's collector."""

type LineFormat = Literal["json", "text", "ecs", "otel", "splunk", "cef"]
"""All formats: those and lines for people, and ArcSight's Common Event Format."""

type Encode = Callable[[Capture], bytes]

_KEYS: Final[dict[str, DocumentKeys]] = {"json": JSON_KEYS, "splunk": JSON_KEYS, "ecs": ECS_KEYS}


def keys_of(line_format: str) -> DocumentKeys:
    """The keys among which a sink that writes this format chooses."""
    return _KEYS.get(line_format, ENTRY_KEYS)


def encoder_of(line_format: LineFormat, identity: Identity, environment: str, json_line: Encode) -> Encode:
    """What encodes entries as lines without newline; of JSON and Splunk's events `json_line` makes the entry."""
    match line_format:
        case "json":
            return json_line
        case "text":
            return TextLines(use_colors=False)
        case "ecs":
            return EcsDocuments(identity, environment)
        case "otel":
            return OtlpLines(identity, environment)
        case "splunk":
            return SplunkEvents(identity, json_line)
        case "cef":
            return CefLines(identity)
