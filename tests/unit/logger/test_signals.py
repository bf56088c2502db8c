"""Signal handlers are chained, stay out of what others handle, and tell the program what it has to do."""

import asyncio
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from metaexpert.logger import signals
from metaexpert.logger.signals import Signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


class Program:
    """Notes what it is told."""

    def __init__(self, *, asked: bool = True) -> None:
        self.asked = asked
        self.told: list[str] = []

    def terminate(self) -> bool:
        self.told.append("terminate")
        return self.asked

    def finish(self) -> None:
        self.told.append("finish")

    def reread(self) -> None:
        self.told.append("reread")


@pytest.fixture(autouse=True)
def dispositions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process's handlers as they were."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def deaths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Signals the process would have died of."""
    died: list[int] = []
    monkeypatch.setattr(signals, "die_of", died.append)
    monkeypatch.setattr(signals, "_let_go_of_stalled_readers", lambda: None)  # it sets an alarm, for what ends anyway
    return died


def installed(program: Program, *, rereads: bool = False) -> Signals:
    handlers = Signals(program, rereads=rereads)
    handlers.install()
    return handlers


def test_the_first_asks_the_second_ends(deaths: list[int]):
    program = Program()
    handlers = installed(program)
    signal.raise_signal(signal.SIGTERM)
    assert (program.told, deaths, handlers.received) == (["terminate"], [], signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert deaths == [signal.SIGTERM]


def test_where_there_is_nobody_to_ask_it_is_finished_there_and_then(deaths: list[int]):
    program = Program(asked=False)
    installed(program)
    signal.raise_signal(signal.SIGTERM)
    assert program.told == ["terminate", "finish"]
    assert deaths == [signal.SIGTERM]


def test_after_a_stop_by_signal_it_dies_of_it_at_exit_and_else_not(deaths: list[int]):
    handlers = installed(Program())
    handlers.die()
    assert deaths == []
    signal.raise_signal(signal.SIGTERM)
    handlers.remove()
    assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL, "a second one still ends at once"
    handlers.die()
    assert deaths == [signal.SIGTERM]


def test_the_cancellation_that_ended_the_main_task_is_no_news(deaths: list[int], monkeypatch: pytest.MonkeyPatch):
    heard: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: heard.append(kind))
    installed(Program())
    signal.raise_signal(signal.SIGTERM)
    sys.excepthook(asyncio.CancelledError, asyncio.CancelledError(), None)
    sys.excepthook(ValueError, ValueError(), None)
    assert heard == [ValueError]
    assert deaths == []


def test_what_others_handle_is_left_alone():
    mine = lambda *_: None  # noqa: E731 - compared by identity
    signal.signal(signal.SIGTERM, mine)
    installed(Program()).remove()
    assert signal.getsignal(signal.SIGTERM) is mine


def test_put_back_unless_somebody_came_after():
    handlers = installed(Program(), rereads=True)
    over = lambda *_: None  # noqa: E731 - compared by identity
    signal.signal(signal.SIGTERM, over)
    handlers.remove()
    assert signal.getsignal(signal.SIGTERM) is over
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


def test_a_hang_up_rereads_and_goes_on_to_who_was_there():
    heard: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: heard.append(number))
    program = Program()
    installed(program, rereads=True)
    signal.raise_signal(signal.SIGHUP)
    assert program.told == ["reread"]
    assert heard == [signal.SIGHUP]


def test_an_ignored_hang_up_stays_ignored():
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    installed(Program(), rereads=True)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_only_the_main_thread_may_set_them():
    handlers = Signals(Program(), rereads=True)
    thread = threading.Thread(target=handlers.install)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


@pytest.mark.parametrize("asked", [True, False])
def test_an_interrupt_of_a_stop_ends_it_at_once_where_one_asked_for_it(deaths: list[int], asked: bool):
    heard: list[int] = []
    mine = lambda number, _: heard.append(number)  # noqa: E731 - compared by identity
    signal.signal(signal.SIGINT, mine)
    handlers = installed(Program())
    handlers.begin_stop(asked=asked)
    signal.raise_signal(signal.SIGINT)
    assert deaths == ([signal.SIGINT] if asked else [])
    assert heard or asked
    signal.raise_signal(signal.SIGINT)
    assert deaths[-1:] == [signal.SIGINT]
    handlers.end_stop()
    assert signal.getsignal(signal.SIGINT) is mine


def test_a_child_begins_with_the_defaults():
    handlers = installed(Program(), rereads=True)
    handlers.received = signal.SIGTERM
    handlers.leave_to_child()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
