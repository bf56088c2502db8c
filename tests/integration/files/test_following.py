"""A log followed while processes write it: rotations, compression, several at once; nothing lost, nothing doubled."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.programs import PATIENCE_SECONDS, Running, running_program

from metaexpert.logger.files.reader import Query, Reader, follow, last, sources_in

ENTRIES = 3000
PROGRAM = f"""
async def main():
    name = sys.argv[1]
    options = config(max_bytes=20_000, backup_count=1000, compression=sys.argv[2])
    async with setup_logging(options):
        say("begun")
        for number in range({ENTRIES}):
            log.info("entry", number=number, writer=name)
            if number % 50 == 49:
                await asyncio.sleep(0.002)

run(main())
"""


class UntilAllEnded:
    """Waits between looks until the programs have ended, and then for some more looks."""

    def __init__(self, programs: list[Running]) -> None:
        self._programs = programs
        self._deadline = time.monotonic() + PATIENCE_SECONDS
        self._looks = 0

    def __call__(self, seconds: float) -> bool:
        assert time.monotonic() < self._deadline, "the programs have not ended"
        time.sleep(seconds)
        self._looks += all(program.process.poll() is not None for program in self._programs)
        return self._looks > 3


@pytest.fixture
def programs() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(("writers", "compression"), [(1, "gzip"), (2, "none")])
def test_each_entry_is_followed_once(tmp_path: Path, programs: ExitStack, writers: int, compression: str):
    names, running = [f"w{number}" for number in range(writers)], list[Running]()
    (tmp_path / "logs").mkdir()
    entries = follow([tmp_path / "logs"], Query.parsed(where=["writer exists"]), wait=UntilAllEnded(running))
    for name in names:
        running.append(programs.enter_context(running_program(PROGRAM, tmp_path, name, compression)))
        running[-1].wait_for("begun")
    found: dict[str, list[int]] = {name: [] for name in names}
    for entry in entries:
        found[entry.value("writer")].append(entry.value("number"))
    assert [program.ended().well().returncode for program in running] == [0] * writers
    assert {name: sorted(numbers) for name, numbers in found.items()} == {name: list(range(ENTRIES)) for name in names}
    sources = sources_in([tmp_path / "logs"])
    assert len(sources) >= 2 * writers, "no rotation, no proof"
    read = [entry.value("number") for entry in Reader(sources, Query.parsed(where=["writer=w0"]))]
    assert read == list(range(ENTRIES))
    assert [entry.value("number") for entry in last(sources, Query.parsed(where=["writer=w0"]), 5)] == read[-5:]
