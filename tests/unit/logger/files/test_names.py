"""Names of runs: processes that could be taken for one another, as those of two containers on one volume, never are."""

import asyncio
from dataclasses import replace
from pathlib import Path

from support.written_logs import in_order

from metaexpert.logger.files.names import LogFile, Run
from metaexpert.logger.files.rotation import Rotation
from metaexpert.logger.files.writer import AppendFile
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs, Worker


def test_processes_of_one_id_begun_in_one_millisecond_are_told_apart_by_their_tags():
    one = Identity(service="test", pid=1)
    others = [Identity(service="test", pid=1, boot_id=f"{one.boot_id[:11]}{number:06x}") for number in range(50)]
    runs = {Run.of(each) for each in others}
    assert len(runs) == 50
    assert len({run.start for run in runs}) == 1
    assert len({LogFile.first(Path("logs/expert.log"), each).path for each in others}) == 50


def test_tags_are_drawn_anew_for_each_process():
    """By fork as well as by chance: what is drawn comes from the system, not from a state that containers share."""
    tags = {Identity(service="test").boot_id[-6:] for _ in range(200)}
    assert len(tags) >= 199


def test_even_one_name_for_two_runs_costs_neither_an_entry(tmp_path: Path):
    """One in sixteen million: each takes the next number that is free, and none writes to the other's files."""
    identity = Identity(service="test", pid=1)
    log = tmp_path / "expert.log"

    async def write(name: bytes) -> None:
        worker = Worker(Jobs(), "files")
        file = AppendFile(log, Rotation(max_bytes=200), worker, replace(identity))
        try:
            for number in range(100):
                await file.append([b"%b %d" % (name, number)], number)
            await file.close()
        finally:
            worker.close()

    async def both() -> None:
        await asyncio.gather(write(b"one"), write(b"two"))

    asyncio.run(both())
    contents = [path.read_bytes().splitlines() for path in in_order(log)]
    assert all(len({line.split()[0] for line in lines}) == 1 for lines in contents)
    lines = sorted(line for each in contents for line in each)
    assert lines == sorted(b"%b %d" % (name, number) for name in (b"one", b"two") for number in range(100))
