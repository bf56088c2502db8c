"""A console in every kind of trouble: neither calls, nor neighbours, nor the end of the process wait for it."""

import array
import fcntl
import io
import os
import re
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.faults import ROOM, Trial, resident_bytes, trial

from metaexpert.logger import ConsoleOptions, QueueOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's pipes")

STDOUT = ConsoleOptions(stream="stdout", use_colors=False, batch_max_age=0.01)

_PIPE_BYTES = 4096


class Pipe:
    """A pipe of 4 KiB, with a text stream as Python makes it for stdout, and a reader that may stall or go away."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.stream = os.fdopen(writer, "w", encoding="utf-8")
        self.content = b""
        self._thread: threading.Thread | None = None

    def read_some(self) -> None:
        """Read what is there."""
        self.content += os.read(self.reader, _PIPE_BYTES)

    def read_on(self) -> None:
        """From now on read all that comes."""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while data := os.read(self.reader, 65_536):
            self.content += data

    def stop_reading(self) -> None:
        """The reader goes away."""
        os.close(self.reader)
        self.reader = -1

    def close(self) -> None:
        """Close both ends; what was written is in `content` then."""
        self.stream.close()
        if self._thread is not None:
            self._thread.join(20)
        if self.reader >= 0:
            os.close(self.reader)


@contextmanager
def pipe_as_stdout(monkeypatch: pytest.MonkeyPatch) -> Generator[Pipe]:
    """Standard output is a pipe."""
    pipe = Pipe()
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    try:
        yield pipe
    finally:
        monkeypatch.undo()
        pipe.close()


def held_in(run: Trial, *contents: bytes) -> list[str]:
    """The ids of the entries whose lines these streams hold; the last line of one may be torn, no other."""
    known = {_key(entry): entry["id"] for entry in _entries(run)}
    lines = [line for content in contents for line in content.decode().split("\n")[:-1]]
    found = [(line, re.search(r"(?:[ ]n (\d+)| (order_placed) ).*?order_id=(\d+)", line)) for line in lines]
    gaps = [line for line, match in found if match is None]
    assert all(" dropped " in line for line in gaps), gaps
    return [known[match[1] or match[2], int(match[3])] for _, match in found if match is not None]


def _entries(run: Trial) -> Iterable[dict[str, Any]]:
    sink: Any = run.runtime.sinks["healthy"]
    return sink.entries


def _key(entry: dict[str, Any]) -> tuple[str, int]:
    first, *rest = entry["message"].split()
    fields = entry.get("extra") or entry["trade_data"]
    return (rest[0] if first == "n" else first), int(fields["order_id"])


# ---- closed --------------------------------------------------------------------------------------------------------


async def test_a_process_without_stderr(monkeypatch: pytest.MonkeyPatch):
    """As under pythonw and some services: there is nobody to read, and that is no trouble."""
    monkeypatch.setattr(sys, "stderr", None)
    async with trial(ConsoleOptions(stream="stderr")) as run:
        run.log()
        assert await run.runtime.flush()
        assert (run.stats.state, run.stats.retries, run.stats.last_error) == ("active", 0, None)


async def test_a_stderr_that_was_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    closed = (tmp_path / "closed").open("w")
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    async with trial(ConsoleOptions(stream="stderr", use_colors=False)) as run:
        run.log()
        await run.shows("failed", "stderr: ")
        await run.healthy_keeps_up()
        with (tmp_path / "opened").open("w") as opened:
            monkeypatch.setattr(sys, "stderr", opened)
            await run.recovers()
    run.assert_all_arrived(held_in(run, (tmp_path / "opened").read_bytes()))


async def test_a_stderr_whose_descriptor_was_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The object still looks open, as after `2>&-` or a daemon's cleaning up."""
    with (tmp_path / "opened").open("w") as stream:
        kept = os.dup(stream.fileno())
        os.close(stream.fileno())
        monkeypatch.setattr(sys, "stderr", stream)
        async with trial(ConsoleOptions(stream="stderr", use_colors=False)) as run:
            run.log()
            await run.shows("failed", "Bad file descriptor")
            await run.healthy_keeps_up()
            os.dup2(kept, stream.fileno())
            await run.recovers()
        os.close(kept)
        monkeypatch.undo()
    run.assert_all_arrived(held_in(run, (tmp_path / "opened").read_bytes()))


# ---- pipes ---------------------------------------------------------------------------------------------------------


async def test_a_pipe_whose_reader_stalls(monkeypatch: pytest.MonkeyPatch):
    """The write hangs in its thread; nothing failed, so the state stays, and the queue tells."""
    with pipe_as_stdout(monkeypatch) as pipe:
        async with trial(STDOUT) as run:
            run.log(400)
            await run.healthy_keeps_up()
            assert not await run.runtime.flush(timeout=0.05)
            assert (run.stats.state, run.stats.retries) == ("active", 0)
            assert run.stats.queued_entries > 0
            run.assert_within_bounds()
            pipe.read_on()
            await run.recovers()
            assert await run.runtime.flush()
    run.assert_all_arrived(held_in(run, pipe.content))


async def test_a_pipe_whose_reader_stalls_for_longer_than_the_queue_lasts(monkeypatch: pytest.MonkeyPatch):
    room = QueueOptions(max_entries=200)
    before = resident_bytes()
    with pipe_as_stdout(monkeypatch) as pipe:
        async with trial(STDOUT, room) as run:
            for _ in range(20):
                run.log(200)
                await run.healthy_keeps_up()
                run.assert_within_bounds()
            assert run.stats.ledger.dropped_total > 2000
            assert resident_bytes() - before < 64 * 1024 * 1024
            pipe.read_on()
            await run.recovers()
            await eventually(lambda: run.stats.ledger.gaps and not run.stats.queued_entries)
    held = held_in(run, pipe.content)
    ledger = run.stats.ledger
    assert len(held) + ledger.gaps == ledger.delivered
    assert len(set(held)) == len(held)
    assert ledger.routed == run.logged + ledger.gaps
    assert pipe.content.count(b" dropped ") == ledger.gaps


