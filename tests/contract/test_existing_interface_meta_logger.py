"""MetaLogger in whole programs: what it was given is in its files when the program ends, however that is."""

import asyncio
import copy
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.programs import entries_of
from support.running_logger import logging_to

from metaexpert.exceptions import ConfigError
from metaexpert.logger import Logger, LoggingRuntime, MemoryOptions, MetaLogger, get_logger, meta_logger
from metaexpert.logger.port import port

type Line = dict[str, Any]

BEGINNING = """
import asyncio, logging, os, sys, threading
from metaexpert.logger import MetaLogger, get_logger, setup_logging, LoggerConfig

def made(**more):
    values = dict(log_level="INFO", log_file="main.log", trade_log_file="trades.log", error_log_file="errors.log",
                  log_to_console=False, structured_logging=True, async_logging=False)
    return MetaLogger(**(values | more))

"""


def run(body: str, folder: Path, *, code: int = 0, stderr: str | None = "") -> "subprocess.CompletedProcess[str]":
    """Run a program in `folder`."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BEGINNING + body],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert stderr is None or done.stderr == stderr
    return done


def lines(folder: Path, name: str = "main.log") -> list[Line]:
    return entries_of(folder / "logs" / name)


def messages(folder: Path, name: str = "main.log") -> list[str]:
    return [line["message"] for line in lines(folder, name)]


EVERY_CALL = """
log = made({options})
log.info("plain %s", "call", size=1)
log.debug("below the level")
log.log_trade("filled", symbol="BTCUSDT", side="BUY", price=43100.5, quantity="0.5", api_key="AKIA-1")
try:
    1 / 0
except ZeroDivisionError as error:
    log.log_error("failed", error, error_code=7, component="orders")
log.log_error("without exception")
log.get_main_logger().warning("main")
log.get_trade_logger().info("by the trade logger", symbol="ETHUSDT")
log.get_error_logger().error("by the error logger", operation="cancel")
log.get_error_logger().info("below the error logger's level")
log.get_logger("elsewhere").info("by name")
{end}
"""
WRITTEN = [
    "plain call",
    "filled",
    "failed",
    "without exception",
    "main",
    "by the trade logger",
    "by the error logger",
    "by name",
]


class TestASynchronousProgram:
    @pytest.mark.parametrize("end", ["log.shutdown()", "", "sys.exit(0)"], ids=["shutdown", "none", "exit"])
    @pytest.mark.parametrize("async_logging", [True, False])
    def test_leaves_complete_files(self, tmp_path: Path, end: str, async_logging: bool):
        run(EVERY_CALL.format(options=f"async_logging={async_logging}", end=end), tmp_path)
        assert messages(tmp_path) == WRITTEN
        assert messages(tmp_path, "trades.log") == ["filled", "by the trade logger"]
        assert messages(tmp_path, "errors.log") == ["failed", "without exception", "by the error logger"]

    def test_leaves_complete_files_when_it_fails(self, tmp_path: Path):
        run(EVERY_CALL.format(options="", end="raise ValueError('the end')"), tmp_path, code=1, stderr=None)
        assert messages(tmp_path)[: len(WRITTEN)] == WRITTEN
        assert "ValueError: the end" in (tmp_path / "logs" / "errors.log").read_text()

    def test_has_its_errors_and_trades_written_when_their_calls_return(self, tmp_path: Path):
        body = """
log = made()
log.log_trade("filled", symbol="BTCUSDT")
log.log_error("failed")
os._exit(0)
"""
        run(body, tmp_path)
        assert messages(tmp_path) == ["filled", "failed"]

    def test_loses_nothing_of_many_entries_from_several_threads(self, tmp_path: Path):
        body = """
log = made()
def work(number):
    for count in range(2000):
        log.info("%d %d", number, count)
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
log.shutdown()
"""
        run(body, tmp_path)
        found = messages(tmp_path)
        for number in range(4):
            assert [each for each in found if each.startswith(f"{number} ")] == [f"{number} {n}" for n in range(2000)]
        assert len(found) == 8000

    def test_may_begin_in_several_threads_at_once(self, tmp_path: Path):
        body = """
log = made()
together = threading.Barrier(8)
def work(number):
    together.wait()
    log.info("%d", number)
threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
        run(body, tmp_path)
        assert sorted(messages(tmp_path)) == [str(number) for number in range(8)]

    def test_has_the_fields_where_they_belong(self, tmp_path: Path):
        run(EVERY_CALL.format(options="", end=""), tmp_path)
        plain, filled, failed = lines(tmp_path)[:3]
        assert (plain["logger"], plain["extra"], plain["function"]) == ("expert", {"size": 1}, "<module>")
        assert (filled["logger"], filled["log_type"]) == ("expert.trade", "trade")
        assert filled["trade_data"] == {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "price": 43100.5,
            "quantity": "0.5",
            "api_key": "[REDACTED]",
        }
        assert (failed["logger"], failed["log_type"], failed["severity"]) == ("expert.error", "error", "high")
        assert failed["error_context"] == {"error_code": 7, "component": "orders"}
        assert failed["exception"]["type"] == "ZeroDivisionError"
        assert "1 / 0" in failed["exception"]["traceback"] or "Traceback" in failed["exception"]["traceback"]

    def test_writes_text_unless_structured(self, tmp_path: Path):
        run(EVERY_CALL.format(options="structured_logging=False", end=""), tmp_path)
        text = (tmp_path / "logs" / "errors.log").read_text()
        assert "expert.error: failed error_code=7 component=orders" in text
        assert "ZeroDivisionError: division by zero" in text

    def test_writes_to_the_console_when_asked_to(self, tmp_path: Path):
        done = run("log = made(log_to_console=True)\nlog.info('seen')\nlog.shutdown()\n", tmp_path, stderr=None)
        assert "seen" in done.stderr

    def test_may_name_files_by_absolute_paths(self, tmp_path: Path):
        run(f"log = made(log_file={str(tmp_path / 'elsewhere.log')!r})\nlog.info('there')\n", tmp_path)
        assert "there" in (tmp_path / "elsewhere.log").read_text()

    def test_does_no_io_by_constructing(self, tmp_path: Path):
        done = run("log = made()\nprint(os.listdir(), threading.active_count())\n", tmp_path)
        assert done.stdout.split() == ["[]", "1"]

    def test_that_only_asks_about_a_disabled_level_starts_nothing(self, tmp_path: Path):
        run("log = made()\nassert not log.isEnabledFor(10)\nlog.debug('no')\n", tmp_path)
        assert not (tmp_path / "logs").exists()

    def test_keeps_what_is_logged_after_the_shutdown_for_configure(self, tmp_path: Path):
        body = """
log = made()
log.info("one")
log.shutdown()
log.info("two")
assert log.configure()["status"] == "success"
log.info("three")
"""
        run(body, tmp_path)
        assert messages(tmp_path) == ["one", "two", "three"]

    def test_says_at_exit_what_came_after_the_last_shutdown(self, tmp_path: Path):
        done = run("log = made()\nlog.shutdown()\nlog.warning('late')\nlog.info('low')\n", tmp_path, stderr=None)
        assert "late" in done.stderr
        assert "low" not in done.stderr
        assert not (tmp_path / "logs").exists()

    def test_is_told_what_configure_did(self, tmp_path: Path):
        body = """
import json
log = made()
print(json.dumps([log.configure(), log.configure()]))
"""
        first, second = json.loads(run(body, tmp_path).stdout)
        assert first == second
        assert first["status"] == "success"
        assert first["handlers"] == ["file", "trade", "error"]
        assert first["loggers"] == ["main", "trade", "error"]

    @pytest.mark.skipif(sys.platform == "win32", reason="fork")
    def test_forked_child_leaves_the_parents_files_alone(self, tmp_path: Path):
        body = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
log = made()
log.info("parent before")
child = os.fork()
if child == 0:
    log.shutdown()
    os._exit(0)
os.waitpid(child, 0)
log.info("parent after")
log.shutdown()
"""
        run(body, tmp_path)
        assert messages(tmp_path) == ["parent before", "parent after"]


class TestTwoInOneProcess:
    def test_share_the_first_ones_files_and_lose_nothing(self, tmp_path: Path):
        body = """
first = made()
second = made(log_file="second.log", trade_log_file="second_trades.log", error_log_file="second_errors.log")
first.info("of the first")
second.info("of the second")
second.log_trade("trade of the second")
assert second.configure()["handlers"] == ["file", "trade", "error"]
first.shutdown()
second.info("after the first's shutdown")
second.shutdown()
print(sorted(name for name in os.listdir("logs") if os.path.islink(f"logs/{name}")))
"""
        done = run(body, tmp_path)
        assert done.stdout.strip() == str(["main.log", "trades.log"])
        assert messages(tmp_path) == [
            "of the first",
            "of the second",
            "trade of the second",
            "after the first's shutdown",
        ]

    def test_the_second_has_its_own_files_once_the_first_has_ended(self, tmp_path: Path):
        body = """
first = made()
first.info("one")
first.shutdown()
second = made(log_file="second.log")
second.info("two")
second.shutdown()
"""
        run(body, tmp_path)
        assert messages(tmp_path) == ["one"]
        assert messages(tmp_path, "second.log") == ["two"]

    def test_one_that_is_forgotten_keeps_nobody_from_ending_it(self, tmp_path: Path):
        body = """
