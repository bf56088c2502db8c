"""Fixtures of the logger's unit tests: the process-wide state as it was, a running runtime, and what arrived in it.

Tests are plain functions; `runner` runs what has to be awaited, on the loop the runtime was started on. `lines` flushes
and hands over what reached a memory sink since it was last asked; each line is parsed strictly: no key twice.
"""

import asyncio
import itertools
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from support.fake_sinks import FakeSink

from metaexpert.logger import Logger, LoggerConfig, LoggingRuntime, MemoryOptions, get_logger
from metaexpert.logger.assembly import SinkAssembly
from metaexpert.logger.entry import LEVEL, LOG_TYPE, SEQ, SIZE, TIME_NS, Capture, Lane
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.port import port
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.sinks.memory import MemorySink
from metaexpert.logger.values import ValueEncoder

type Line = dict[str, Any]

FLUSH_SECONDS = 20.0
_LEVELS = {Lane.DEBUG: 10, Lane.INFO: 20, Lane.WARNING: 30, Lane.ERROR: 40, Lane.PROTECTED: 20}
_numbers = itertools.count(1)


def _unconnected() -> None:
    port.connect(Ingress(graded=False), ValueEncoder(Redactor()), loop=None)


@pytest.fixture(autouse=True)
def process_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Log calls unconnected as at import; root logger, registry, logger class and environment as before."""
    for variable in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(variable)
    root, manager = logging.root, logging.root.manager
    level, disable, kind = root.level, manager.disable, logging.getLoggerClass()
    handlers, names = list(root.handlers), set(manager.loggerDict)
    level_names = dict(logging._levelToName), dict(logging._nameToLevel)
    _unconnected()
    yield
    logging.setLoggerClass(kind)
    root.handlers[:] = [handler for handler in root.handlers if handler in handlers]
    for name in set(manager.loggerDict) - names:
        del manager.loggerDict[name]
    for known, before in zip((logging._levelToName, logging._nameToLevel), level_names, strict=True):
        known.clear()
        known.update(before)  # type: ignore[arg-type]  # one maps numbers to names, the other names to numbers
    manager.disable = disable
    root.setLevel(level)
    _unconnected()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for the test."""
    with asyncio.Runner() as running:
        yield running


@pytest.fixture
def start(runner: asyncio.Runner) -> Iterator[Callable[..., LoggingRuntime]]:
    """Start logging into a memory sink, with further configuration by keyword; stopped at the end of the test."""
    started: list[LoggingRuntime] = []

    def starting(**config: Any) -> LoggingRuntime:
        quiet = {
            "log_to_console": False,
            "log_to_file": False,
            "log_level": "DEBUG",
            "check_trades": False,  # tests log what no order lives through, and count what arrives
            "performance": {"enabled": False},
            "clock": {"enabled": False},
            "sinks": (MemoryOptions(max_entries=100_000),),
        }
        runtime = LoggingRuntime(LoggerConfig(**(quiet | config)))
        runner.run(runtime.start())
        started.append(runtime)
        return runtime

    yield starting
    for runtime in started:
        runner.run(runtime.stop())


@pytest.fixture
def runtime(start: Callable[..., LoggingRuntime]) -> LoggingRuntime:
    """Logging that runs, from DEBUG, into a memory sink."""
    return start()


@pytest.fixture
def lines_of(runner: asyncio.Runner) -> Callable[[LoggingRuntime], list[Line]]:
    """What reached a runtime's memory sink since it was last asked."""

    def flushed(runtime: LoggingRuntime) -> list[Line]:
        assert runner.run(runtime.flush(FLUSH_SECONDS))
        sink = runtime.sinks["memory"]
        assert isinstance(sink, MemorySink)
        found = [json.loads(line, object_pairs_hook=_each_key_once) for line in sink.lines]
        sink.lines.clear()
        return found

    return flushed


@pytest.fixture
def lines(runtime: LoggingRuntime, lines_of: Callable[[LoggingRuntime], list[Line]]) -> Callable[[], list[Line]]:
    """What arrived since it was last asked, oldest first."""
    return lambda: lines_of(runtime)


@pytest.fixture
def line(lines: Callable[[], list[Line]]) -> Callable[[], Line]:
    """The one entry that arrived since it was last asked."""

    def only() -> Line:
        found = lines()
        assert len(found) == 1
        return found[0]

    return only


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeSink]:
    """Sinks to take the place of those with the same name."""
    instead: dict[str, FakeSink] = {}
    real = SinkAssembly.sink

    def sink(assembly: SinkAssembly, options: Any) -> Any:
        return instead[options.name] if options.name in instead else real(assembly, options)

    monkeypatch.setattr(SinkAssembly, "sink", sink)
    return instead


@pytest.fixture
def name() -> str:
    """A logger name nobody used before."""
    return f"unit.logger{next(_numbers)}"


@pytest.fixture
def log(name: str) -> Logger:
    """A logger of the test's own."""
    return get_logger(name)


@pytest.fixture
def written(name: str) -> Callable[..., Capture]:
    """Log through the given call before logging is set up, and hand over what it captured."""

    def captured(call: Callable[[Logger], object]) -> Capture:
        call(get_logger(name))
        captures = port.ingress.take(100)
        assert len(captures) == 1
        return captures[0]

    return captured


@pytest.fixture(scope="session")
def make_entry() -> Callable[..., Capture]:
    """Captures with number, lane, charged size and time chosen, all else as a real call captured it."""
    _unconnected()
    get_logger("unit.made").info("made")
    template = port.ingress.take(1)[0]

    def made(seq: int, lane: Lane = Lane.INFO, size: int = 500, time_ns: int = 0) -> Capture:
        capture: list[Any] = list(template)
        capture[SEQ], capture[TIME_NS], capture[LEVEL], capture[SIZE] = seq, time_ns, _LEVELS[lane], size
        capture[LOG_TYPE] = "trade" if lane is Lane.PROTECTED else "general"
        return cast("Capture", tuple(capture))

    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the present one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _each_key_once(pairs: list[tuple[str, Any]]) -> Line:
    found = dict(pairs)
    assert len(found) == len(pairs), f"a key twice in {[key for key, _ in pairs]}"
    return found
