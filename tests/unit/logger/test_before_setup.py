"""Before `setup_logging`: entries are kept from DEBUG on, filtered at the start, shown at exit if there is none."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from metaexpert.logger import Logger, LoggingRuntime

type Line = dict[str, Any]
type Start = Callable[..., LoggingRuntime]
type LinesOf = Callable[[LoggingRuntime], list[Line]]


FLUSH_SECONDS = 20.0


class TestKept:
    def test_entries_arrive_in_order_with_their_fields_when_logging_starts(
        self, start: Start, lines_of: LinesOf, log: Logger
    ):
        log.debug("1", a=1)
        log.bind(b=2).warning("2 %s", "x")
        log.trade.order_cancelled(order_id=1)
        runtime = start()
        log.info("4")
        found = lines_of(runtime)
        assert [entry["message"] for entry in found] == ["1", "2 x", "order_cancelled", "4"]
        assert [entry.get("extra") for entry in found] == [{"a": 1}, {"b": 2}, None, None]
        assert [entry["seq"] for entry in found] == sorted(entry["seq"] for entry in found)

    def test_the_level_of_the_start_decides_what_goes_on(self, start: Start, lines_of: LinesOf, log: Logger):
        log.debug("no")
        log.info("no")
        log.warning("yes")
        log.trade.order_cancelled(order_id=1)
        log.audit("changed")
        found = lines_of(start(log_level="WARNING"))
        assert [entry["message"] for entry in found] == ["yes", "order_cancelled", "changed"]

    def test_a_loggers_own_level_decides_too(self, start: Start, lines_of: LinesOf, log: Logger):
        log.debug("1")
        log.setLevel(logging.ERROR)
        log.info("no")
        chatty = log.getChild("chatty")
        chatty.setLevel(logging.DEBUG)
        chatty.debug("2")
        found = lines_of(start(log_level="WARNING"))
        assert [entry["message"] for entry in found] == ["2"]

    @pytest.mark.parametrize("level", ["debug", "info", "error"])
    def test_10_000_entries_are_kept_and_the_rest_is_told(
        self, runner: asyncio.Runner, start: Start, lines_of: LinesOf, log: Logger, level: str
    ):
        log.propagate = False
        call = getattr(log, level)
        for number in range(10_300):
            call("n%d", number)
        runtime = start(log_level="DEBUG")
        assert not runner.run(runtime.flush(FLUSH_SECONDS)), "some of what was logged will not arrive"
        found = lines_of(runtime)
        told = [entry for entry in found if entry["log_type"] == "gap"]
        kept = [entry for entry in found if entry["log_type"] == "general"]
        assert sum(entry["extra"]["dropped"] for entry in told) == 10_300 - len(kept)
        assert len(kept) >= 10_000
        assert [entry["message"] for entry in kept] == [f"n{number}" for number in range(len(kept))]

    def test_their_memory_is_bounded(self, runner: asyncio.Runner, start: Start, lines_of: LinesOf, log: Logger):
        log.propagate = False
        for _ in range(1_000):
            log.info("x", big="x" * 20_000)
        runtime = start()
        assert not runner.run(runtime.flush(FLUSH_SECONDS)), "some of what was logged will not arrive"
        found = lines_of(runtime)
        kept = [entry for entry in found if entry["log_type"] == "general"]
        assert 300 <= len(kept) <= 8 * 1024 * 1024 / 20_000
        assert sum(entry["extra"]["dropped"] for entry in found if entry["log_type"] == "gap") == 1_000 - len(kept)


class TestAfterTheStop:
    def test_what_is_logged_then_waits_for_the_next_start(
        self, runner: asyncio.Runner, start: Start, lines_of: LinesOf, log: Logger
    ):
        first = start()
        log.info("1")
        assert [entry["message"] for entry in lines_of(first)] == ["1"]
        runner.run(first.stop())
        log.info("2")
        assert [entry["message"] for entry in lines_of(start())] == ["2"]

    def test_the_roots_level_is_as_before(self, runner: asyncio.Runner, start: Start):
        before = logging.getLogger().level
        runtime = start(log_level="CRITICAL")
        assert logging.getLogger().level == logging.CRITICAL
        runner.run(runtime.stop())
        assert logging.getLogger().level == before


PROGRAM = """
from metaexpert.logger import get_logger
log = get_logger("expert.main")
log.debug("a detail")
log.info("some news")
log.warning("beware %s", "dog", n=1)
log.error("it broke")
log.trade.order_cancelled(order_id=1)
"""


class TestNeverStarted:
    def test_warnings_and_up_are_printed_to_stderr_at_exit(self):
        ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0
        assert ended.stdout == ""
        assert "beware dog" in ended.stderr
        assert "it broke" in ended.stderr
        assert "expert.main" in ended.stderr
        assert "some news" not in ended.stderr
        assert "a detail" not in ended.stderr

    def test_importing_alone_prints_and_starts_nothing(self):
        program = (
            "import threading, logging, metaexpert.logger as m; m.get_logger('x'); "
            "print(threading.active_count(), len(logging.root.handlers))"
        )
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["1", "0"], "")

    def test_what_did_not_fit_is_told_too(self):
        program = (
            "from metaexpert.logger import get_logger\n"
            "log = get_logger('expert.main')\n"
            "for number in range(10_050): log.warning('n%d', number)\n"
        )
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        lines = ended.stderr.splitlines()
        assert sum("expert.main" in line for line in lines) == 10_000
        assert "50" in lines[-1]

    def test_what_is_logged_after_the_stop_is_printed_at_exit(self):
        program = (
            "import asyncio\n"
            "from metaexpert.logger import LoggerConfig, get_logger, setup_logging\n"
            "log = get_logger('expert.main')\n"
            "async def main():\n"
            "    async with setup_logging(LoggerConfig(log_to_file=False, log_to_console=False)):\n"
            "        log.warning('while it ran')\n"
            "asyncio.run(main())\n"
            "log.warning('after the stop')\n"
        )
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, ended.stdout) == (0, "")
        assert "after the stop" in ended.stderr
        assert "while it ran" not in ended.stderr