import gc
forgotten = made()
forgotten.info("one")
del forgotten
gc.collect()
second = made()
second.info("two")
second.shutdown()
print(get_logger("x").isEnabledFor(10))
"""
        assert run(body, tmp_path).stdout.strip() == "True"
        assert messages(tmp_path) == ["one", "two"]


class TestAnAsyncioProgram:
    def test_logs_without_waiting_and_leaves_complete_files(self, tmp_path: Path):
        body = """
async def main():
    log = made()
    log.info("begun")
    async def work(number):
        for count in range(200):
            log.info("%d %d", number, count)
            await asyncio.sleep(0)
    await asyncio.gather(*(work(number) for number in range(5)))
    log.log_error("failed", ValueError("no"), error_code=1)
    log.shutdown()
asyncio.run(main())
"""
        run(body, tmp_path)
        found = messages(tmp_path)
        assert len(found) == 1002
        assert messages(tmp_path, "errors.log") == ["failed"]

    def test_without_shutdown_too(self, tmp_path: Path):
        body = """
async def main():
    log = made()
    log.info("begun")
asyncio.run(main())
"""
        run(body, tmp_path)
        assert messages(tmp_path) == ["begun"]

    def test_made_and_used_before_the_loop_and_after_it(self, tmp_path: Path):
        body = """
log = made()
log.info("before")
async def main():
    log.info("within")
asyncio.run(main())
log.info("after")
asyncio.run(main())
log.shutdown()
"""
        run(body, tmp_path)
        assert messages(tmp_path) == ["before", "within", "after", "within"]

    def test_shut_down_from_another_loop_than_loggings_is_complete_on_return(self, tmp_path: Path):
        body = """
from pathlib import Path
log = made()
log.info("starts on a thread")
async def main():
    log.info("within")
    log.shutdown()
    print(len(Path("logs/main.log").read_text().splitlines()))
asyncio.run(main())
"""
        assert run(body, tmp_path).stdout.strip() == "2"

    async def test_uses_the_runtime_that_runs_and_leaves_it_running(self, tmp_path: Path):
        async with logging_to(MemoryOptions()) as runtime:
            log = MetaLogger(log_level="INFO", log_file=tmp_path / "main.log")
            answer = log.configure()
            log.info("to the runtime")
            log.debug("below its own level")
            log.log_trade("trade", symbol="BTCUSDT")
            log.shutdown()
            get_logger("other").info("it still runs")
            assert await runtime.flush()
            told = [entry["message"] for entry in memory(runtime)]
        assert (answer["status"], answer["handlers"]) == ("success", [])
        assert told == ["to the runtime", "trade", "it still runs"]
        assert not (tmp_path / "main.log").exists()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., MetaLogger]]:
    """MetaLoggers of this process, in a folder of the test's own; what they started is stopped."""
    made: list[MetaLogger] = []

    def making(name: str = "main") -> MetaLogger:
        main, trades, errors = (tmp_path / f"{name}{kind}.log" for kind in ("", "_trades", "_errors"))
        made.append(MetaLogger("INFO", main, trades, errors, False, True, False))
        return made[-1]

    yield making
    for log in made:
        log.shutdown()


def told(file: Path) -> list[str]:
    return [entry["message"] for entry in entries_of(file)]


class TestInThisProcess:
    def test_a_life_from_the_first_call_to_the_last_shutdown(self, make: Callable[..., MetaLogger], tmp_path: Path):
        first, second = make(), make("second")
        assert not port.attached
        assert first.config.log_file == tmp_path / "main.log"
        first.log_error("failed", ValueError("no"))
        second.get_error_logger().error("failed too", error_code=1)
        assert second.configure()["handlers"] == ["file", "trade", "error"]
        first.shutdown()
        assert told(tmp_path / "main_errors.log") == ["failed", "failed too"]
        assert port.attached
        second.info("goes on")
        second.shutdown()
        assert not port.attached
        assert told(tmp_path / "main.log") == ["failed", "failed too", "goes on"]
        assert not (tmp_path / "second.log").exists()

    async def test_on_the_loop_that_logging_lives_on_the_end_only_begins(
        self, make: Callable[..., MetaLogger], tmp_path: Path
    ):
        first, second = make(), make("second")
        first.info("one")
        second.info("two")
        first.shutdown()
        assert port.attached
        second.shutdown()
        await eventually(lambda: not port.attached)
        await eventually(lambda: told(tmp_path / "main.log") == ["one", "two"])
        await eventually(lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("metaexpert")])

    def test_a_forked_child_has_nothing_to_shut_down(self, make: Callable[..., MetaLogger]):
        log = make()
        log.info("parent")
        shared = copy.copy(meta_logger._shared)
        shared.begin_empty()  # as the fork does in the child
        shared.leave(log)
        assert port.attached


def memory(runtime: LoggingRuntime) -> list[Line]:
    return runtime.sinks["memory"].entries  # pyright: ignore[reportAttributeAccessIssue] - a memory sink's


