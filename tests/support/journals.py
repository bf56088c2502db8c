"""Journals for tests: headers, segments and rooms in a folder, captures of every kind, a worker without a thread."""

import json  # orjson refuses integers of more than 64 bits, which the encoder writes
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from metaexpert.logger.entry import Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.journal.journal import Journal
from metaexpert.logger.journal.keeper import JournalKeeper
from metaexpert.logger.journal.room import Room
from metaexpert.logger.journal.segments import JournalSegment
from metaexpert.logger.options.journal import JournalOptions
from metaexpert.logger.segment import MIXED_LANES, Kind, SegmentHeader
from metaexpert.logger.site import placed

LEAST_BYTES = 256 * 1024
"""The smallest segment a configuration allows."""


def header(number: int = 1, kind: Kind = Kind.JOURNAL, **meta: Any) -> SegmentHeader:
    """What a segment says of itself."""
    return SegmentHeader(kind=kind, lane=MIXED_LANES, created_ns=5, number=number, meta={"sinks": ["a", "b"], **meta})


def nothing() -> None:
    """Nobody wants to know."""


def room_in(
    folder: Path, *, size_bytes: int = 4096, most: int = 1000, mapped: bool = True, turned: Callable[[], None] = nothing
) -> Room:
    """A room with its first two segments."""

    def make(number: int) -> JournalSegment:
        return JournalSegment(folder / f"r-1.{number:08d}.journal", header(number), size_bytes, mapped=mapped)

    room = Room(make, size_bytes, size_bytes * most, turned)
    room.prepare()
    room.prepare()
    return room


def journal_in(folder: Path, *sinks: str, pid: int | None = None, is_open: bool = True, **options: Any) -> Journal:
    """A journal of small segments that writes in `folder`."""
    identity = Identity(service="tests", pid=os.getpid() if pid is None else pid)
    values: dict[str, Any] = {"segment_bytes": LEAST_BYTES, "max_bytes": 64 * LEAST_BYTES, "recorder_bytes": 0}
    journal = Journal(folder, identity, JournalOptions(**values | options))
    if is_open:
        journal.open(sinks or ("a", "b"))
    return journal


class Inline:
    """A worker that does its jobs at once."""

    async def run[T](self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return function(*args, **kwargs)

    def close(self) -> None:
        """It has nothing."""


class Heard:
    """Notices that are kept."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def say(self, subject: str, text: str) -> None:
        """Keep it."""
        self.said.append((subject, text))


class NothingLeft:
    """Former runs that have left nothing."""

    has_settled = False

    def discard_settled(self) -> None:
        """There is nothing."""

    def close(self, *, keep_settled: bool = False) -> None:
        """There is nothing."""


async def _safe() -> None:
    """Sinks that have nothing to bring to the disk."""


def keeper_of(journal: Journal, unheard: Callable[[], None] = nothing) -> JournalKeeper:
    """The keeper of a journal, without a thread."""
    worker: Any = Inline()
    heard: Any = Heard()
    return JournalKeeper(
        journal, worker, heard, interval_seconds=60.0, sync_sinks=_safe, recovery=NothingLeft(), unheard=unheard
    )


_ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=300)
_MEMBERS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=20) | st.none(), max_size=4)


def _json_members(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode()[1:-1]


def every_capture() -> st.SearchStrategy[Capture]:
    """Captures as calls make them, and stranger ones."""
    codes = st.builds(
        placed,
        st.sampled_from(["/x/strategy.py", "C:\\x\\y.py", "", "мы.py", "\ud800.py"]),
        st.text(st.characters(exclude_characters="\0"), max_size=20),
        st.integers(0, 2**31 - 1),
    )
    blob = st.just(b"") | _MEMBERS.map(lambda values: b"{%b}" % _json_members(values))
    exceptions = st.sampled_from([b"", b'{"type":"E","message":"m","traceback":"t\\n u"}'])
    details = st.tuples(exceptions, st.sampled_from([b"", b'"File\\n  x"']), blob)
    return st.tuples(
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**62),
        st.integers(-100, 2**31 - 1),
        _ANY_TEXT,
        _ANY_TEXT,
        codes | st.just(every_capture.__code__),
        st.integers(-1, 200),
        _MEMBERS.map(_json_members),
        _MEMBERS.map(lambda values: _json_members({f"c{key}": value for key, value in values.items()})),
        st.integers(0, 2**64 - 1),
        st.none() | _ANY_TEXT,
        st.sampled_from(["general", "trade", "audit", "gap", "recovery", "error"]) | st.text(max_size=10),
        st.none() | details,
        st.integers(0, sys.maxsize),
        st.integers(0, 2**63 - 1),
    )
