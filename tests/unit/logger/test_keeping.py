"""The journal of a running logger: what a reload changes of it, and who may wait for it."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.fake_sinks import FakeSink
from support.running_logger import logging_to

from metaexpert.exceptions import LoggingStateError, ReceiptError
from metaexpert.logger import CustomOptions, FileOptions, JournalOptions, MemoryOptions, get_logger
from metaexpert.logger.journal.journal import Journal
from metaexpert.logger.journal.room import Room
from metaexpert.logger.runtime import LoggingRuntime

SECONDS = 30.0
LEAST = {"segment_bytes": 256 * 1024, "max_bytes": 512 * 1024}
FILE = FileOptions(path="all.log")


def to(tmp_path: Path, *sinks: Any, **config: Any) -> LoggingRuntime:
    return logging_to(*(sinks or (FILE,)), log_dir=tmp_path / "logs", **config)


def journal_of(runtime: LoggingRuntime) -> Journal:
    pipeline = runtime._pipeline
    assert pipeline is not None
    assert pipeline.journal is not None
    return pipeline.journal


async def reloaded(runtime: LoggingRuntime, **journal: Any) -> None:
    options = JournalOptions(**{**runtime.config.journal.model_dump(), **journal})
    await runtime.reload(runtime.config.model_copy(update={"journal": options}))


async def said(capfd: pytest.CaptureFixture[str]) -> str:
    await eventually(lambda: not [each for each in threading.enumerate() if each.name == "metaexpert-notice"])
    return capfd.readouterr().err


class TestReload:
    async def test_the_hook_and_the_cap_are_those_of_the_new_configuration(self, tmp_path: Path):
        told: list[int] = []
        async with to(tmp_path, journal=LEAST) as runtime, asyncio.timeout(SECONDS):
            await reloaded(runtime, on_audit_failure=lambda _reason, entries: told.append(entries))
            journal_of(runtime).failed("a reason", 7)
            assert told == [7]
            assert journal_of(runtime).room._max_segments == 2
            await reloaded(runtime, max_bytes=1024 * 1024)
            assert journal_of(runtime).room._max_segments == 4

    async def test_syncs_come_as_often_as_the_new_configuration_says(self, tmp_path: Path):
        async with to(tmp_path, journal={"fsync_interval": 60.0}) as runtime, asyncio.timeout(SECONDS):
            await reloaded(runtime, fsync_interval=0.001)
            get_logger("keeping.interval").error("x")
            await eventually(lambda: journal_of(runtime).counters.syncs, SECONDS)

    async def test_the_recorder_takes_what_the_new_configuration_says(self, tmp_path: Path):
        log = get_logger("keeping.level")
        async with to(tmp_path, log_level="INFO") as runtime, asyncio.timeout(SECONDS):
            recorder = tmp_path / "logs" / "journal" / f"{journal_of(runtime).run}.recorder"
            log.debug("not yet")
            await reloaded(runtime, recorder_level="DEBUG")
            log.debug("from now on")
            assert b"from now on" in recorder.read_bytes()
            assert b"not yet" not in recorder.read_bytes()

    async def test_what_has_to_wait_for_the_next_start_is_said(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
        async with to(tmp_path, journal=LEAST) as runtime, asyncio.timeout(SECONDS):
            await reloaded(runtime, folder=tmp_path / "elsewhere", mode="pwrite", enabled=False)
            await get_logger("keeping.same").error("x")
        assert "journal.enabled, journal.folder, journal.mode: what changed here" in await said(capfd)

    async def test_nothing_is_said_where_nothing_waits(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
        async with to(tmp_path, journal=LEAST) as runtime, asyncio.timeout(SECONDS):
            await reloaded(runtime, max_bytes=1024 * 1024)
        assert "reload" not in await said(capfd)

    async def test_a_sink_removed_with_protected_entries_it_never_got_is_told_to_the_hook(self, tmp_path: Path):
        told: list[tuple[str, int]] = []
        sink = FakeSink()
        sink.may_write.clear()
        custom = CustomOptions(new_sink=lambda _: sink)
        hook = {"on_audit_failure": lambda reason, entries: told.append((reason, entries))}
        async with to(tmp_path, FILE, custom, shutdown_timeout=0.1, journal=hook) as runtime:
            get_logger("keeping.removed").error("x")
            await eventually(lambda: sink.batches, SECONDS)
            await runtime.reload(runtime.config.model_copy(update={"sinks": (FILE,)}))
            assert told == [("custom was removed before it had all protected entries", 1)]


class TestWhoMayWait:
    async def test_not_the_loop_that_logging_lives_on(self, tmp_path: Path):
        async with to(tmp_path), asyncio.timeout(SECONDS):
            receipt = get_logger("keeping.here").error("x")
            with pytest.raises(LoggingStateError, match="await receipt"):
                receipt.wait(SECONDS)
            await receipt
        receipt.wait(SECONDS)

    def test_not_without_a_limit_for_a_loop_that_stands_still(self, tmp_path: Path):
        loop = asyncio.new_event_loop()

        async def begun() -> LoggingRuntime:
            return to(tmp_path).begin()

        try:
            runtime = loop.run_until_complete(begun())
            receipt = get_logger("keeping.still").error("x")
            with pytest.raises(LoggingStateError, match="does not run"):
                receipt.wait()
            with pytest.raises(TimeoutError):
                receipt.wait(0.01)
            loop.run_until_complete(runtime.stop())
            receipt.wait()
        finally:
            loop.close()

    async def test_a_receipt_that_failed_says_so_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        async with to(tmp_path, MemoryOptions(), journal={"enabled": True}) as runtime:
            told: list[int] = []
            await reloaded(runtime, on_audit_failure=lambda _reason, entries: told.append(entries))

            def broken(_: object) -> bytes:
                raise RuntimeError("broken")

            monkeypatch.setattr(journal_of(runtime), "_encode", broken)
            receipt = get_logger("keeping.failed").error("x")
            with pytest.raises(ReceiptError, match="broken"):
                receipt.wait()
            assert told == [1]
            assert await runtime.flush(SECONDS)
            sink: Any = runtime.sinks["memory"]
            assert [entry["message"] for entry in sink.entries] == ["x"]


class TestNoRoomOnTheWayIn:
    async def test_what_the_journal_has_is_read_back_in_its_turn(self, tmp_path: Path):
        log = get_logger("keeping.full")
        async with to(tmp_path, FILE, MemoryOptions()) as runtime, asyncio.timeout(SECONDS):
            pipeline = runtime._pipeline
            assert pipeline is not None
            pipeline.ingress.resize(8, 10_000_000, 0.0)
            for number in range(100):  # nothing is dispatched meanwhile
                log.error("n %d", number, number=number)
            assert pipeline.ingress.queued_entries == 100
            log.info("an ordinary one finds no room")
            assert await runtime.flush(SECONDS) is False
            sink: Any = runtime.sinks["memory"]
            entries = [entry for entry in sink.entries if entry["log_type"] == "general"]
            assert [entry["message"] for entry in entries] == [f"n {number}" for number in range(100)]
            assert entries[99].keys() == entries[0].keys()
            assert [entry["extra"] for entry in entries] == [{"number": number} for number in range(100)]
            assert {entry["line"] for entry in entries} == {entries[0]["line"]}
            stats = runtime.stats()
            assert dict(stats.ingress.dropped) == {("INFO", "ingress full"): 1}
            assert stats.journal is not None
            assert (stats.journal.kept_entries, stats.journal.failures) == (0, 0)
            lines = (tmp_path / "logs" / "all.log").read_text(encoding="utf-8")
            assert lines.count('"n ') == 100

    async def test_what_a_stop_cannot_route_is_not_counted_as_dropped(self, tmp_path: Path):
        runtime = to(tmp_path, MemoryOptions(), journal={"enabled": True}, shutdown_timeout=0.05)
        async with runtime:
            pipeline = runtime._pipeline
            assert pipeline is not None
            pipeline.ingress.resize(8, 10_000_000, 0.0)
            pipeline._tasks["dispatcher"].cancel()
            for number in range(20):
                get_logger("keeping.stop").error("n %d", number)
        assert not runtime.stats().ingress.dropped
        async with to(tmp_path, MemoryOptions(), journal={"enabled": True}) as again, asyncio.timeout(SECONDS):
            assert await again.flush(SECONDS)
            sink: Any = again.sinks["memory"]
            assert [entry["message"] for entry in sink.entries][:20] == [f"n {number}" for number in range(20)]


class TestBeginning:
    async def test_one_that_is_interrupted_leaves_nothing_that_looks_like_a_crash(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ):
        def interrupted(_: Room) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as context:
            context.setattr(Room, "prepare", interrupted)
            with pytest.raises(KeyboardInterrupt):
                to(tmp_path).begin()
        assert not list((tmp_path / "logs").glob("journal/*"))
        async with to(tmp_path), asyncio.timeout(SECONDS):
            await get_logger("keeping.again").error("x")
        assert await said(capfd) == ""

    async def test_sinks_it_has_no_bit_for_are_named(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
        sinks = [MemoryOptions(name=f"s{number}") for number in range(65)]
        async with to(tmp_path, *sinks, journal={"enabled": True}):
            pass
        assert "it serves 63 sinks; what a crash leaves is not recovered for s63, s64" in await said(capfd)
