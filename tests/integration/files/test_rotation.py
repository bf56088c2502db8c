"""Rotation as fast as it goes, by processes that share a folder and are killed amid it: every entry is there, whole."""

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest
from support.written_logs import in_order

from metaexpert.logger.files.names import LogFile

ENTRIES = 500
PATIENCE_SECONDS = 60.0

WRITER = """
import asyncio, sys
from metaexpert.logger import FileOptions, LoggerConfig, get_logger, setup_logging

log = get_logger("writer")

async def main(folder, entries):
    sink = FileOptions(path="expert.log", max_bytes=1024, backup_count=10_000, batch_max_entries=3)
    config = LoggerConfig(log_dir=folder, log_to_console=False, log_to_file=False, sinks=[sink])
    async with setup_logging(config) as runtime:
        print("begun", flush=True)
        sys.stdin.readline()
        number = 0
        while entries is None or number < entries:
            log.error("n %d", number)
            number += 1
            if number % 10 == 0:
                print(number, flush=True)
                await asyncio.sleep(0)
        assert await runtime.flush(30)
        print("delivered", runtime.stats().sinks["file"].ledger.delivered, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else None))
"""


def writer(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process that logs to `folder` when it is told to go."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def begun(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "begun\n", (line, process.communicate(timeout=PATIENCE_SECONDS))
    return process


def whole_lines(path: Path, *, may_be_torn: bool = False) -> list[bytes]:
    content = path.read_bytes()
    lines = content.split(b"\n")
    assert may_be_torn or lines[-1] == b"", path
    return lines[:-1]


def test_two_processes_at_a_hundred_rotations_a_second_and_more(tmp_path: Path):
    log = tmp_path / "expert.log"
    processes = [begun(each) for each in [writer(tmp_path, str(ENTRIES)) for _ in range(2)]]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, err, out.splitlines()[-1]) == (0, "", f"delivered {ENTRIES}")
    files = in_order(log)
    by_run = Counter(str(file.run) for path in files if (file := LogFile.parsed(path)))
    assert len(by_run) == 2
    assert min(by_run.values()) > 100  # in a second or two: several batches to a file, hundreds of files
    entries = [orjson.loads(line) for path in files for line in whole_lines(path)]
    assert Counter((entry["process"], entry["message"]) for entry in entries) == Counter(
        {(process.pid, f"n {number}"): 1 for process in processes for number in range(ENTRIES)}
    )
    assert len({entry["id"] for entry in entries}) == 2 * ENTRIES
    assert log.resolve() in files


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_processes_that_are_killed_amid_rotations_leave_every_entry_whole(tmp_path: Path):
    """Each kill leaves one torn line at most, at the end; the next start brings what was not in a file."""
    log = tmp_path / "expert.log"
    returned: dict[int, int] = {}
    for limit in (50, 200, 500):
        with begun(writer(tmp_path)) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            told = 0
            while told < limit:
                told = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE_SECONDS)
            # what it told before it died counts as well
            returned[process.pid] = max([told, *map(int, process.stdout.read().split())])
    with begun(writer(tmp_path, "1")) as last:
        out, err = last.communicate("go\n", timeout=PATIENCE_SECONDS)
        assert last.returncode == 0, out + err
    files = in_order(log)
    last_of_run = {str(file.run): path for path in files if (file := LogFile.parsed(path))}
    found: dict[str, set[tuple[int, str]]] = {}
    for path in files:
        for line in whole_lines(path, may_be_torn=path in last_of_run.values()):
            entry = orjson.loads(line)
            found.setdefault(entry["id"], set()).add((entry["process"], entry["message"]))
    assert all(len(said) == 1 for said in found.values())
    messages = {each for said in found.values() for each in said}
    missing = [
        (pid, number)
        for pid, count in returned.items()
        for number in range(count)
        if (pid, f"n {number}") not in messages
    ]
    assert missing == []
