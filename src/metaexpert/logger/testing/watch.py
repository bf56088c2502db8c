"""What code does to the machine: input and output while it runs, and what it leaves behind."""

import asyncio
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

_IO_EVENTS: Final = ("open", "socket.", "os.", "shutil.", "subprocess.", "tempfile.", "sqlite3.", "_thread.start")
"""The beginnings of audit events that tell of files, sockets, processes and threads
(https://docs.python.org/3/library/audit_events.html)."""

_HARMLESS: Final = frozenset({"socket.gethostname", "os.putenv", "os.unsetenv"})

_seen: Final[dict[int, list[str]]] = {}
"""What is seen in a thread that is being watched."""


@contextmanager
def watched_io() -> Generator[list[str]]:
    """The input and output of this thread in the block, one line each; imports count, so import before."""
    _install()
    seen = _seen[threading.get_ident()] = []
    try:
        yield seen
    finally:
        del _seen[threading.get_ident()]


@cache
def _install() -> None:
    """Hear audit events, from the first use on: the interpreter has no way to stop hearing them."""

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        seen = _seen.get(threading.get_ident()) if _seen else None
        if seen is not None and event.startswith(_IO_EVENTS) and event not in _HARMLESS:
            seen.append(f"{event} {arguments!r}"[:200])

    sys.addaudithook(hear)


@dataclass(frozen=True, slots=True)
class Holdings:
    """Threads, tasks of the running loop and file descriptors, sockets among them, by name, as they are at one moment.

    The threads of the loop's own executor, which end with the loop, are left out.
    """

    threads: frozenset[str]
    tasks: frozenset[str]
    descriptors: frozenset[str]

    @classmethod
    def now(cls) -> Self:
        """What there is."""
        threads = [thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]
        return cls(
            frozenset(f"thread {thread.name} ({thread.ident})" for thread in threads),
            frozenset(f"task {task.get_name()}" for task in asyncio.all_tasks()),
            _descriptors(),
        )

    def beyond(self, before: "Holdings") -> list[str]:
        """What there is now and was not before, of each kind of which there is more."""
        kinds = (self.threads, before.threads), (self.tasks, before.tasks), (self.descriptors, before.descriptors)
        return [name for now, then in kinds if len(now) > len(then) for name in now - then]


def _descriptors() -> frozenset[str]:
    """The process's descriptors and what they are; none where the system does not tell."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return frozenset()
    found: set[str] = set()
    for each in folder.iterdir():
        try:
            found.add(f"descriptor {each.name} ({os.readlink(each)})")  # noqa: PTH115 - a name as it is, not a path to resolve
        except OSError:
            continue  # the one this very look had opened
    return frozenset(found)
