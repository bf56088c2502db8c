"""AsyncHandler: the wrapped handler delays nobody, gets every record that fits, and is told what did not."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import override

import pytest
from support.eventually import eventually

from metaexpert.exceptions import ConfigError
from metaexpert.logger import AsyncHandler, MainFormatter, async_handler

type Wrap = Callable[..., AsyncHandler]


class Keeping(logging.Handler):
    """Keeps what it is handed; waits at the gate first, and raises when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Event()
        self.fails = 0
        self.flushed = 0
        self.closed = 0

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.reached.set()
        self.gate.wait(30)
        if self.fails:
            self.fails -= 1
            raise OSError("disk full")
        self.records.append(record)

    @override
    def flush(self) -> None:
        self.flushed += 1

    @override
    def close(self) -> None:
        self.closed += 1
        super().close()

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def wrapped() -> Keeping:
    return Keeping()


@pytest.fixture
def wrap(wrapped: Keeping) -> Iterator[Wrap]:
    made: list[AsyncHandler] = []

    def wrapping(**options: int) -> AsyncHandler:
        made.append(AsyncHandler(wrapped, **options))
        return made[-1]

    yield wrapping
    wrapped.gate.set()
    for handler in made:
        handler.close()


def logger_to(handler: logging.Handler) -> logging.Logger:
    made = logging.Logger("wrapped")  # noqa: LOG001 - of the test's own, registered with nobody
    made.addHandler(handler)
    return made


def stalled(wrapped: Keeping, log: logging.Logger) -> None:
    """One record is within the wrapped handler, and it stays there."""
    wrapped.gate.clear()
    log.info("stalls")
    assert wrapped.reached.wait(10)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("metaexpert-async")]


