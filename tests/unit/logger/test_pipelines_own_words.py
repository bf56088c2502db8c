"""What the pipeline says itself: gap entries in the stream, notices on stderr, and who it says it is."""

import dataclasses
import io
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, override

import orjson
import pytest

from metaexpert.logger import Logger
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.entry import Lane, LogEntry
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.gaps import gap_entry
from metaexpert.logger.identity import Identity
from metaexpert.logger.notices import QUIET_SECONDS, Notices


class TestGapEntry:
    def entry(self) -> dict[str, Any]:
        by_level = {logging.DEBUG: 1180, logging.INFO: 24}
        entry = gap_entry("loki", by_level, (17, 99_000), (1_000_000_000, 1_800_000_000), "queue full")
        assert LogEntry(entry).lane is Lane.PROTECTED
        return orjson.loads(JsonLines(Identity(service="x"))(entry))

    def test_says_what_was_dropped(self):
        line = self.entry()
        assert (line["log_type"], line["level"]) == ("gap", "WARNING")
        assert line["extra"] == {
            "sink": "loki",
            "dropped": 1204,
            "by_level": {"INFO": 24, "DEBUG": 1180},
            "first_seq": 17,
            "last_seq": 99_000,
            "seconds": 0.8,
            "reason": "queue full",
        }

    def test_says_it_in_words(self):
        words = re.sub(r"[\s,]", " ", self.entry()["message"])
        for part in ("1 204 entries", "1 180 DEBUG", "24 INFO", "seq 17-99", "0.8 s", "queue full"):
            assert part in words

    def test_each_has_a_number_and_a_time_of_its_own(self):
        first, second = self.entry(), self.entry()
        assert first["seq"] < second["seq"]
        assert first["timestamp"] <= second["timestamp"]


