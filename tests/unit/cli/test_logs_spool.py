"""`metaexpert logs spool`: what waits on disk is shown, delivered in order, or given up; never a running process's."""

import asyncio
import json
import logging
import os
import time
from pathlib import Path

import pytest
from support.fake_sinks import capture
from support.scripted_collector import Received, ScriptedCollector, pushed, serving, status
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.logger.entry import Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.spool.inspection import queue_folders, waiting_entries
from metaexpert.logger.spool.queue import SegmentSpool
from metaexpert.logger.spool.spool import SpoolLimits

IDENTITY = Identity(service="bot", boot_id="1a2b3c4d5e6" + "0f" * 3)
LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    configure(tmp_path)
    return tmp_path


def configure(folder: Path, url: str = "http://127.0.0.1:9", kind: str = "loki", name: str = "main") -> None:
    sink = f'[[logger.sinks]]\ntype = "{kind}"\nname = "{name}"\nurl = "{url}"\nconnect_timeout = 1.0\n'
    (folder / "metaexpert.toml").write_text(f'[logger]\nlog_name = "bot"\n\n{sink}')


def loki_part(seq: int) -> bytes:
    entry_id = IDENTITY.entry_id(seq)
    line = json.dumps(json.dumps({"id": entry_id, "n": seq}))
    return b'["%d",%b,{"entry_id":"%b"}]' % (10**18 + seq, line.encode(), entry_id.encode())


def waiting(folder: Path, count: int, *, sink: str = "loki-main", level: int | None = None) -> SegmentSpool:
    """A queue with entries 1 to `count` of all levels in turn; its owner lives until it is closed."""
    spool = SegmentSpool(folder / "logs" / "spool" / sink, IDENTITY.boot_id, os.getpid(), SpoolLimits(max_bytes=10**8))
    entries = [entry_of(seq, level) for seq in range(1, count + 1)]
    spool.open()
    spool.append(entries, [loki_part(seq) for seq in range(1, count + 1)])
    return spool


def entry_of(seq: int, level: int | None) -> Capture:
    return capture(seq, LEVELS[seq % 4] if level is None else level, time_ns=10**18 + seq)


def still_there(folder: Path) -> list[int]:
    return [entry.seq for queue in queue_folders(folder / "logs") for entry in waiting_entries(queue)]


def run(*arguments: str, answer: str = "") -> Result:
    result = CliRunner().invoke(app, ["logs", "spool", *arguments], input=answer)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


async def run_beside(*arguments: str) -> Result:
    return await asyncio.to_thread(run, *arguments)


def seqs_of(request: Received) -> list[int]:
    """The entries of a push by their numbers; a push is ordered within each of its streams."""
    return sorted(entry.entry["n"] for entry in pushed(request))


class TestList:
    def test_an_empty_folder_says_so(self, folder: Path):
        result = run("list")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "no disk queues" in result.stderr
        assert run("list", "--json").stdout.strip() == "[]"
        assert not (folder / "logs").exists(), "looking makes nothing"

    def test_it_says_whose_and_what_waits(self, folder: Path):
        waiting(folder, 8).close()
        living = waiting(folder, 2, sink="ndjson-other", level=logging.ERROR)
        rows = {row["sink"]: row for row in json.loads(run("list", "--json").stdout)}
        ours, other = rows["main"], rows["other"]
        assert (ours["type"], ours["entries"], ours["running"]) == ("loki", 8, False)
        assert ours["classes"] == {"debug": 2, "info": 2, "warning": 2, "error": 2}
        assert (ours["oldest"], ours["newest"]) == ("2001-09-09T01:46:40.000000001Z", "2001-09-09T01:46:40.000000008Z")
        assert ours["bytes"] > 8 * len(loki_part(1))
        assert (other["type"], other["entries"], other["running"]) == ("ndjson", 2, True)
        assert "error 2" in run("list").stdout
        living.close()