class TestHandingOn:
    def test_every_record_arrives_in_order(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap()
        log = logger_to(handler)
        for number in range(500):
            log.info("n %d", number)
        handler.flush()
        assert wrapped.messages == [f"n {number}" for number in range(500)]
        assert wrapped.flushed == 1

    def test_a_stalled_handler_delays_no_call(self, wrap: Wrap, wrapped: Keeping):
        log = logger_to(wrap())
        stalled(wrapped, log)
        for number in range(100):
            log.info("n %d", number)
        assert wrapped.records == []  # and we are here

    def test_no_thread_is_started_before_the_first_record(self, wrap: Wrap):
        handler = wrap()
        assert threads() == []
        logger_to(handler).info("first")
        assert len(threads()) == 1
        handler.close()
        assert threads() == []

    def test_arguments_are_read_in_the_call(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap()
        log = logger_to(handler)
        stalled(wrapped, log)
        changing = ["before"]
        log.info("%s", changing)
        changing[0] = "after"
        wrapped.gate.set()
        handler.flush()
        assert wrapped.messages[-1] == "['before']"

    def test_the_record_of_other_handlers_stays_as_it_is(self, wrap: Wrap, wrapped: Keeping):
        other = Keeping()
        handler = wrap()
        log = logger_to(handler)
        log.addHandler(other)
        log.info("n %d", 1)
        handler.flush()
        assert other.records[0].args == (1,)
        assert wrapped.messages == ["n 1"]

    def test_level_and_filters_of_the_wrapped_handler_count(self, wrap: Wrap, wrapped: Keeping):
        wrapped.setLevel(logging.WARNING)
        wrapped.addFilter(lambda record: "no" not in record.getMessage())
        handler = wrap()
        log = logger_to(handler)
        log.info("too low")
        log.error("no")
        log.error("yes")
        handler.flush()
        assert wrapped.messages == ["yes"]

    def test_its_formatter_is_the_wrapped_handlers(self, wrap: Wrap, wrapped: Keeping):
        formatter = MainFormatter()
        wrap().setFormatter(formatter)
        assert wrapped.formatter is formatter
        wrap().set_formatter(None)
        assert wrapped.formatter is None

    def test_from_several_threads_none_is_lost(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap()
        log = logger_to(handler)

        def work(number: int) -> None:
            for count in range(300):
                log.info("%d %d", number, count)

        running = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        handler.flush()
        for number in range(4):
            told = [message for message in wrapped.messages if message.startswith(f"{number} ")]
            assert told == [f"{number} {count}" for count in range(300)]


class TestDropping:
    def test_a_full_queue_drops_counts_and_says_so(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap(max_queue_size=2)
        log = logger_to(handler)
        stalled(wrapped, log)
        for number in range(5):
            log.info("n %d", number)
        log.error("too late")
        wrapped.gate.set()
        handler.flush()
        *kept, gap = wrapped.records
        assert [record.getMessage() for record in kept] == ["stalls", "n 0", "n 1"]
        assert gap.getMessage().startswith("dropped 4 entries: 1 ERROR, 3 INFO, within ")
        assert gap.levelno == logging.WARNING
        assert vars(gap)["by_level"] == {"ERROR": 1, "INFO": 3}
        assert handler.dropped == {logging.INFO: 3, logging.ERROR: 1}

    def test_the_gap_stands_where_it_is(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap(max_queue_size=1)
        log = logger_to(handler)
        stalled(wrapped, log)
        log.info("kept")
        log.info("dropped")
        wrapped.gate.set()
        handler.flush()
        log.info("later")
        handler.flush()
        assert [message.split(" entries")[0] for message in wrapped.messages] == [
            "stalls",
            "kept",
            "dropped 1",
            "later",
        ]

    def test_the_gap_stands_before_what_found_room_again(self):
        class Stepping(Keeping):
            @override
            def emit(self, record: logging.LogRecord) -> None:
                self.reached.set()
                steps.acquire()
                self.records.append(record)

        steps = threading.Semaphore(0)
        wrapped = Stepping()
        handler = AsyncHandler(wrapped, 1)
        log = logger_to(handler)
        for number in range(3):
            log.info("n %d", number)
            assert wrapped.reached.wait(10)  # the first is in the handler, the second in the queue, the third nowhere
        wrapped.reached.clear()
        steps.release()
        assert wrapped.reached.wait(10)  # now the second is in the handler, and there is room
        log.info("n 3")
        steps.release(10)
        handler.close()
        assert [message.split(" entries")[0] for message in wrapped.messages] == ["n 0", "n 1", "dropped 1", "n 3"]

    def test_a_gap_can_be_formatted(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap(max_queue_size=1)
        log = logger_to(handler)
        stalled(wrapped, log)
        log.info("kept")
        log.info("dropped")
        wrapped.gate.set()
        handler.flush()
        told = json.loads(MainFormatter().format(wrapped.records[-1]))
        assert (told["level"], told["extra"]["dropped"], told["extra"]["reason"]) == ("WARNING", 1, "queue full")

    @pytest.mark.parametrize("size", [0, -1])
    def test_a_queue_without_room_is_an_error(self, wrapped: Keeping, size: int):
        with pytest.raises(ConfigError, match=f"max_queue_size: {size} "):
            AsyncHandler(wrapped, size)


class TestFaults:
    def test_a_handler_that_raises_loses_that_record_alone(self, wrap: Wrap, wrapped: Keeping):
        wrapped.fails = 2
        handler = wrap()
        log = logger_to(handler)
        for number in range(4):
            log.info("n %d", number)
        handler.flush()
        assert wrapped.messages == ["n 2", "n 3"]
        assert handler.failed == 2

    def test_arguments_that_do_not_fit_raise_nothing(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap()
        log = logger_to(handler)
        log.info("%d %d", "one")  # noqa: PLE1206 - that is the test
        log.info("next")
        handler.flush()
        assert wrapped.records[-1].getMessage() == "next"

    def test_what_the_wrapped_handler_logs_itself_is_counted_not_queued(self):
        class Talking(Keeping):
            @override
            def emit(self, record: logging.LogRecord) -> None:
                super().emit(record)
                log.info("I wrote it")

        wrapped = Talking()
        handler = AsyncHandler(wrapped)
        log = logger_to(handler)
        log.info("one")
        handler.close()
        assert wrapped.messages == ["one"]
        assert handler.self_logged == 1

    def test_flushing_from_the_wrapped_handler_does_not_wait_for_itself(self):
        class Flushing(Keeping):
            @override
            def emit(self, record: logging.LogRecord) -> None:
                super().emit(record)
                handler.flush()

        wrapped = Flushing()
        handler = AsyncHandler(wrapped)
        logger_to(handler).info("one")
        handler.close()
        assert wrapped.messages == ["one"]

    def test_where_no_thread_can_be_had_flush_hands_on(
        self, wrap: Wrap, wrapped: Keeping, monkeypatch: pytest.MonkeyPatch
    ):
        def refuse(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        handler = wrap()
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            logger_to(handler).info("one")
            assert wrapped.records == []
            handler.flush()
        assert wrapped.messages == ["one"]

    async def test_a_flush_that_raises_is_said_not_raised(self, wrap: Wrap, wrapped: Keeping):
        def fail() -> None:
            raise OSError("disk full")

        wrapped.flush = fail
        wrap().flush()
        await eventually(lambda: "metaexpert-notice" not in {thread.name for thread in threading.enumerate()})

    def test_a_filter_of_its_own_counts(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap()
        handler.addFilter(lambda record: "no" not in record.getMessage())
        log = logger_to(handler)
        log.info("no")
        log.info("yes")
        handler.flush()
        assert wrapped.messages == ["yes"]

    def test_a_fork_waits_for_the_record_in_the_wrapped_handler(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap()
        log = logger_to(handler)
        stalled(wrapped, log)
        opening = threading.Timer(0.05, wrapped.gate.set)
        opening.start()
        async_handler._hold_all()
        try:
            assert wrapped.messages == ["stalls"]
        finally:
            async_handler._let_go_all()
            opening.join()
        log.info("goes on")
        handler.flush()
        assert wrapped.messages == ["stalls", "goes on"]

    async def test_a_forked_child_begins_empty(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap(max_queue_size=1)
        log = logger_to(handler)
        stalled(wrapped, log)
        log.info("the parent's")
        log.info("dropped by the parent")
        handler.begin_empty()  # as the fork does in the child
        log.info("the child's")
        wrapped.gate.set()
        # here the parent's thread lives on beside the child's and hands its one record on, now or later
        await eventually(lambda: set(wrapped.messages) == {"stalls", "the child's"})
        assert handler.dropped == {}

    def test_no_flush_waits_for_ever(self, wrap: Wrap, wrapped: Keeping, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(async_handler, "FLUSH_SECONDS", 0.05)
        handler = wrap()
        log = logger_to(handler)
        stalled(wrapped, log)
        log.info("waits")
        handler.flush()
        assert wrapped.flushed == 0
        handler.close()
        assert handler.dropped == {logging.INFO: 1}


class TestClosing:
    def test_completes_what_is_queued_and_closes_the_wrapped_handler_once(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap()
        log = logger_to(handler)
        for number in range(100):
            log.info("n %d", number)
        handler.close()
        handler.close()
        assert len(wrapped.records) == 100
        assert (wrapped.closed, wrapped.flushed) == (1, 1)

    async def test_what_comes_afterwards_is_counted(self, wrap: Wrap, wrapped: Keeping):
        handler = wrap()
        handler.close()
        logger_to(handler).error("late")
        assert wrapped.records == []
        assert handler.dropped == {logging.ERROR: 1}
        await eventually(lambda: "metaexpert-notice" not in {thread.name for thread in threading.enumerate()})


PROGRAM = """
import logging, os, sys
from metaexpert.logger import AsyncHandler, MainFormatter
handler = AsyncHandler(logging.FileHandler(sys.argv[1]))
handler.setFormatter(MainFormatter())
log = logging.getLogger("program")
log.addHandler(handler)
log.setLevel(logging.DEBUG)
for number in range(1000):
    log.info("n %d", number)
"""


class TestWholePrograms:
    def run(self, body: str, file: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", body, str(file)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @pytest.mark.parametrize(("end", "code"), [("", 0), ("sys.exit(3)", 3), ("raise ValueError", 1)])
    def test_everything_is_written_at_exit(self, tmp_path: Path, end: str, code: int):
        file = tmp_path / "out.log"
        done = self.run(PROGRAM + end, file)
        assert done.returncode == code
        told = [json.loads(line)["message"] for line in file.read_text().splitlines()]
        assert told == [f"n {number}" for number in range(1000)]

    def test_a_record_logged_at_exit_is_written_too(self, tmp_path: Path):
        body = PROGRAM.replace(
            "for number in range(1000):\n    log", "import atexit\natexit.register(log.info, 'last')\n#"
        )
        file = tmp_path / "out.log"
        assert self.run(body, file).returncode == 0
        assert json.loads(file.read_text())["message"] == "last"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
    def test_a_forked_child_writes_its_own_and_nothing_twice(self, tmp_path: Path):
        body = (
            PROGRAM
            + """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
child = os.fork()
if child == 0:
    log.info("child")
    logging.shutdown()
    os._exit(0)
os.waitpid(child, 0)
log.info("parent")
"""
        )
        file = tmp_path / "out.log"
        assert self.run(body, file).returncode == 0
        told = [json.loads(line)["message"] for line in file.read_text().splitlines()]
        assert sorted(told) == sorted([*(f"n {number}" for number in range(1000)), "child", "parent"])
