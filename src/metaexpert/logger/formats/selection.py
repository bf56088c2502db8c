"""Which keys of an entry a destination gets, as dotted paths; pure, so that an entry's bytes stay the same on a retry.

What users bring (`extra`, `trade_data`, `error_context`, exceptions) is taken out of the entry before any sink encodes
it, so that it reaches no other part of what is sent, such as Loki's metadata. What formats add themselves is taken out
of the document.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.entry import (
    DETAILS,
    EXCEPTION,
    LOG_TYPE,
    SIZE,
    STACK_INFO,
    TRADE_DATA,
    Capture,
    data_key,
    extra_json,
)
from metaexpert.logger.formats.controls import harmless

_BROUGHT: Final = frozenset({"extra", "trade_data", "error_context"})
"""What users bring in objects, whose own keys can be chosen one by one."""


@dataclass(frozen=True, slots=True)
class DocumentKeys:
    """The keys of a format.

    Attributes:
        mandatory: keys every entry has; what is below them is mandatory too.
        optional: keys that can be left out; what is below them too.
        whole: optional keys that can only be left out as a whole.
    """

    mandatory: frozenset[str]
    optional: frozenset[str]
    whole: frozenset[str] = frozenset()

    def knows(self, path: str) -> bool:
        """Whether there can be such a key."""
        known = self.mandatory | self.optional
        return any(path == key or (path.startswith(f"{key}.") and key not in self.whole) for key in known)

    def needs(self, path: str) -> bool:
        """Whether leaving this key out would take what every entry needs."""
        return any(path == key or key.startswith(f"{path}.") or path.startswith(f"{key}.") for key in self.mandatory)


ENTRY_KEYS: Final = DocumentKeys(
    frozenset({"timestamp", "level", "logger", "message"}),
    _BROUGHT | {"exception", "stack_info"},
    frozenset({"exception", "stack_info"}),
)
"""What every sink can leave out, whatever its format: what users bring."""

JSON_KEYS: Final = DocumentKeys(
    frozenset({"timestamp", "level", "logger", "message", "log_type", "id", "seq"}),
    _BROUGHT
    | {
        "exception",
        "stack_info",
        "module",
        "function",
        "line",
        "severity",
        "process",
        "thread",
        "task",
        "monotonic_ns",
    },
)

ECS_KEYS: Final = DocumentKeys(
    frozenset({"@timestamp", "message", "ecs", "event", "log.level", "log.logger"}),
    _BROUGHT | {"error", "exception", "host", "service", "process", "labels", "trace", "span", "log.origin"},
)


@final
class Selection:
    """The keys a sink writes.

    Args:
        keys: the format's.
        include: paths written beside the mandatory ones; None for all.
        exclude: paths left out.
    """

    def __init__(self, keys: DocumentKeys, include: Iterable[str] | None, exclude: Iterable[str]) -> None:
        self._include = None if include is None else frozenset(include) | keys.mandatory
        self._exclude = frozenset(exclude)
        self._brings_errors = "stack_info" in keys.optional  # the keys themselves, not what a document makes of them
        roots = {path.split(".", 1)[0] for path in self._exclude}
        self._touched = None if include is not None else roots
        self._only_brought = include is None and roots <= _BROUGHT

    def documents(self, encode: Callable[[Capture], bytes]) -> Callable[[Capture], bytes]:
        """`encode`, and of its document the selected keys."""
        if self._only_brought:
            return encode  # `reshape` has done it all
        return lambda entry: harmless(orjson.dumps(self.of(orjson.loads(encode(entry)))))

    def of(self, document: dict[str, Any]) -> dict[str, Any]:
        """The selected keys of a document."""
        return _selected(document, self._include, self._exclude)

    def reshape(self, entry: Capture) -> Capture:
        """The entry with the selected ones of the keys that users bring."""
        fields, context, details = entry[7], entry[8], entry[DETAILS]
        if self._touched is not None and self._touched.isdisjoint(ENTRY_KEYS.optional):
            return entry
        if fields or context:
            fields = self._part("extra", extra_json(fields, context))[1:-1]
        if details is not None:
            data = details[TRADE_DATA]
            details = (
                self._error("exception", details[EXCEPTION]),
                self._error("stack_info", details[STACK_INFO]),
                self._part(data_key(entry[LOG_TYPE]), data) if data else b"",
            )
        return (*entry[:7], fields, b"", *entry[9:DETAILS], details, *entry[SIZE:])

    def _error(self, key: str, encoded: bytes) -> bytes:
        """One of the keys that only some formats have; where it is divided, the document is."""
        untouched = self._touched is not None and key not in self._touched
        kept = untouched or not self._brings_errors or (encoded and self.of({key: orjson.loads(encoded)}))
        return encoded if kept else b""

    def _part(self, key: str, encoded: bytes) -> bytes:
        if self._touched is not None and key not in self._touched:
            return encoded
        part = self.of({key: orjson.loads(encoded)}).get(key)
        return b"" if part is None else orjson.dumps(part)


def _selected(table: dict[str, Any], include: frozenset[str] | None, exclude: frozenset[str]) -> dict[str, Any]:
    selected: dict[str, Any] = {}
    for key, value in table.items():
        if _names(exclude, key):
            continue
        wholly = include is None or _names(include, key)
        inner_include = None if wholly else _below(key, include or frozenset())
        inner_exclude = _below(key, exclude)
        if isinstance(value, dict) and (inner_include or inner_exclude):
            inner = _selected(cast("dict[str, Any]", value), inner_include, inner_exclude)
            if inner:
                selected[key] = inner
        elif wholly:
            selected[key] = value
    return selected


def _names(paths: frozenset[str], key: str) -> bool:
    """Whether one of the paths names the key, or what the key's own dots put it below."""
    return key in paths or ("." in key and any(key.startswith(f"{path}.") for path in paths))


def _below(key: str, paths: frozenset[str]) -> frozenset[str]:
    """The rest of those paths that go on below `key`."""
    prefix = f"{key}."
    return frozenset([path[len(prefix) :] for path in paths if path.startswith(prefix)])