class TestShow:
    def test_entries_are_shown_oldest_first_as_the_sink_has_them(self, folder: Path):
        waiting(folder, 6).close()
        lines = [json.loads(line) for line in run("show", "--json").stdout.splitlines()]
        assert [line["bytes"].encode() for line in lines] == [loki_part(seq) for seq in range(1, 7)]
        assert [line["id"] for line in lines] == [IDENTITY.entry_id(seq) for seq in range(1, 7)]
        text = run("show", "--limit", "1")
        assert text.stdout.startswith(f"2001-09-09T01:46:40.000000001Z  main  {IDENTITY.entry_id(1)}  INFO  general\n")
        assert "--limit shows more" in text.stderr

    def test_level_since_and_sink_choose(self, folder: Path):
        waiting(folder, 8).close()

        def shown(*arguments: str) -> list[int]:
            return [json.loads(line)["seq"] for line in run("show", "--json", *arguments).stdout.splitlines()]

        assert shown("--level", "warning") == [2, 3, 6, 7]
        assert shown("--since", "2001-09-09T01:46:40.000001") == []
        assert shown("--since", "2001-09-09T01:46:39Z") == list(range(1, 9))
        assert shown("--since", "7d") == []
        assert shown("--sink", "nobody") == []

    @pytest.mark.parametrize("arguments", [("--level", "LOUD"), ("--since", "yesterday")])
    def test_what_it_cannot_read_is_wrong_usage(self, folder: Path, arguments: tuple[str, ...]):
        assert folder.exists()
        assert run("show", *arguments).exit_code == 2

    def test_a_running_process_queue_can_be_looked_at(self, folder: Path):
        living = waiting(folder, 3)
        assert len(run("show", "--json").stdout.splitlines()) == 3
        living.close()

    def test_what_is_no_text_comes_as_base64(self, folder: Path):
        spool = waiting(folder, 0)
        spool.append([entry_of(1, 20)], [b"\xff\x00"])
        spool.close()
        assert json.loads(run("show", "--json").stdout)["base64"] == "/wA="
        assert "\x00" not in run("show").stdout


class TestReplay:
    async def test_all_is_delivered_in_order_and_gone(self, folder: Path):
        waiting(folder, 2500).close()
        async with serving(ScriptedCollector(status(204))) as loki:
            configure(folder, loki.url)
            result = await run_beside("replay")
        assert result.exit_code == 0, result.output
        assert result.stdout == "main: 2500 delivered, 0 left\n"
        assert [seq for request in loki.requests for seq in seqs_of(request)] == list(range(1, 2501))
        assert still_there(folder) == []
        (line,) = (folder / "logs" / "operations.jsonl").read_text().splitlines()
        assert json.loads(line)["command"] == "spool replay"

    async def test_it_stops_at_the_first_refusal_and_keeps_what_was_not_delivered(self, folder: Path):
        waiting(folder, 2500).close()
        async with serving(ScriptedCollector(status(503, "not now"))) as loki:
            loki.then(status(204))
            configure(folder, loki.url)
            result = await run_beside("replay", "--json")
        told = json.loads(result.stdout)
        assert (result.exit_code, len(loki.requests)) == (3, 2)
        assert told["delivered"] + told["left"] == 2500
        assert told["delivered"] == len(pushed(loki.requests[0])) > 0
        assert "503" in told["reason"]
        assert sorted(still_there(folder)) == list(range(told["delivered"] + 1, 2501))

    async def test_a_refused_entry_stays_and_its_neighbours_are_delivered(self, folder: Path):
        waiting(folder, 4).close()
        async with serving(ScriptedCollector(status(204))) as loki:
            loki.then(status(400, "bad line"), status(400, "bad line"), status(400, "bad line"))
            configure(folder, loki.url)
            result = await run_beside("replay")
        assert result.exit_code == 3
        assert "3 delivered, 1 left (400 bad line)" in result.stdout
        assert still_there(folder) == [1]

    async def test_a_later_replay_goes_on(self, folder: Path):
        waiting(folder, 1500).close()
        async with serving(ScriptedCollector(status(204))) as loki:
            loki.then(status(204), status(503))
            configure(folder, loki.url)
            assert (await run_beside("replay")).exit_code == 3
            assert (await run_beside("replay")).exit_code == 0
        taken = [seq for at, request in enumerate(loki.requests) if at != 1 for seq in seqs_of(request)]
        assert sorted(taken) == list(range(1, 1501)), "each once"
        assert still_there(folder) == []

    async def test_a_running_process_queue_is_left_alone(self, folder: Path):
        living = waiting(folder, 3)
        async with serving(ScriptedCollector(status(204))) as loki:
            configure(folder, loki.url)
            result = await run_beside("replay")
        assert (result.exit_code, loki.requests) == (4, [])
        assert "belongs to a running process" in result.stderr
        assert still_there(folder) == [1, 2, 3]
        living.close()

    async def test_without_its_sink_nothing_is_sent(self, folder: Path):
        waiting(folder, 3).close()
        async with serving(ScriptedCollector(status(204))) as other:
            configure(folder, other.url, kind="ndjson")
            result = await run_beside("replay")
        assert (result.exit_code, other.requests) == (1, [])
        assert "no sink 'main' of type 'loki'" in result.stderr
        assert still_there(folder) == [1, 2, 3]

    async def test_what_cannot_be_written_down_is_not_done(self, folder: Path):
        waiting(folder, 3).close()
        (folder / "logs" / "operations.jsonl").mkdir()
        async with serving(ScriptedCollector(status(204))) as loki:
            configure(folder, loki.url)
            result = await run_beside("replay")
        assert (result.exit_code, loki.requests) == (1, [])
        assert still_there(folder) == [1, 2, 3]

    def test_with_nothing_to_do_nothing_is_done(self, folder: Path):
        assert run("replay").exit_code == 0
        assert not (folder / "logs").exists()


