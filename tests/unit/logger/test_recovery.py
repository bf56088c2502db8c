"""What former runs left, taken over by a running logger: to whom it goes, and what becomes of what nobody takes."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.fake_sinks import capture
from support.journals import journal_in
from support.running_logger import logging_to, unbalanced
from support.scripted_collector import ScriptedCollector, serving, status

from metaexpert.exceptions import LoggingStateError
from metaexpert.logger import FileOptions, MemoryOptions, get_logger
from metaexpert.logger import recovery as module
from metaexpert.logger.journal.crash_reports import reports
from metaexpert.logger.journal.journal import Journal
from metaexpert.logger.runtime import LoggingRuntime

SECONDS = 30.0
SETTINGS: dict[str, dict[str, str]] = {"splunk": {"token": "x"}}


def killed(journal: Journal) -> None:
    """Let go of a run's files as its end by a signal does."""
    lock = journal._lock
    journal.forget()
    assert lock is not None
    lock.forget()


def left(tmp_path: Path, *sinks: str, routed: bool, seqs: tuple[int, ...] = (1, 2, 3)) -> str:
    """A run that was killed, whose sinks had settled nothing."""
    journal = journal_in(tmp_path / "logs" / "journal", *sinks, pid=1)
    entries = [capture(seq, 40) for seq in seqs]
    for entry in entries:
        journal.protect(entry)
    if routed:
        journal.obligations.routed(entries, journal.obligations.mask(sinks))
    killed(journal)
    return journal.run


def to(tmp_path: Path, *sinks: Any, **config: Any) -> LoggingRuntime:
    return logging_to(*sinks, log_dir=tmp_path / "logs", journal={"enabled": True}, **config)


def in_memory(runtime: LoggingRuntime, name: str = "memory") -> list[str]:
    sink: Any = runtime.sinks[name]
    return [entry["message"] for entry in sink.entries]


def journal_files(tmp_path: Path) -> list[str]:
    return sorted(path.suffix for path in (tmp_path / "logs" / "journal").glob("*.*"))


async def test_what_was_never_routed_goes_to_the_sinks_there_are_now(tmp_path: Path):
    left(tmp_path, "former", routed=False)
    async with to(tmp_path, MemoryOptions()) as runtime, asyncio.timeout(SECONDS):
        assert await runtime.flush(SECONDS)
        messages = in_memory(runtime)
        assert messages[:3] == ["m1", "m2", "m3"]
        assert "recovered 3 entries" in messages[3]
        assert not unbalanced(runtime)
    assert journal_files(tmp_path) == []


async def test_a_sink_that_is_configured_no_more_leaves_a_file_aside_and_it_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    run = left(tmp_path, "memory", "former", routed=True)
    async with to(tmp_path, MemoryOptions()) as runtime, asyncio.timeout(SECONDS):
        assert await runtime.flush(SECONDS)
        assert in_memory(runtime)[:3] == ["m1", "m2", "m3"]
    await eventually(lambda: not [each for each in threading.enumerate() if each.name == "metaexpert-notice"])
    assert "configured no more (3 for former)" in capfd.readouterr().err
    assert journal_files(tmp_path) == [".unclaimed"]
    aside = tmp_path / "logs" / "journal" / f"{run}.00000001.unclaimed"
    aside.replace(aside.with_suffix(".journal"))
    async with to(tmp_path, MemoryOptions(), MemoryOptions(name="former")) as runtime, asyncio.timeout(SECONDS):
        assert await runtime.flush(SECONDS)
        assert in_memory(runtime, "former")[:3] == ["m1", "m2", "m3"]
        assert "m1" not in in_memory(runtime)


async def test_a_reload_waits_for_what_former_runs_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    may_go = hold_up(monkeypatch)
    left(tmp_path, "memory", routed=False)
    async with to(tmp_path, MemoryOptions()) as runtime, asyncio.timeout(SECONDS):
        more = (MemoryOptions(level="INFO"), MemoryOptions(name="more"))
        reloading = asyncio.create_task(runtime.reload(runtime.config.model_copy(update={"sinks": more})))
        await asyncio.sleep(0)
        assert not reloading.done()
        may_go.set()
        await reloading
        get_logger("recovery.reload").error("live")
        assert await runtime.flush(SECONDS)
        assert in_memory(runtime)[-1] == "live"
        assert in_memory(runtime, "more")[-1] == "live"
        assert not unbalanced(runtime)


async def test_a_reload_that_would_wait_too_long_is_refused_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    may_go = hold_up(monkeypatch)
    left(tmp_path, "memory", routed=False)
    async with to(tmp_path, MemoryOptions(), shutdown_timeout=0.05) as runtime, asyncio.timeout(SECONDS):
        other = runtime.config.model_copy(update={"sinks": (MemoryOptions(level="ERROR"),)})
        with pytest.raises(LoggingStateError, match="still being taken over"):
            await runtime.reload(other)
        may_go.set()
        assert await runtime.flush(SECONDS)
        assert in_memory(runtime)[:3] == ["m1", "m2", "m3"]


