"""What levels hold back is written when the task or the order it belongs to fails, and forgotten when it does not."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import HeldBackOptions, HeldBackStats, Logger, LoggingRuntime, MemoryOptions, log_context, trace

type Line = dict[str, Any]
type LinesOf = Callable[[LoggingRuntime], list[Line]]
type Start = Callable[..., LoggingRuntime]


def messages(lines: list[Line]) -> list[str]:
    """In the order of the calls; what is held arrives when it is brought out."""
    return [line["message"] for line in sorted(lines, key=lambda line: line["seq"])]


def stats(runtime: LoggingRuntime) -> HeldBackStats:
    found = runtime.stats().held_back
    assert found is not None
    return found


@pytest.fixture
def holding(start: Start) -> Callable[..., LoggingRuntime]:
    """Logging from INFO on that holds back what is below."""
    return lambda **options: start(log_level="INFO", buffer_until_error=HeldBackOptions(**options))


class TestTasks:
    def run(self, runner: asyncio.Runner, *works: Callable[[], Awaitable[object]]) -> list[Any]:
        async def main() -> list[Any]:
            tasks = [asyncio.ensure_future(work()) for work in works]
            return await asyncio.gather(*tasks, return_exceptions=True)

        return runner.run(main())

    def test_an_error_brings_out_what_its_task_held_in_order_and_before_it(
        self, runner: asyncio.Runner, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()

        async def fails() -> None:
            log.debug("first", step=1)
            await asyncio.sleep(0)
            log.debug("second", step=2)
            log.info("between")
            await asyncio.sleep(0)
            log.error("failed")

        async def ends_well() -> None:
            log.debug("not to be seen")
            await asyncio.sleep(0)
            log.info("well")

        self.run(runner, fails, ends_well)
        lines = lines_of(runtime)
        assert [message for message in messages(lines) if message != "well"] == ["first", "second", "between", "failed"]
        arrived = [line["message"] for line in lines]
        assert arrived.index("first") < arrived.index("second") < arrived.index("failed")
        held = [line for line in lines if line["level"] == "DEBUG"]
        assert [line["extra"] for line in held] == [{"step": 1, "held_back": True}, {"step": 2, "held_back": True}]
        failed = next(line for line in lines if line["message"] == "failed")
        order = sorted(lines, key=lambda line: line["seq"])
        assert [line["timestamp"] for line in order] == sorted(line["timestamp"] for line in order)
        assert len({line["id"] for line in lines}) == len(lines)
        assert {line["task"] for line in held} == {failed["task"]}
        assert (stats(runtime).held, stats(runtime).released, stats(runtime).dropped) == (3, 2, 1)
        assert (stats(runtime).keys, stats(runtime).entries, stats(runtime).bytes) == (0, 0, 0)

    def test_a_call_that_names_its_level_is_held_like_any_other(
        self, runner: asyncio.Runner, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()

        async def fails() -> None:
            log.log(10, "held %s", "here", step=1)
            log.error("failed")

        self.run(runner, fails)
        held, failed = lines_of(runtime)
        assert (held["message"], held["level"], held["extra"]) == ("held here", "DEBUG", {"step": 1, "held_back": True})
        assert (held["module"], held["function"], held["line"] + 1) == ("test_held_back", "fails", failed["line"])

    def test_an_exception_that_leaves_the_task_brings_it_out(
        self, runner: asyncio.Runner, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()

        async def fails() -> None:
            log.debug("before it")
            raise ValueError("nobody logs this")

        (failure,) = self.run(runner, fails)
        assert isinstance(failure, ValueError)
        assert messages(lines_of(runtime)) == ["before it"]

    def test_looking_at_a_task_is_no_retrieval_of_its_exception(
        self, runner: asyncio.Runner, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()

        async def fails() -> None:
            log.debug("before it")
            raise ValueError("nobody asks")

        async def main() -> None:
            task = asyncio.ensure_future(fails())
            await asyncio.wait([task])

        runner.run(main())
        runner.run(asyncio.sleep(0))
        assert messages(lines_of(runtime)) == ["before it", "Task exception was never retrieved"]

    def test_a_task_that_ends_well_or_is_cancelled_leaves_nothing(
        self, runner: asyncio.Runner, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()

        async def ends() -> None:
            log.debug("well")

        async def is_cancelled() -> None:
            log.debug("cancelled")
            raise asyncio.CancelledError

        self.run(runner, ends, is_cancelled)
        assert lines_of(runtime) == []
        assert (stats(runtime).dropped, stats(runtime).keys) == (2, 0)

    def test_a_warning_brings_nothing_out_and_what_was_brought_out_is_so_once(
        self, runner: asyncio.Runner, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()

        async def fails_twice() -> None:
            log.debug("a")
            log.warning("w")
            log.error("e1")
            log.debug("b")
            log.error("e2")

        self.run(runner, fails_twice)
        assert messages(lines_of(runtime)) == ["a", "w", "e1", "b", "e2"]

    def test_a_task_that_fails_again_and_again_does_not_grow(
        self, runner: asyncio.Runner, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()
        grown: list[int] = []

        async def fails_for_long() -> None:
            for _ in range(50):
                log.debug("d")
                log.error("e")
            task = asyncio.current_task()
            grown.append(len(getattr(task, "_callbacks", None) or ()))

        self.run(runner, fails_for_long)
        assert len(lines_of(runtime)) == 100
        assert grown[0] <= 2  # that of whoever waits for the task, and ours

    def test_what_a_task_inherits_is_in_what_it_held(
        self, runner: asyncio.Runner, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()

        async def fails() -> None:
            with log_context(order_id="A-17"), trace() as here:
                log.bind(symbol="BTC").debug("held", qty=1, book=lambda: 1 / 0)
            log.error("failed")
            ids.append(here.trace_id)

        ids: list[str] = []
        self.run(runner, fails)
        held = lines_of(runtime)[0]["extra"]
        assert held.pop("trace_id") == ids[0]
        assert (held["order_id"], held["symbol"]) == ("A-17", "BTC")
        assert held["qty"] == 1
        assert held["fields_left_out"] is True

    def test_secrets_are_hidden_before_anything_is_held(
        self, runner: asyncio.Runner, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()

        async def fails() -> None:
            log.debug("api_key=k3yV4lu3", api_secret="s3cr3t", note="password=hunter2")
            log.error("failed")

        self.run(runner, fails)
        held = str(lines_of(runtime)[0])
        assert not any(secret in held for secret in ("k3yV4lu3", "s3cr3t", "hunter2"))


class TestThreads:
    def test_a_thread_without_a_task_is_one(self, holding: Start, log: Logger, lines_of: LinesOf):
        runtime = holding()

        def works() -> None:
            log.debug("thread")
            log.error("failed")

        log.debug("not of that thread")
        thread = threading.Thread(target=works)
        thread.start()
        thread.join()
        assert messages(lines_of(runtime)) == ["thread", "failed"]

    def test_a_thread_that_gets_the_number_of_an_ended_one_gets_none_of_its_entries(
        self, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()
        numbers: list[int] = []

        def run(work: Callable[[str], object], text: str) -> None:
            def works() -> None:
                numbers.append(threading.get_ident())
                work(text)

            thread = threading.Thread(target=works)
            thread.start()
            thread.join()

        for number in range(100):
            run(log.debug, f"of thread {number}")
            run(log.error, "of another")
            if len(set(numbers)) < len(numbers):
                break
        else:
            pytest.skip("no number came twice here")
        assert set(messages(lines_of(runtime))) == {"of another"}

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_an_exception_that_leaves_a_thread_brings_out_what_it_held(
        self, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()

        def fails() -> None:
            log.debug("before it")
            raise ValueError("nobody catches it")

        thread = threading.Thread(target=fails)
        thread.start()
        thread.join()
        first, last = messages(lines_of(runtime))
        assert first == "before it"
        assert "xception" in last


class TestFields:
    def test_an_error_of_an_order_brings_out_what_that_order_held(self, holding: Start, log: Logger, lines_of: LinesOf):
        runtime = holding(key="order_id")
        log.debug("no order")
        log.debug("seventeen", order_id="A-17")
        log.debug("eighteen", order_id="A-18")
        with log_context(order_id="A-17"):
            log.bind(order_id="A-18").debug("of seventeen")
            log.debug("of eighteen", order_id="A-18")
        log.error("nobody's")
        log.error("failed", order_id="A-17")
        assert messages(lines_of(runtime)) == ["seventeen", "of seventeen", "nobody's", "failed"]
        assert stats(runtime).keys == 1

    def test_a_rejected_order_has_failed_and_a_filled_one_has_ended_well(
        self, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding(key="order_id")
        for order in ("A-17", "A-18"):
            log.debug("held of %s", order, order_id=order)
        log.trade.order_filled(order_id="A-17", side="BUY", price="1", quantity="1", symbol="BTC", exchange="x")
        log.trade.order_rejected(order_id="A-18", reason="LOT_SIZE", symbol="BTC", exchange="x")
        found = [line for line in lines_of(runtime) if line["log_type"] == "general"]
        assert messages(found) == ["held of A-18"]
        assert (stats(runtime).released, stats(runtime).dropped) == (1, 1)

    def test_a_value_that_is_hidden_or_none_is_no_key(self, holding: Start, log: Logger, lines_of: LinesOf):
        runtime = holding(key="token")
        log.debug("x", token="s3cr3t")
        log.debug("x", token=None)
        log.debug("x", token={"a": 1})
        log.error("failed", token="s3cr3t")
        assert messages(lines_of(runtime)) == ["failed"]
        assert stats(runtime).held == 0


class TestConfiguration:
    def test_nothing_is_held_where_nobody_asked_for_it(self, start: Start, log: Logger, lines_of: LinesOf):
        runtime = start(log_level="INFO")
        log.debug("x")
        log.error("failed")
        assert messages(lines_of(runtime)) == ["failed"]
        assert runtime.stats().held_back is None

    def test_the_lowest_level_holds(self, holding: Start, log: Logger, lines_of: LinesOf):
        runtime = holding(level="INFO")
        log.setLevel("WARNING")
        log.debug("too low")
        log.info("held")
        log.error("failed")
        assert messages(lines_of(runtime)) == ["held", "failed"]

    def test_sinks_keep_their_own_levels(self, start: Start, runner: asyncio.Runner, log: Logger):
        runtime = start(
            log_level="INFO",
            buffer_until_error=HeldBackOptions(),
            sinks=(MemoryOptions(), MemoryOptions(name="errors", level="ERROR")),
        )
        log.debug("held")
        log.error("failed")
        assert runner.run(runtime.flush(20.0))
        ledgers = {name: sink.ledger for name, sink in runtime.stats().sinks.items()}
        assert (ledgers["memory"].delivered, ledgers["errors"].delivered) == (2, 1)
        assert all(ledger.balanced for ledger in ledgers.values())

    def test_it_goes_on_through_a_reload_and_ends_with_one(
        self, holding: Start, runner: asyncio.Runner, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()
        log.debug("before")
        runner.run(runtime.reload(runtime.config.model_copy(update={"log_level": "WARNING"})))
        log.error("failed")
        log.debug("forgotten")
        runner.run(runtime.reload(runtime.config.model_copy(update={"buffer_until_error": None})))
        log.error("failed again")
        assert messages(lines_of(runtime)) == ["before", "failed", "failed again"]
        assert runtime.stats().held_back is None

    def test_the_flight_recorder_gets_what_it_asks_for_beside_it(
        self, start: Start, log: Logger, lines_of: LinesOf, tmp_path: Any
    ):
        runtime = start(
            log_level="INFO",
            buffer_until_error=HeldBackOptions(),
            log_dir=tmp_path,
            journal={"enabled": True, "recorder_level": "DEBUG"},
        )
        log.debug("held and recorded", step=17)
        (recorder,) = (tmp_path / "journal").glob("*.recorder")
        assert b"held and recorded" in recorder.read_bytes()
        log.error("failed")
        assert messages(lines_of(runtime)) == ["held and recorded", "failed"]

    def test_what_stdlib_keeps_from_being_called_is_not_held_and_what_is_bound_is(
        self, holding: Start, log: Logger, lines_of: LinesOf
    ):
        runtime = holding()
        logging.LoggerAdapter(log, {}).debug("adapted")
        log.bind(venue="okx").debug("bound")
        log.error("failed")
        assert messages(lines_of(runtime)) == ["bound", "failed"]

    def test_a_foreign_logger_that_makes_its_records_has_them_written_at_once(self, holding: Start, lines_of: LinesOf):
        runtime = holding()
        foreign = logging.getLogger("foreign.held_back")
        foreign.debug("not made")
        foreign.setLevel(logging.DEBUG)
        try:
            foreign.debug("made")
        finally:
            foreign.setLevel(logging.NOTSET)
        assert messages(lines_of(runtime)) == ["made"]
        assert stats(runtime).held == 0

    def test_what_is_held_at_the_end_is_forgotten(self, holding: Start, runner: asyncio.Runner, log: Logger):
        runtime = holding()
        log.debug("held")
        runner.run(runtime.stop())
        assert (stats(runtime).dropped, stats(runtime).keys) == (1, 0)

    def test_the_bounds_have_to_fit(self):
        with pytest.raises(ConfigError, match="max_total_bytes"):
            HeldBackOptions(max_bytes=1_000_000, max_total_bytes=10_000)