class TestDrop:
    def test_it_asks_first_and_writes_down_what_it_drops(self, folder: Path):
        waiting(folder, 5).close()
        assert run("drop", answer="n\n").exit_code == 3
        assert still_there(folder) == [1, 2, 3, 4, 5]
        result = run("drop", "--yes")
        assert (result.exit_code, result.stdout) == (0, "5\n")
        assert still_there(folder) == []
        (line,) = (folder / "logs" / "operations.jsonl").read_text().splitlines()
        told = json.loads(line)
        assert (told["command"], told["sink"], told["entries"]) == ("spool drop", "main", 5)
        assert told["time"].startswith(time.strftime("%Y-", time.gmtime()))

    def test_only_the_named_queue_goes(self, folder: Path):
        waiting(folder, 2).close()
        waiting(folder, 3, sink="loki-other").close()
        assert run("drop", "--sink", "other", "--yes").stdout == "3\n"
        assert still_there(folder) == [1, 2]

    def test_a_running_process_queue_is_left_alone(self, folder: Path):
        living = waiting(folder, 3)
        result = run("drop", "--yes")
        assert (result.exit_code, result.stdout) == (4, "0\n")
        assert still_there(folder) == [1, 2, 3]
        living.close()


class TestDamage:
    async def test_what_is_damaged_is_told_and_the_rest_delivered(self, folder: Path):
        waiting(folder, 40, level=logging.INFO).close()
        (path,) = (folder / "logs").rglob("*.segment")
        data = bytearray(path.read_bytes())
        at = data.index(loki_part(7))
        data[at] ^= 0xFF
        path.write_bytes(data)
        async with serving(ScriptedCollector(status(204))) as loki:
            configure(folder, loki.url)
            result = await run_beside("replay")
        assert (result.exit_code, result.stdout) == (0, "main: 39 delivered, 0 left\n")
        assert "1 entries were damaged" in result.stderr
        assert [seq for request in loki.requests for seq in seqs_of(request)] == [*range(1, 7), *range(8, 41)]
        assert still_there(folder) == []
