"""Tamper evidence of running programs: killed at random instants, degraded, reloaded, anchored in other sinks."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.chained_logs import SECRET, findings
from support.running_logger import logging_to, sink_stats

from metaexpert.logger import EvidenceOptions, FileOptions, MemoryOptions, SinkState, get_logger
from metaexpert.logger.files.evidence import chain as chain_module
from metaexpert.logger.files.evidence.anchors import held_in
from metaexpert.logger.files.evidence.chain_format import Record
from metaexpert.logger.files.evidence.verdict import State
from metaexpert.logger.files.evidence.verify import verify

ROUNDS = 4

PROGRAM = """
import asyncio, sys
from pathlib import Path
from metaexpert.logger import EvidenceOptions, LoggerConfig, get_logger, setup_logging

async def main():
    config = LoggerConfig(
        log_dir=Path(sys.argv[1]), log_to_console=False, json_logging=True, max_bytes=100_000, backup_count=10_000,
        tamper_evidence=EvidenceOptions(key_file=Path(sys.argv[2])),
    )
    async with setup_logging(config) as runtime:
        log = get_logger("bot")
        for number in range(1_000_000):
            log.info("tick", number=number)
            if number % 20 == 0:
                await asyncio.sleep(0)
            if number % 200 == 0:
                await runtime.flush()
                print(number, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "chain-key"
    path.write_text(SECRET)
    return path


def _run_of(file: str) -> str:
    """A killed run may leave two files open: the next one begins before the one before is sealed."""
    return file.rsplit(".", 2)[0]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_program_killed_at_any_instant_leaves_what_is_intact_up_to_where_it_is_covered(tmp_path: Path, key: Path):
    random.seed(5)
    logs = tmp_path / "logs"
    for _ in range(ROUNDS):
        kill_amid(logs, key, random.randint(2, 15))
        if not (logs / "expert.log.seals").exists():
            continue  # so early that nothing had begun
        report = verify([logs], secret=SECRET, processes=1)
        assert findings(report) == []
        assert {each.state for each in report.files} <= {State.INTACT, State.CUT_SHORT}
        for each in report.files:
            assert each.path is not None
            assert each.lines + each.uncovered_lines == each.path.read_bytes().count(b"\n")
    told = [Record.parsed(line) for line in (logs / "expert.log.seals").read_bytes().splitlines(keepends=True)]
    begun = [record.text("file") for record in told if record.kind == "begun"]
    done = {record.text("file") for record in told if record.kind in {"sealed", "ended"}}
    assert {_run_of(file) for file in set(begun) - done} <= {_run_of(begun[-1])}, "each start noted what was left"


def kill_amid(logs: Path, key: Path, after_lines: int) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(logs), str(key)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(after_lines):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.stdout.close()


def evident(path: Path, **evidence: object) -> FileOptions:
    return FileOptions(name="file", path=path, tamper_evidence=EvidenceOptions(**evidence))


async def test_a_chain_that_cannot_be_written_degrades_the_sink_and_no_entry_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with logging_to(evident(tmp_path / "expert.log")) as runtime:
        log = get_logger("bot")
        log.info("before")
        await runtime.flush()
        with monkeypatch.context() as broken:
            broken.setattr(chain_module, "write_at", _refused)
            log.info("amid")
            await runtime.flush()
            stats = sink_stats(runtime)
            assert stats.state is SinkState.DEGRADED
            assert "is behind: no room for it" in (stats.last_error or "")
            assert stats.ledger.balanced
        log.info("after")
        await runtime.flush()
        log.info("after that")
        await runtime.flush()
        assert sink_stats(runtime).state is SinkState.ACTIVE
    report = verify([tmp_path / "expert.log"], processes=1)
    assert [(each.state, each.lines) for each in report.files] == [(State.INTACT, 4)]


def _refused(*_: object) -> None:
    raise OSError("no room for it")


async def test_heads_reach_the_other_sinks(tmp_path: Path):
    file = evident(tmp_path / "expert.log", anchor=True)
    for _ in range(2):
        async with logging_to(file, FileOptions(name="held", path=tmp_path / "held" / "all.log")) as runtime:
            get_logger("bot").info("one")
            await runtime.flush()
    held = [line for path in (tmp_path / "held").glob("all.2*.log") for line in path.read_bytes().splitlines()]
    report = verify([tmp_path / "expert.log"], anchors=held_in(held), processes=1)
    assert report.is_intact
    assert report.anchors == 2, "the beginning of the second run stands for the end of the first"


async def test_a_reload_goes_on_with_the_evidence(tmp_path: Path):
    config = {"log_dir": tmp_path, "log_to_file": True, "json_logging": True, "tamper_evidence": EvidenceOptions()}
    async with logging_to(MemoryOptions(), **config) as runtime:
        get_logger("bot").error("one")
        await runtime.flush()
        await runtime.reload(runtime.config.model_copy(update={"max_bytes": 100_000}))
        get_logger("bot").error("two")
        await runtime.flush()
    report = verify([tmp_path], processes=1)
    assert findings(report) == []
    assert {each.state for each in report.files} == {State.INTACT}
    assert sum(each.lines for each in report.files) == 4
