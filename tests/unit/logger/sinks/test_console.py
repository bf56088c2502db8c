"""The console sink writes text lines to whatever stream the process has, and a stream that fails is asked again."""

import io
import sys
from collections.abc import Iterator

import pytest
from support.eventually import eventually
from support.fake_sinks import capture
from support.running_logger import logging_to, sink_stats

from metaexpert.logger import ConsoleOptions, get_logger
from metaexpert.logger.batch import Batch
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.outcome import Delivered, Retry
from metaexpert.logger.sinks.console import ConsoleSink

log = get_logger("unit.console")


@pytest.fixture
def worker() -> Iterator[Worker]:
    under_test = Worker(Jobs(), "console")
    yield under_test
    under_test.close()


def batch_of(sink: ConsoleSink, *seqs: int) -> Batch:
    made = [capture(seq) for seq in seqs]
    return Batch(made, [sink.encode(one) for one in made])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_lines_go_to_the_configured_stream(capfd: pytest.CaptureFixture[str]):
    async with logging_to(ConsoleOptions(stream="stdout", use_colors=False)) as runtime:
        log.info("hello", symbol="BTCUSDT")
        log.warning("careful")
        assert await runtime.flush()
    out = capfd.readouterr().out.splitlines()
    assert len(out) == 2
    assert "hello" in out[0]
    assert "BTCUSDT" in out[0]
    assert "careful" in out[1]


@pytest.mark.parametrize(
    ("stream", "no_color", "wanted", "coloured"),
    [
        (Terminal(), "", None, True),
        (Terminal(), "1", None, False),
        (io.StringIO(), "", None, False),
        (io.StringIO(), "", True, True),
        (Terminal(), "", False, False),
    ],
)
async def test_colours_are_for_terminals_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    worker: Worker,
    *,
    stream: io.StringIO,
    no_color: str,
    wanted: bool | None,
    coloured: bool,
):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys, "stderr", stream)
    sink = ConsoleSink("stderr", worker, use_colors=wanted)
    assert (b"\x1b[" in sink.encode(capture(1))) is coloured


async def test_the_stream_is_looked_up_anew_for_each_batch(monkeypatch: pytest.MonkeyPatch, worker: Worker):
    sink = ConsoleSink("stderr", worker, use_colors=False)
    for seq in (1, 2):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        assert await sink.write(batch_of(sink, seq)) == Delivered()
        assert f"m{seq}" in stream.getvalue()


async def test_a_process_without_streams_has_no_trouble(monkeypatch: pytest.MonkeyPatch, worker: Worker):
    monkeypatch.setattr(sys, "stdout", None)
    sink = ConsoleSink("stdout", worker, use_colors=None)
    assert await sink.write(batch_of(sink, 1)) == Delivered()


async def test_what_the_streams_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch, worker: Worker):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    sink = ConsoleSink("stdout", worker, use_colors=False)
    batch = Batch([capture(1)], ["price 1 €".encode()])
    assert await sink.write(batch) == Delivered()
    assert raw.getvalue() == b"price 1 \\u20ac\n"


@pytest.mark.parametrize("error", [BrokenPipeError("gone"), ValueError("I/O operation on closed file")])
async def test_a_stream_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch, worker: Worker, error: Exception):
    class Failing(io.StringIO):
        def write(self, _: str) -> int:
            raise error

    monkeypatch.setattr(sys, "stderr", Failing())
    sink = ConsoleSink("stderr", worker, use_colors=False)
    outcome = await sink.write(batch_of(sink, 1))
    assert isinstance(outcome, Retry)
    assert str(error) in outcome.reason


async def test_a_closed_stream_holds_nobody_up(monkeypatch: pytest.MonkeyPatch):
    stream = io.StringIO()
    stream.close()
    async with logging_to(ConsoleOptions(stream="stdout", use_colors=False), shutdown_timeout=0.1) as runtime:
        monkeypatch.setattr(sys, "stdout", stream)
        log.warning("hello")
        await eventually(lambda: sink_stats(runtime).retries >= 1)
        assert sink_stats(runtime).state in {"degraded", "failed"}
        monkeypatch.undo()
        assert await runtime.flush()
