"""`metaexpert logs tail -f` in a process of its own, beside one that writes; and what happens when nobody listens."""

import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import orjson
import pytest
from support.log_lines import log_line, write_log
from support.programs import PATIENCE_SECONDS, POSIX

from metaexpert.logger.files.names import files_of

WRITER = """
import asyncio, sys
from pathlib import Path
from metaexpert.logger import LoggerConfig, get_logger, setup_logging

async def main(folder):
    config = LoggerConfig(
        log_dir=Path(folder), json_logging=True, log_to_console=False, max_bytes=4096, backup_count=100,
        journal={"enabled": False},
    )
    async with setup_logging(config) as runtime:
        for n in range(200):
            get_logger("writer").info("n %d", n, text="x" * 50)
            if n % 20 == 0:
                assert await runtime.flush(timeout=30.0)

asyncio.run(main(sys.argv[1]))
"""


@contextmanager
def command(*arguments: str) -> Generator[subprocess.Popen[bytes]]:
    """`metaexpert logs …` while the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-m", "metaexpert", "logs", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        too_late = threading.Timer(PATIENCE_SECONDS, process.kill)  # a test that waits for a line must not for ever
        too_late.start()
        try:
            yield process
        finally:
            too_late.cancel()
            process.kill()


def stdout_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdout)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Its status and what it said on stderr."""
    status = process.wait(PATIENCE_SECONDS)
    return status, cast("IO[bytes]", process.stderr).read().decode()


def test_entries_of_a_process_that_writes_and_rotates_come_as_they_are_written(tmp_path: Path):
    """The first line says that the command is looking; all that is written from then on has to come, each once."""
    write_log(tmp_path, log_line(1, "earlier"))
    with command("tail", "-f", "-n", "1", "--json", str(tmp_path)) as following:
        out = stdout_of(following)
        assert orjson.loads(out.readline())["message"] == "earlier"
        subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], check=True, timeout=PATIENCE_SECONDS)
        entries = [orjson.loads(out.readline()) for _ in range(200)]
    assert len(list(files_of(tmp_path / "expert.log"))) > 4
    assert [entry["message"] for entry in entries] == [f"n {n}" for n in range(200)]


@POSIX
def test_ctrl_c_ends_it_quietly(tmp_path: Path):
    write_log(tmp_path, log_line(1, "earlier"))
    with command("tail", "-f", str(tmp_path)) as following:
        assert b"earlier" in stdout_of(following).readline()
        following.send_signal(signal.SIGINT)
        assert ended(following) == (130, "")


@POSIX
def test_it_says_what_it_waits_for_and_shows_it_once_it_is_there(tmp_path: Path):
    with command("tail", "-f", "--log", "expert", str(tmp_path / "later")) as following:
        told = cast("IO[bytes]", following.stderr).readline().decode()
        assert told == f"{tmp_path / 'later'}: no such folder, log or file; waiting for it\n"
        write_log(tmp_path / "later", log_line(1, "begun"))
        assert b"begun" in stdout_of(following).readline()


@POSIX
@pytest.mark.parametrize("arguments", [["tail", "-n", "3000"], ["grep", "x"], ["export", "--format", "csv"]])
def test_a_reader_who_has_seen_enough_ends_it_quietly(tmp_path: Path, arguments: list[str]):
    write_log(tmp_path, *(log_line(n, "x" * 200) for n in range(3000)))
    with command(*arguments, str(tmp_path)) as process:
        out = stdout_of(process)
        assert out.readline()
        out.close()
        assert ended(process) == (0, "")