async def test_a_pipe_that_somebody_made_non_blocking(monkeypatch: pytest.MonkeyPatch):
    """As the event loop of another process that shares the terminal does: writes are refused rather than wait."""
    with pipe_as_stdout(monkeypatch) as pipe:
        os.set_blocking(pipe.stream.fileno(), False)
        async with trial(STDOUT) as run:
            run.log(400)
            await run.healthy_keeps_up()
            assert run.stats.retries == 0
            pipe.read_on()
            await run.recovers()
    run.assert_all_arrived(held_in(run, pipe.content))


async def test_a_pipe_whose_reader_is_gone(monkeypatch: pytest.MonkeyPatch):
    with pipe_as_stdout(monkeypatch) as pipe:
        pipe.stop_reading()
        async with trial(STDOUT) as run:
            run.log()
            await run.shows("failed", "stdout: [Errno 32] Broken pipe")
            await run.healthy_keeps_up()
            with pipe_as_stdout(pytest.MonkeyPatch()) as another:
                another.read_on()
                await run.recovers()
    run.assert_all_arrived(held_in(run, another.content))


async def test_a_reader_who_leaves_in_the_middle_of_a_line(monkeypatch: pytest.MonkeyPatch):
    """Whoever reads the stream that takes its place gets that line whole, and none that went out before."""
    with pipe_as_stdout(monkeypatch) as pipe:
        async with trial(STDOUT) as run:
            run.log(400)
            await run.healthy_keeps_up()
            while b"\n" not in pipe.content or pipe.content.endswith(b"\n"):
                await eventually(lambda: _waiting_bytes(pipe.reader))
                pipe.read_some()
            pipe.stop_reading()
            await run.shows("failed", "Broken pipe")
            with pipe_as_stdout(pytest.MonkeyPatch()) as another:
                another.read_on()
                await run.recovers()
    held = held_in(run, pipe.content, another.content)
    assert len(held) == len(set(held))
    # between the last reading and the leaving the pipe took a little more, which nobody read
    missing = run.logged - len(held)
    assert missing * 50 <= _PIPE_BYTES, missing
    assert run.stats.ledger.delivered == run.logged


def _waiting_bytes(reader: int) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(reader, termios.FIONREAD, count)
    return count[0]


# ---- the end of the process ----------------------------------------------------------------------------------------

PROGRAM = """
import asyncio, sys
from metaexpert.logger import ConsoleOptions, LoggerConfig, get_logger, setup_logging

log = get_logger("child")
stream, count = sys.argv[1], int(sys.argv[2])
config = LoggerConfig(log_level="DEBUG", log_to_file=False, log_to_console=False, shutdown_timeout=0.3,
                      sinks=[ConsoleOptions(stream=stream, use_colors=False)])

async def main():
    async with setup_logging(config):
        for number in range(count):
            log.info("n %d %s", number, "x" * 1000)

asyncio.run(main())
"""


UNSAID = """
import sys
from metaexpert.logger import get_logger

log = get_logger("child")
for number in range(int(sys.argv[2])):
    log.warning("n %d %s", number, "x" * 1000)
"""
"""Logging never begins, so that all of it is printed at exit."""


def ends(stream: str, count: int, program: str = PROGRAM, *, reader_leaves: bool) -> tuple[int, float]:
    """Return code and seconds of a process whose `stream` is a full pipe nobody reads, or one whose reader is gone."""
    reader, writer = os.pipe()
    if reader_leaves:
        os.close(reader)
    else:
        _fill(writer)
    # buffered, as Python is by default: there a hanging write would keep the buffer's lock
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: writer}
    started = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", program, stream, str(count)], env=surroundings, **streams) as process:
        os.close(writer)
        try:
            code = process.wait(timeout=15.0)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail("the process did not end within 15 s")
        finally:
            if not reader_leaves:
                os.close(reader)
    return code, time.monotonic() - started


def _fill(writer: int) -> None:
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("count", [3, 1000])
def test_a_stalled_reader_keeps_no_process_from_ending(stream: str, count: int):
    code, seconds = ends(stream, count, reader_leaves=False)
    assert code == 0
    assert seconds < 10.0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("count", [3, 1000])
def test_a_reader_that_is_gone_makes_no_process_fail(stream: str, count: int):
    """What a failed write leaves in Python's buffer is tried again at exit, which then ends with 120."""
    code, _ = ends(stream, count, reader_leaves=True)
    assert code == 0


@pytest.mark.parametrize("reader_leaves", [True, False])
@pytest.mark.parametrize("count", [3, 1000])
def test_what_is_printed_at_exit_waits_for_no_reader(count: int, reader_leaves: bool):
    code, seconds = ends("stderr", count, UNSAID, reader_leaves=reader_leaves)
    assert code == 0
    assert seconds < 10.0


async def test_an_object_in_place_of_a_stream(monkeypatch: pytest.MonkeyPatch):
    """A notebook's or a test's: it is written to as an object, whatever it does, and asked again."""

    class Moody(io.StringIO):
        broken = True

        def write(self, text: str) -> int:
            if self.broken:
                raise OSError("not now")
            return super().write(text)

    stream = Moody()
    monkeypatch.setattr(sys, "stdout", stream)
    async with trial(STDOUT, ROOM) as run:
        run.log()
        await run.shows("failed", "not now")
        await run.healthy_keeps_up()
        stream.broken = False
        await run.recovers()
    run.assert_all_arrived(held_in(run, stream.getvalue().encode()))
