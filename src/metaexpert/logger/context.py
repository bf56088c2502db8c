"""Fields that follow the code: `log_context` for a block and its tasks, `bind` for a logger.

A `FieldSet` keeps every value already redacted and encoded, so a log call only refers to shared bytes. Each key appears
once in an entry: the call's own fields win over `log_context`, which wins over `bind`.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, final

import orjson

MAX_JOINED_BYTES: Final = 32 * 1024
"""What all bound and context fields of an entry may take together."""

_TOO_LARGE: Final = orjson.dumps("…[cut: bound fields over 32 KiB]")

type Encode = Callable[[Mapping[str, object]], dict[str, bytes]]


@final
class FieldSet:
    """Immutable encoded fields: `items` by key and `joined`, the same as JSON members without braces.

    `rules` names the redaction rules they were last encoded under.
    """

    __slots__ = ("_over", "_over_result", "items", "joined", "keys", "rules")

    def __init__(self, items: Mapping[str, bytes]) -> None:
        self.rules: object = None
        self._set(items)

    def _set(self, items: Mapping[str, bytes]) -> None:
        self.items = _bounded(items)
        self.keys = frozenset(self.items)
        self.joined = b",".join([b"%b:%b" % (orjson.dumps(key), value) for key, value in self.items.items()])
        self._over: FieldSet | None = None
        self._over_result: FieldSet = self

    def under(self, rules: object, encode: Encode) -> "FieldSet":
        """This set as the present rules want it; a logger bound before logging was set up knew only the built-in ones.

        Args:
            rules: names the rules in force; the fields are encoded anew once for each.
            encode: their encoder.
        """
        if self.rules is not rules:
            self._set(encode({key: orjson.loads(value) for key, value in self.items.items()}))
            self.rules = rules
        return self

    def extended(self, items: Mapping[str, bytes]) -> "FieldSet":
        """This set with `items` added or replaced."""
        return FieldSet({**self.items, **items})

    def over(self, lower: "FieldSet") -> "FieldSet":
        """This set laid over `lower`; the last result is kept, since a loop meets the same pair again and again."""
        if lower is not self._over:
            self._over_result = lower.extended(self.items)
            self._over = lower
        return self._over_result

    def without(self, keys: Mapping[str, object]) -> bytes:
        """The joined members whose key is not among `keys`."""
        if self.items.keys().isdisjoint(keys):
            return self.joined
        return FieldSet({key: value for key, value in self.items.items() if key not in keys}).joined


def _bounded(items: Mapping[str, bytes]) -> dict[str, bytes]:
    """As many items as an entry can carry beside its own fields, the earliest first."""
    kept: dict[str, bytes] = {}
    left_bytes = MAX_JOINED_BYTES
    for key, value in items.items():
        shown = value if len(key) + len(value) <= left_bytes else _TOO_LARGE
        left_bytes -= len(key) + len(shown)
        if left_bytes < 0:
            kept["…"] = orjson.dumps(f"[cut {len(items) - len(kept)} bound fields]")
            break
        kept[key] = shown
    return kept


PIPELINE: Final = FieldSet({})
"""Marks the pipeline's own tasks: what is logged under it is counted, never queued, so that it cannot feed itself."""

current_fields: Final[ContextVar[FieldSet | None]] = ContextVar("metaexpert_log_fields", default=None)


def _within(outer: FieldSet | None, items: dict[str, bytes]) -> FieldSet:
    if outer is PIPELINE:
        return PIPELINE  # what a sink of somebody's own does must not lose the mark
    return FieldSet(items) if outer is None else outer.extended(items)


@contextmanager
def bound_context(fields: Mapping[str, object], encode: Encode) -> Generator[None]:
    """Add `fields` to every entry logged in this block, in tasks it starts and in `asyncio.to_thread` calls."""
    outer = current_fields.get()
    items = encode(fields)
    token = current_fields.set(_within(outer, items))
    try:
        yield
    finally:
        current_fields.reset(token)
