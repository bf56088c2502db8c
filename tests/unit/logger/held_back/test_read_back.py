"""What was held stands behind newer entries in a file, and comes out where it belongs when the file is read."""

import asyncio
from pathlib import Path

from support.leaks import all_bytes
from support.running_logger import logging_to

from metaexpert.logger import FileOptions, HeldBackOptions, get_logger
from metaexpert.logger.files.reader import Reader
from metaexpert.logger.files.reading.sources import sources_in

log = get_logger("read.back")


async def test_a_reader_puts_what_was_held_in_its_place(tmp_path: Path):
    path = tmp_path / "expert.log"
    runtime = logging_to(
        FileOptions(path=path, json_logging=True),
        log_dir=tmp_path,
        log_level="INFO",
        journal={"enabled": False},
        buffer_until_error=HeldBackOptions(),
    )

    async def fails() -> None:
        for number in range(20):
            log.debug("held", number=number)
            log.info("written", number=number)
            await asyncio.sleep(0)
        await runtime.flush(5.0)  # what is written now stands behind all of it
        log.error("failed")

    async with runtime:
        await asyncio.create_task(fails())
        await runtime.flush(5.0)
    reader = Reader(sources_in([path]))
    found = [(entry.message, entry.time_ns) for entry in reader]
    assert [message for message, _ in found] == ["held", "written"] * 20 + ["failed"]
    assert [time for _, time in found] == sorted(time for _, time in found)
    lines = all_bytes(tmp_path).strip().splitlines()
    assert b'"written"' in lines[0]  # not so in the file itself
    assert b'"held"' in lines[20]