class TestNotices:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [1000.0]
        monkeypatch.setattr("metaexpert.logger.notices.time", SimpleNamespace(monotonic=lambda: now[0]))
        return now

    @pytest.fixture
    def said(self, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
        """The lines said since it was last asked."""

        def after_all_have_spoken() -> list[str]:
            for thread in threading.enumerate():
                if thread.name == "metaexpert-notice":
                    thread.join(20)
            return sorted(capsys.readouterr().err.splitlines())

        return after_all_have_spoken

    def test_a_line_names_its_subject(self, said: Callable[[], list[str]]):
        Notices().say("sink loki", "down")
        assert said() == ["metaexpert.logger: sink loki: down"]

    def test_a_subject_speaks_rarely_and_then_says_how_often_it_was_silent(
        self, said: Callable[[], list[str]], clock: list[float]
    ):
        notices = Notices()
        for _ in range(4):
            notices.say("loki", "down")
        assert said() == ["metaexpert.logger: loki: down"]
        clock[0] += QUIET_SECONDS - 0.1
        notices.say("loki", "down")
        assert said() == []
        clock[0] += 0.2
        notices.say("loki", "still down")
        assert said() == ["metaexpert.logger: loki: still down (4 more like this)"]
        clock[0] += QUIET_SECONDS + 1
        notices.say("loki", "again")
        assert said() == ["metaexpert.logger: loki: again"]

    @pytest.mark.usefixtures("clock")
    def test_subjects_do_not_silence_each_other(self, said: Callable[[], list[str]]):
        notices = Notices()
        notices.say("loki", "down")
        notices.say("file", "full")
        assert len(said()) == 2

    @pytest.mark.parametrize("broken", ["closed", "absent", "failing"])
    def test_a_stderr_that_does_not_work_harms_nobody(self, monkeypatch: pytest.MonkeyPatch, broken: str):
        class Failing(io.StringIO):
            @override
            def write(self, s: str, /) -> int:
                raise OSError("pipe is gone")

        stream: io.StringIO | None = Failing() if broken == "failing" else io.StringIO()
        if broken == "closed":
            assert stream is not None
            stream.close()
        failed: list[Any] = []
        monkeypatch.setattr(threading, "excepthook", failed.append)
        monkeypatch.setattr(sys, "stderr", None if broken == "absent" else stream)
        Notices().say("loki", "down")
        for thread in threading.enumerate():
            if thread.name == "metaexpert-notice":
                thread.join(20)
        assert failed == []

    def test_without_a_thread_to_be_had_nothing_fails_and_the_next_notice_says_both(
        self, said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
    ):
        def refused(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        notices = Notices()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refused)
            notices.say("loki", "down")
        assert said() == []
        notices.say("file", "full")
        assert said() == ["metaexpert.logger: file: full", "metaexpert.logger: loki: down"]


class Stalled(io.StringIO):
    """A stderr whose reader takes nothing until `moving` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.moving = threading.Event()

    @override
    def write(self, s: str, /) -> int:
        self.reached.set()
        self.moving.wait(20)
        return super().write(s)

    def said_at_last(self) -> list[str]:
        """Let it move on; every line said since."""
        self.moving.set()
        for thread in notice_threads():
            thread.join(20)
        return self.getvalue().splitlines()


def notice_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "metaexpert-notice"]


class TestStalledStderr:
    @pytest.fixture
    def stderr(self) -> Iterator[Stalled]:
        """To be put in stderr's place in the test: pytest puts its own there between a fixture and its test."""
        stream = Stalled()
        yield stream
        stream.moving.set()

    def test_one_thread_waits_and_every_line_is_said_later(self, stderr: Stalled, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(sys, "stderr", stderr)
        notices = Notices()
        for number in range(60):
            notices.say(f"sink {number}", "down")
        assert stderr.reached.wait(20)
        assert len(notice_threads()) == 1
        assert stderr.said_at_last() == [f"metaexpert.logger: sink {number}: down" for number in range(60)]

    def test_the_lines_that_wait_are_bounded_and_the_newest_stay(
        self, stderr: Stalled, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(sys, "stderr", stderr)
        notices = Notices()
        notices.say("the first", "down")
        assert stderr.reached.wait(20)
        for number in range(1000):
            notices.say(f"sink {number}", "down")
        assert len(notice_threads()) == 1
        first, *rest = stderr.said_at_last()
        assert first == "metaexpert.logger: the first: down"
        assert 1 <= len(rest) <= 200
        assert rest == [f"metaexpert.logger: sink {number}: down" for number in range(1000 - len(rest), 1000)]


class TestSelfLogging:
    def test_what_is_logged_under_the_pipeline_is_counted_and_not_queued(
        self, runtime: Any, lines: Callable[[], list[Any]], log: Logger
    ):
        token = current_fields.set(PIPELINE)
        try:
            log.error("no %s", 1)
            log.info("no", a=1)
            log.trade.order_cancelled(order_id=1)
        finally:
            current_fields.reset(token)
        log.info("yes")
        assert [entry["message"] for entry in lines()] == ["yes"]
        assert runtime.stats().ingress.self_logged == 3


class TestIdentity:
    def test_each_run_has_a_name_of_its_own(self):
        names = {Identity(service="x").boot_id for _ in range(200)}
        assert len(names) == 200

    def test_later_runs_sort_later(self, monkeypatch: pytest.MonkeyPatch):
        ids: list[str] = []
        for seconds in (1, 1_000, 1_700_000_000, 1_700_000_001, 4_000_000_000):
            monkeypatch.setattr("metaexpert.logger.identity.time.time_ns", lambda now=seconds: now * 10**9)
            ids.append(Identity(service="x").boot_id)
        assert ids == sorted(ids)
        assert len({len(one) for one in ids}) == 1

    def test_an_entrys_id_is_its_run_and_number(self):
        identity = Identity(service="x", boot_id="boot")
        assert identity.entry_id(7) == "boot-7"
        assert identity.pid == os.getpid()
        with pytest.raises(dataclasses.FrozenInstanceError):
            identity.pid = 1  # pyright: ignore[reportAttributeAccessIssue]
