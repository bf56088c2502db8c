"""Hooks are chained, say each exception once, never raise, and are put back."""

import asyncio
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from metaexpert.logger.entry import LogEntry
from metaexpert.logger.hooks import UNHANDLED, Hooks, log_unhandled
from metaexpert.logger.port import port
from metaexpert.logger.reported import mark_reported


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What hooks of somebody's, set before ours, were called with."""
    calls: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda *_: calls.append("sys"))
    monkeypatch.setattr(sys, "unraisablehook", lambda _: calls.append("unraisable"))
    monkeypatch.setattr(threading, "excepthook", lambda _: calls.append("thread"))
    monkeypatch.setattr(warnings, "showwarning", lambda *_, **__: calls.append("warning"))
    return calls


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    installed = Hooks(exceptions=True, warned=True)
    installed.install()
    yield installed
    installed.remove()


def logged() -> list[LogEntry]:
    return [LogEntry(each) for each in port.ingress.take(100)]


def raised(error: BaseException) -> tuple[type[BaseException], BaseException, Any]:
    try:
        raise error  # noqa: TRY301 - what a hook is given has been raised
    except BaseException as caught:  # noqa: BLE001 - the very thing a hook is given
        return type(caught), caught, caught.__traceback__


def thread_args(error: BaseException, thread: threading.Thread | None = None) -> Any:
    kind, value, trace = raised(error)
    return SimpleNamespace(exc_type=kind, exc_value=value, exc_traceback=trace, thread=thread)


@pytest.mark.usefixtures("hooks")
def test_an_uncaught_exception_is_logged_where_it_was_raised_and_passed_on(heard: list[str]):
    sys.excepthook(*raised(ValueError("no good")))
    (entry,) = logged()
    assert (entry.logger, entry.level, entry.message) == (UNHANDLED, logging.CRITICAL, "unhandled exception")
    assert entry.capture[5].co_name == "raised"
    assert heard == ["sys"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), GeneratorExit()])
@pytest.mark.usefixtures("hooks")
def test_what_is_no_exception_is_passed_on_alone(heard: list[str], error: BaseException):
    sys.excepthook(*raised(error))
    threading.excepthook(thread_args(error))
    assert logged() == []
    assert heard == ["sys", "thread"]


@pytest.mark.usefixtures("hooks")
def test_one_that_was_logged_already_is_passed_on_alone(heard: list[str]):
    error = ValueError("no good")
    mark_reported(error)
    sys.excepthook(*raised(error))
    assert logged() == []
    assert heard == ["sys"]


@pytest.mark.usefixtures("hooks")
def test_of_a_thread_and_of_one_that_is_gone(heard: list[str]):
    threading.excepthook(thread_args(ValueError("a"), threading.Thread(name="worker")))
    threading.excepthook(thread_args(ValueError("b")))
    assert [entry.message for entry in logged()] == ["unhandled exception in thread"] * 2
    assert heard == ["thread", "thread"]


@pytest.mark.usefixtures("hooks")
def test_an_unraisable_one(heard: list[str]):
    kind, value, trace = raised(ValueError("no good"))
    args = SimpleNamespace(exc_type=kind, exc_value=value, exc_traceback=trace, err_msg="in vain", object=len)
    sys.unraisablehook(cast("Any", args))
    (entry,) = logged()
    assert (entry.level, entry.message) == (logging.ERROR, "in vain")
    assert heard == ["unraisable"]


@pytest.mark.usefixtures("hooks")
def test_a_warning_is_said_once_and_one_for_a_file_goes_there(heard: list[str]):
    warnings.showwarning("old", DeprecationWarning, "module.py", 3)
    (entry,) = logged()
    assert (entry.logger, entry.level, entry.message) == ("py.warnings", logging.WARNING, "old")
    assert heard == []
    warnings.showwarning("old", DeprecationWarning, "module.py", 3, sys.stderr)
    assert logged() == []
    assert heard == ["warning"]


@pytest.mark.usefixtures("hooks")
def test_a_hook_that_fails_passes_on(heard: list[str], monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("metaexpert.logger.hooks.log_record", broken)
    sys.excepthook(*raised(ValueError("no good")))
    assert heard == ["sys"]


def test_removed_they_are_as_before_and_only_pass_on(heard: list[str]):
    before = sys.excepthook
    hooks = Hooks(exceptions=True, warned=True)
    hooks.install()
    ours = sys.excepthook
    hooks.remove()
    assert sys.excepthook is before
    ours(*raised(ValueError("no good")))
    assert logged() == []
    assert heard == ["sys"]


def test_one_put_over_ours_stays():
    hooks = Hooks(exceptions=True, warned=False)
    hooks.install()
    over = sys.excepthook = lambda *_: None
    hooks.remove()
    assert sys.excepthook is over


def test_only_what_is_wanted_is_touched():
    before = (sys.excepthook, warnings.showwarning)
    hooks = Hooks(exceptions=False, warned=False)
    hooks.install()
    assert (sys.excepthook, warnings.showwarning) == before


class TestLoop:
    def test_a_loops_own_handler_is_called_too_and_given_back(self, runner: asyncio.Runner):
        loop, told = runner.get_loop(), list[str]()
        mine = lambda _, context: told.append(context["message"])  # noqa: E731 - compared by identity
        loop.set_exception_handler(mine)
        hooks = Hooks(exceptions=True, warned=False)
        hooks.watch(loop)
        loop.call_exception_handler({"message": "odd", "exception": ValueError("no good"), "handle": loop})
        (entry,) = logged()
        assert (entry.logger, entry.level, entry.message) == ("asyncio", logging.ERROR, "odd")
        assert told == ["odd"]
        hooks.unwatch()
        assert loop.get_exception_handler() is mine

    def test_one_set_later_stays(self, runner: asyncio.Runner):
        loop = runner.get_loop()
        hooks = Hooks(exceptions=True, warned=False)
        hooks.watch(loop)
        mine = lambda *_: None  # noqa: E731 - compared by identity
        loop.set_exception_handler(mine)
        hooks.remove()
        assert loop.get_exception_handler() is mine

    def test_watching_another_leaves_the_first_as_it_was(self, runner: asyncio.Runner):
        loop, other = runner.get_loop(), asyncio.new_event_loop()
        hooks = Hooks(exceptions=True, warned=False)
        hooks.watch(loop)
        hooks.watch(other)
        assert loop.get_exception_handler() is None
        assert other.get_exception_handler() is not None
        hooks.forget_loop()
        hooks.remove()
        assert other.get_exception_handler() is not None
        other.close()


def test_a_record_without_an_exception_is_logged_too():
    log_unhandled(UNHANDLED, logging.ERROR, "odd", None, field=1)
    (entry,) = logged()
    assert entry.message == "odd"


def test_a_disabled_level_is_heeded():
    logging.getLogger(UNHANDLED).setLevel(logging.CRITICAL + 1)
    log_unhandled(UNHANDLED, logging.CRITICAL, "odd", ValueError())
    assert logged() == []
