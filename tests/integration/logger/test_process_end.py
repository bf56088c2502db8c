"""A whole process: what it logged is in its file when it ends, and nothing of the logger keeps it from ending."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

BEGINNING = """
import asyncio, sys
from metaexpert.logger import ConsoleOptions, LoggerConfig, get_logger, setup_logging

log = get_logger("child")
config = LoggerConfig(log_level="DEBUG", log_dir=sys.argv[1], json_logging=True, log_to_console=False,
                      shutdown_timeout=0.5, {options})

async def main():
    async with setup_logging(config):
        {body}

asyncio.run(main())
"""


def program(body: str, options: str = "") -> str:
    return BEGINNING.format(body=body, options=options)


def logged(folder: Path) -> list[str]:
    return [json.loads(line)["message"] for line in (folder / "expert.log").read_text().splitlines()]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_everything_is_in_the_file_when_the_block_ends(tmp_path: Path):
    done = run(program("[log.info('n %d', number) for number in range(1000)]"), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert logged(tmp_path) == [f"n {number}" for number in range(1000)]


def test_everything_is_in_the_file_when_the_program_fails(tmp_path: Path):
    done = run(program("log.info('before'); raise SystemExit(3)"), tmp_path)
    assert done.returncode == 3
    assert logged(tmp_path) == ["before"]


SERVICE = """
import asyncio, sys, time
from metaexpert.logger import LoggerConfig, get_logger, setup_logging

log = get_logger("child")
config = LoggerConfig(log_dir=sys.argv[1], json_logging=True, log_to_console=False, shutdown_timeout=20.0)

async def service(begun):
    async with setup_logging(config) as runtime:
        begun.set_result(runtime)
        await asyncio.Event().wait()

async def main():
    begun = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(service(begun))
    runtime = await begun
    for number in range(2000):
        log.info("n %d", number)
    log.trade.order_cancelled(order_id=1)
    return runtime, serving, time.monotonic()

runtime, serving, ended = asyncio.run(main())
assert serving.cancelled()
print(time.monotonic() - ended < 10.0, runtime.stats().ingress.dropped, runtime.stats().sinks["file"].ledger.delivered)
"""


def test_everything_is_in_the_file_when_the_loop_ends_under_the_block(tmp_path: Path):
    """The block is in another task than the first, whose end has `asyncio.run` cancel all tasks at once, ours too."""
    done = run(SERVICE, tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "True {} 2001\n")
    found = logged(tmp_path)
    # a trade has a lane of its own, and order is kept within a lane
    assert [message for message in found if message != "order_cancelled"] == [f"n {number}" for number in range(2000)]
    assert len(found) == 2001
    assert [json.loads(line)["message"] for line in (tmp_path / "trades.log").read_text().splitlines()] == [
        "order_cancelled"
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pipe with a bounded buffer")
def test_a_reader_who_stalls_keeps_no_process_from_ending(tmp_path: Path):
    """Standard output is a pipe nobody reads: full after some 64 KiB, and every write to it waits for ever."""
    code = program(
        "[log.info('n %d %s', number, 'x' * 1000) for number in range(1000)]",
        options="sinks=[ConsoleOptions(stream='stdout', use_colors=False)]",
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        started = time.monotonic()
        try:
            process.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail("the process did not end within 10 s of its start")
        assert time.monotonic() - started < 10.0
    assert [message.split()[1] for message in logged(tmp_path)] == [str(number) for number in range(1000)]