class TestAsALogger:
    """What stdlib's users of a logger rely on; each within a running runtime, so that nothing is started."""

    async def test_it_is_registered_with_nobody(self):
        async with logging_to(MemoryOptions()):
            log = MetaLogger()
            assert isinstance(log, logging.Logger)
            assert logging.getLogger(log.name) is not log
            assert log.get_main_logger() is logging.getLogger(log.name)
            assert all(isinstance(log.get_logger(name), Logger) for name in ("main", "trade", "error", "else"))

    async def test_levels_are_asked_at_each_call(self):
        async with logging_to(MemoryOptions()) as runtime:
            log = MetaLogger("WARNING")
            log.info("no")
            log.setLevel("DEBUG")
            log.debug("yes")
            logging.disable(logging.INFO)
            try:
                log.info("disabled")
            finally:
                logging.disable(logging.NOTSET)
            log.info("again")
            log.disabled = True
            log.critical("off")
            assert await runtime.flush()
            assert [entry["message"] for entry in memory(runtime)] == ["yes", "again"]

    async def test_trades_and_audit_entries_ignore_levels(self):
        async with logging_to(MemoryOptions()) as runtime:
            log = MetaLogger("CRITICAL")
            log.configure()
            logging.disable(logging.CRITICAL)
            try:
                log.log_trade("trade")
                log.get_trade_logger().info("trade logger")
                log.audit("audit")
                log.trade.order_cancelled(order_id=1)
                log.log_error("an error does not")
            finally:
                logging.disable(logging.NOTSET)
            assert await runtime.flush()
            assert [entry["message"] for entry in memory(runtime)] == [
                "trade",
                "trade logger",
                "audit",
                "order_cancelled",
            ]

    async def test_stdlibs_ways_of_calling_work(self):
        async with logging_to(MemoryOptions()) as runtime:
            log = MetaLogger()
            logging.LoggerAdapter(log, {"venue": "binance"}).info("adapted")
            logging.LoggerAdapter(log.get_trade_logger(), {"symbol": "B"}).info("adapted trade")
            log.log(logging.WARNING, "by number", extra={"a": 1})
            log.bind(b=2).info("bound")
            log.getChild("child").info("child")
            log.exception("without one")  # noqa: LOG004 - a call that must not fail either
            assert await runtime.flush()
            adapted, trade, number, bound, child, _ = memory(runtime)
        assert adapted["extra"] == {"venue": "binance"}
        assert trade["trade_data"] == {"symbol": "B"}
        assert (number["level"], number["extra"]) == ("WARNING", {"a": 1})
        assert bound["extra"] == {"b": 2}
        assert child["logger"] == "expert.child"

    async def test_handlers_of_others_receive_its_entries(self, caplog: pytest.LogCaptureFixture):
        async with logging_to(MemoryOptions()):
            MetaLogger().info("to %s", "caplog")
        assert caplog.messages == ["to caplog"]

    async def test_messages_are_no_patterns(self):
        async with logging_to(MemoryOptions()) as runtime:
            log = MetaLogger()
            log.log_trade("up 5%d")
            log.log_error("100%", "no exception", detail=1)  # pyright: ignore[reportArgumentType] - callers pass texts
            assert await runtime.flush()
            trade, error = memory(runtime)
        assert trade["message"] == "up 5%d"
        assert (error["message"], error["error_context"]) == ("100%", {"detail": 1, "exception": "no exception"})

    async def test_the_call_is_the_callers(self):
        async with logging_to(MemoryOptions()) as runtime:
            log = MetaLogger()
            log.log_trade("trade")
            log.log_error("error")
            log.get_trade_logger().warning("trade logger")
            log.audit("audit")
            assert await runtime.flush()
            places = {(entry["module"], entry["function"]) for entry in memory(runtime)}
        assert places == {("test_existing_interface_meta_logger", "test_the_call_is_the_callers")}

    def test_what_is_wrong_with_its_arguments_is_said(self):
        with pytest.raises(ConfigError, match="log_level"):
            MetaLogger("LOUD")
        with pytest.raises(ConfigError, match=r"same\.log"):
            MetaLogger(log_file="same.log", trade_log_file="same.log")
        with pytest.raises(ConfigError, match="log_file = None"):
            MetaLogger(log_file=None)  # pyright: ignore[reportArgumentType]
        assert not port.attached

    def test_configure_answers_when_logging_cannot_start(self, monkeypatch: pytest.MonkeyPatch):
        def refuse(_config: object) -> None:
            raise RuntimeError("no more threads")

        monkeypatch.setattr("metaexpert.logger.meta_logger.setup_logging", refuse)
        log = MetaLogger()
        log.info("it raises nothing")
        answer = log.configure()
        assert answer["status"] == "error"
        assert "no more threads" in answer["message"]
