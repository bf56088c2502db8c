"""What a signal handler or a finalizer logs amid the pipeline's own work is the program's, and arrives."""

import logging
import signal
import weakref
from collections.abc import Callable
from functools import partial
from types import FrameType

import pytest
from support.programs import POSIX
from support.running_logger import logging_to

from metaexpert.logger import MemoryOptions, get_logger
from metaexpert.logger.entry import Capture
from metaexpert.logger.sinks.memory import MemorySink

log = get_logger("interruption")
theirs = logging.getLogger("interruption.theirs")


def _by_function(_number: int, _frame: FrameType | None) -> None:
    log.warning("from a handler")


class _Handlers:
    def method(self, _number: int, _frame: FrameType | None) -> None:
        log.warning("from a handler")

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        theirs.warning("from a handler")


def _with_more(_more: str, _number: int, _frame: FrameType | None) -> None:
    _Handlers()(0, None)


class _Finalized:
    def __del__(self) -> None:
        theirs.warning("from __del__")


class _Thing:
    pass


async def _logged(*interruptions: Callable[[], object], self_logged: int = 0) -> list[str]:
    """What is in the sink after these were called within its encoding, amid the dispatcher's work."""
    async with logging_to(MemoryOptions(name="memory")) as runtime:
        sink = runtime.sinks["memory"]
        assert isinstance(sink, MemorySink)
        usual, waiting = sink.encode, [*interruptions]

        def encode(entry: Capture) -> bytes:
            while waiting:
                waiting.pop()()
            return usual(entry)

        sink.encode = encode
        log.info("ordinary")
        assert await runtime.flush()
        assert await runtime.flush()
        assert not waiting
        assert runtime.stats().ingress.self_logged == self_logged
        return [entry["message"] for entry in sink.entries]


@POSIX
@pytest.mark.parametrize(
    "handler",
    [_by_function, _Handlers().method, _Handlers(), partial(_with_more, "more")],
    ids=["function", "method", "object", "partial"],
)
async def test_a_signal_handler_is_heard(handler: Callable[[int, FrameType | None], object]) -> None:
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        assert await _logged(lambda: signal.raise_signal(signal.SIGUSR1)) == ["ordinary", "from a handler"]
    finally:
        signal.signal(signal.SIGUSR1, before)


async def test_finalizers_are_heard() -> None:
    def finalize() -> None:
        weakref.finalize(_Thing(), log.warning, "finalized")

    assert await _logged(_Finalized) == ["ordinary", "from __del__"]
    assert await _logged(finalize) == ["ordinary", "finalized"]


async def test_what_the_work_itself_logs_is_not() -> None:
    ours, others = (lambda: log.warning("from the work")), (lambda: theirs.warning("from the work"))
    assert await _logged(ours, others, self_logged=2) == ["ordinary"]
