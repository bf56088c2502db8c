"""Which entries arrived: read back, each checked and found by its number, each counted once.

Nothing else in the benchmark says that an entry arrived; a library's own word is never taken for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson

from bench.workload import CALLER, EXCHANGE, LATENCY_MS, LOGGER_NAME, MESSAGE, STRATEGY_ID, SYMBOL, number_of

REQUIRED_KEYS = frozenset(
    {"timestamp", "level", "logger", "message", "module", "function", "line", "thread", "process", "extra"}
)
OWN_LOGGER = "metaexpert.clock"
"""Who says at each start how good the clock is, by default; no entry of the benchmark's."""

OWN_DATASET = "metaexpert.clock"
"""The same in ECS documents."""

_CONSTANT_FIELDS = {
    "exchange": EXCHANGE,
    "symbol": SYMBOL,
    "latency_ms": LATENCY_MS,
    "strategy_id": STRATEGY_ID,
}


class Counted(Protocol):
    """What counting came to, here or in another process."""

    @property
    def offered(self) -> int:
        """Entries that should have arrived."""
        ...

    @property
    def arrived(self) -> int:
        """Entries that did, each counted once."""
        ...

    @property
    def duplicates(self) -> int:
        """Arrivals beyond the first of an entry."""
        ...

    @property
    def fault(self) -> str:
        """What was found that is not one of the entries, if anything."""
        ...

    @property
    def caller_right(self) -> bool:
        """Whether every entry names the function that logged it."""
        ...


@dataclass(slots=True)
class Arrivals:
    """The entries that arrived, by number, of those that were offered."""

    offered: int
    _seen: bytearray = field(init=False)
    arrived: int = 0
    duplicates: int = 0
    malformed: int = 0
    first_malformed: str = ""
    caller_right: bool = True

    def __post_init__(self) -> None:
        """Prepare one mark for each entry."""
        self._seen = bytearray(self.offered)

    def take_line(self, line: bytes) -> None:
        """Count one JSON line."""
        try:
            value: dict[str, Any] = orjson.loads(line)
        except orjson.JSONDecodeError:
            self.note(f"not JSON: {line[:80]!r}")
            return
        if value.get("log_type") == "trade" and "trade_data" in value:
            self._take_trade(value)
            return
        if value.get("logger") == OWN_LOGGER:
            return
        missing = REQUIRED_KEYS - value.keys()
        if missing or value["message"] != MESSAGE or value["logger"] != LOGGER_NAME:
            self.note(f"missing {sorted(missing)} in {line[:120]!r}")
            return
        self._take_value(value, value["extra"])

    def _take_trade(self, value: Mapping[str, Any]) -> None:
        """A trade entry has its own message, and its fields in a place of their own, the price as text."""
        fields = value["trade_data"]
        self._take_value(value, {**value["extra"], **fields, "price": float(fields["price"])})

    def _take_value(self, value: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        self.caller_right = self.caller_right and value["function"] == CALLER
        self.take_fields(fields)

    def take_fields(self, fields: Mapping[str, Any]) -> None:
        """Count one entry by its fields."""
        if any(fields.get(key) != value for key, value in _CONSTANT_FIELDS.items()):
            self.note(f"fields differ: {dict(fields)!r}")
            return
        number = number_of(fields.get("price", -1.0))
        if not 0 <= number < self.offered:
            self.note(f"no such entry: {fields.get('price')!r}")
        elif self._seen[number]:
            self.duplicates += 1
        else:
            self._seen[number] = 1
            self.arrived += 1

    def note(self, text: str) -> None:
        """Count something that is not one of the entries, and keep the first as evidence."""
        self.malformed += 1
        self.first_malformed = self.first_malformed or text

    @property
    def fault(self) -> str:
        """The malformed lines, and the first of them; or that nothing arrived."""
        if self.malformed:
            return f"{self.malformed:,} malformed, first: {self.first_malformed}"
        return "" if self.arrived else "nothing arrived"


def in_folder(folder: Path, offered: int) -> Arrivals:
    """What the files of a folder hold; a line of another logger (a gap entry, say) is a fault only if it looks ours."""
    arrivals = Arrivals(offered)
    add_folder(arrivals, folder)
    return arrivals


def add_folder(arrivals: Arrivals, folder: Path) -> None:
    """Count what the files of a further folder hold."""
    for path in log_files(folder):
        with path.open("rb") as file:
            _take_lines(arrivals, file)


def log_files(folder: Path) -> list[Path]:
    """The files a peer wrote, without the name that leads to the last of them."""
    return [path for path in sorted(folder.glob("peer*")) if not path.is_symlink()]


def _take_lines(arrivals: Arrivals, lines: Iterable[bytes]) -> None:
    for line in lines:
        if b'"log_type":"gap"' not in line:
            arrivals.take_line(line)
