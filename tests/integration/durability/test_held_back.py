"""What levels hold back is in the flight recorder where that is asked for, and nowhere else."""

from pathlib import Path

from support.programs import run_program

from metaexpert.logger.journal.recorder import recorded

KILLED = """
import os
from metaexpert.logger import JournalOptions

evaluated = []

async def main():
    asked = JournalOptions(recorder_level="DEBUG")
    async with setup_logging(config(log_level="WARNING", journal=asked)):
        log.debug("below %d", 1, plain=2)
        log.debug("lazy", value=lambda: evaluated.append(1))
        log.info("also below")
        log.warning("let through")
        assert evaluated == []
        os._exit(3)

asyncio.run(main())
"""

NOT_ASKED = KILLED.replace("async with", "asked = JournalOptions()\n    async with")


def in_recorder(folder: Path) -> list[tuple[str, str]]:
    (path,) = (folder / "logs" / "journal").glob("*.recorder")
    return [(capture[4], capture[7].decode()) for capture in recorded(path)[1]]


def test_it_is_recorded_and_not_delivered(tmp_path: Path):
    ended = run_program(KILLED, tmp_path)
    assert ended.returncode == 3, ended.stderr
    assert in_recorder(tmp_path) == [
        ("below 1", '"plain":2'),
        ("lazy", '"fields_left_out":true'),
        ("also below", ""),
        ("let through", ""),
    ]
    assert {"below 1", "lazy", "also below"}.isdisjoint(ended.messages())


def test_it_is_not_recorded_where_nobody_asked(tmp_path: Path):
    ended = run_program(NOT_ASKED, tmp_path)
    assert ended.returncode == 3, ended.stderr
    assert in_recorder(tmp_path) == [("let through", "")]