def test_a_move_to_another_loop_amid_it_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    may_go = hold_up(monkeypatch)
    left(tmp_path, "memory", routed=False)
    runtime = to(tmp_path, MemoryOptions()).begin()  # on a thread of its own

    async def moved() -> list[str]:
        async with asyncio.timeout(SECONDS):
            await runtime.start()
            may_go.set()
            assert await runtime.flush(SECONDS)
            messages = in_memory(runtime)
            await runtime.stop()
            return messages

    messages = asyncio.run(moved())
    assert messages[:3] == ["m1", "m2", "m3"]
    assert len(messages) == len(set(messages))


async def test_a_fault_of_its_own_holds_live_entries_up_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> object:
        raise RuntimeError("broken")

    monkeypatch.setattr(module, "taken", broken)
    left(tmp_path, "memory", routed=False)
    log = get_logger("recovery.broken")
    async with to(tmp_path, MemoryOptions()) as runtime, asyncio.timeout(SECONDS):
        log.error("live")
        assert await runtime.flush(SECONDS)
        assert in_memory(runtime) == ["live"]


async def test_a_sink_without_a_bit_is_passed_over(tmp_path: Path):
    names = [f"s{number}" for number in range(64)]
    left(tmp_path, *names, routed=False)
    sinks = [MemoryOptions(name=name) for name in reversed(names)]
    async with to(tmp_path, *sinks) as runtime, asyncio.timeout(SECONDS):
        assert await runtime.flush(SECONDS)
        assert in_memory(runtime, "s63")[:3] == ["m1", "m2", "m3"]
        assert not unbalanced(runtime)


async def test_the_marker_comes_though_the_report_cannot_be_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    may_go, begun = threading.Event(), threading.Event()
    write = module.write_report

    def slow(*args: Any) -> None:
        begun.set()
        assert may_go.wait(SECONDS)
        write(*args)

    monkeypatch.setattr(module, "write_report", slow)
    run = left(tmp_path, "memory", routed=False)
    async with to(tmp_path, MemoryOptions()) as runtime, asyncio.timeout(SECONDS):
        await asyncio.to_thread(begun.wait, SECONDS)
        pipeline = runtime._pipeline
        assert pipeline is not None
        pipeline._tasks["recovery"].begin_anew()
        await asyncio.sleep(0)
        may_go.set()
        assert await runtime.flush(SECONDS)
        messages = in_memory(runtime)
        assert [message for message in messages if "recovered 3 entries" in message] == messages[3:]
        assert len(messages) == 4
    assert [report.run for report in reports(tmp_path / "logs" / "journal")] == [run]


def hold_up(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let the taking over wait for the event that this returns."""
    may_go, take = threading.Event(), module.taken

    def slow(*args: Any) -> Any:
        assert may_go.wait(SECONDS)
        return take(*args)

    monkeypatch.setattr(module, "taken", slow)
    return may_go


async def test_a_file_comes_back_in_order_before_live_ones(tmp_path: Path):
    left(tmp_path, "file", routed=True)
    async with to(tmp_path, FileOptions(path="all.log")) as runtime, asyncio.timeout(SECONDS):
        get_logger("recovery.order").error("live")
        assert await runtime.flush(SECONDS)
    lines = (tmp_path / "logs" / "all.log").read_text(encoding="utf-8").splitlines()
    messages = [json.loads(line)["message"] for line in lines]
    assert [message for message in messages if "recovered" not in message] == ["m1", "m2", "m3", "live"]


@pytest.mark.parametrize("sink", ["ndjson", "elasticsearch", "loki", "otlp", "splunk"])
async def test_refused_now_it_has_the_number_and_id_it_always_had(tmp_path: Path, sink: str):
    run = left(tmp_path, sink, routed=True, seqs=(7,))
    async with (
        serving(ScriptedCollector(status(400, "no"))) as served,
        to(tmp_path, {"type": sink, "name": sink, "url": served.url, **SETTINGS.get(sink, {})}) as runtime,
        asyncio.timeout(SECONDS),
    ):
        await eventually(lambda: runtime.stats().sinks[sink].dead_letters, SECONDS)
    files = (tmp_path / "logs" / "dead-letters" / f"{sink}-{sink}").iterdir()
    lines = [json.loads(line) for file in files if file.is_file() for line in file.read_bytes().splitlines()]
    boot_id = run.partition("-")[0]
    assert [(line["seq"], line["id"]) for line in lines if line["log_type"] == "general"] == [(7, f"{boot_id}-7")]
