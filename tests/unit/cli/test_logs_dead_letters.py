"""`metaexpert logs dead-letters`: what was refused is shown, sent again byte for byte, or given up; never another's."""

import asyncio
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_sinks import capture
from support.scripted_collector import ScriptedCollector, json_reply, pushed, serving, status
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.logger import LokiOptions
from metaexpert.logger.dead_letters.format import DeadLetter, new_letter
from metaexpert.logger.dead_letters.inspection import folders_in, read_sheet, runs_in
from metaexpert.logger.dead_letters.store import DeadLetterStore, label_of
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.outcome import Rejection
from metaexpert.logger.sinks.http import HttpClient
from metaexpert.logger.sinks.loki import LokiSink

IDENTITY = Identity(service="bot", boot_id="1a2b3c4d5e6" + "0f" * 3, pid=1)
RESUBMIT = ("dead-letters", "resubmit")


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
    options = LokiOptions(url="http://127.0.0.1:9")
    sink = LokiSink(
        options,
        HttpClient(options, Worker(Jobs(), "x")),
        lambda entry: b'{"id":"%b"}' % IDENTITY.entry_id(entry[0]).encode(),
        IDENTITY,
    )
    return sink.encode(capture(seq, time_ns=10**18 + seq))


def left(
    folder: Path, seqs: range = range(1, 4), *, sink: str = "main", pid: int = 1, sendable: bool = True
) -> DeadLetterStore:
    """Dead letters of a process; it lives until the store is closed."""
    store = DeadLetterStore(folder / "logs" / "dead-letters" / label_of("loki", sink), IDENTITY.boot_id, pid, 10**6, 99)
    for seq in seqs:
        rejection = Rejection(0, 400 + seq, f"reason number {seq}")
        part = loki_part(seq) if sendable else None
        letter = new_letter(
            capture(seq), rejection, part, sink=sink, kind="loki", boot_id=IDENTITY.boot_id, time_ns=10**18 + seq
        )
        store.append([letter.line()])
    return store


def still_there(folder: Path) -> list[int]:
    runs = [run for each in folders_in(folder / "logs") for run in runs_in(each)]
    letters = [letter for run in runs for path in run.paths for letter in read_sheet(path).letters]
    return sorted(letter.seq for letter in letters if letter)


def run(*arguments: str, answer: str = "") -> Result:
    result = CliRunner().invoke(app, ["logs", *arguments], input=answer)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


async def run_beside(*arguments: str) -> Result:
    return await asyncio.to_thread(run, *arguments)


def operations(folder: Path) -> list[dict[str, object]]:
    path = folder / "logs" / "operations.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class TestWithoutPermission:
    @pytest.fixture
    def forbidden(self, monkeypatch: pytest.MonkeyPatch) -> set[Path]:
        """Folders that cannot be looked into; root may look everywhere, so the system is asked nothing."""
        names, iterdir = set[Path](), Path.iterdir

        def looked_into(path: Path) -> Iterator[Path]:
            if path in names:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return iterdir(path)

        monkeypatch.setattr(Path, "iterdir", looked_into)
        return names

    @pytest.mark.parametrize("command", [("list",), ("show",), ("resubmit", "--sink", "main"), ("drop", "--yes")])
    def test_a_sinks_folder_that_cannot_be_looked_into_is_told_and_the_others_are_dealt_with(
        self, folder: Path, forbidden: set[Path], command: tuple[str, ...]
    ):
        left(folder).close()
        left(folder, sink="other").close()
        log_dir = folder / "logs"
        forbidden.add(log_dir / "dead-letters" / "loki-other")
        result = run("dead-letters", *command, "--log-dir", str(log_dir))
        assert result.exit_code == 1
        assert "Permission denied" in result.stderr
        if command[0] in {"list", "show"}:
            assert "main" in result.stdout
        if command[0] == "drop":
            assert result.stdout.strip() == "3"

    @pytest.mark.parametrize("command", [("list",), ("show",), ("resubmit",), ("drop", "--yes")])
    def test_neither_is_the_folder_above_passed_over(
        self, folder: Path, forbidden: set[Path], command: tuple[str, ...]
    ):
        left(folder).close()
        forbidden.add(folder / "logs" / "dead-letters")
        result = run("dead-letters", *command, "--log-dir", str(folder / "logs"))
        assert (result.exit_code, result.stdout) == (1, "")
        assert "Permission denied" in result.stderr


class TestListAndShow:
    def test_an_empty_folder_says_so(self, folder: Path):
        result = run("dead-letters", "list")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "no dead letters" in result.stderr
        assert run("dead-letters", "list", "--json").stdout.strip() == "[]"
        assert not (folder / "logs").exists(), "looking makes nothing"

    def test_list_counts_by_sink_and_status(self, folder: Path):
        left(folder).close()
        living = left(folder, range(1, 2), sink="other", pid=4242)
        rows = {row["sink"]: row for row in json.loads(run("dead-letters", "list", "--json").stdout)}
        assert rows["main"]["letters"] == 3
        assert rows["main"]["statuses"] == {"401": 1, "402": 1, "403": 1}
        assert (rows["main"]["oldest"], rows["main"]["newest"]) == (
            "2001-09-09T01:46:40.000000001Z",
            "2001-09-09T01:46:40.000000003Z",
        )
        assert (rows["main"]["running"], rows["other"]["running"]) == ([], [4242])
        table = run("dead-letters", "list").stdout
        assert "main" in table
        assert "4242" in table
        living.close()

    def test_show_gives_the_letters_as_they_are(self, folder: Path):
        left(folder).close()
        lines = run("dead-letters", "show", "--json").stdout.splitlines()
        assert [DeadLetter.from_line(line.encode()).part for line in lines] == [loki_part(seq) for seq in (1, 2, 3)]
        text = run("dead-letters", "show", "--id", IDENTITY.entry_id(2)).stdout
        assert "status 402: reason number 2" in text
        assert "reason number 1" not in text

    @pytest.mark.parametrize(
        ("arguments", "seqs"),
        [
            (("--reason", "402"), [2]),
            (("--reason", "NUMBER 3"), [3]),
            (("--sink", "main"), [1, 2, 3]),
            (("--sink", "nobody"), []),
            (("--limit", "2"), [2, 3]),
        ],
    )
    def test_show_filters(self, folder: Path, arguments: tuple[str, ...], seqs: list[int]):
        left(folder).close()
        lines = run("dead-letters", "show", "--json", *arguments).stdout.splitlines()
        assert [json.loads(line)["seq"] for line in lines] == seqs

    def test_a_torn_line_is_told(self, folder: Path):
        left(folder).close()
        (path,) = (folder / "logs").rglob("*.jsonl")
        path.write_bytes(path.read_bytes()[:-9])
        result = run("dead-letters", "show", "--json")
        assert len(result.stdout.splitlines()) == 2
        assert "1 lines are no whole letters" in result.stderr

    def test_what_a_collector_says_cannot_drive_a_terminal(self, folder: Path):
        store = left(folder, range(0))
        rejection = Rejection(0, 400, "\x1b[2Jgone\nforged")
        letter = new_letter(capture(1), rejection, b"\x1b]0;x\x07", sink="main", kind="loki", boot_id="b", time_ns=1)
        store.append([letter.line()])
        store.close()
        for command in ("show", "list"):
            assert "\x1b" not in run("dead-letters", command).stdout


class TestResubmit:
    async def test_the_same_bytes_arrive_and_the_letters_are_gone(self, folder: Path):
        left(folder).close()
        async with serving(ScriptedCollector(status(204))) as loki:
            configure(folder, loki.url)
            result = await run_beside(*RESUBMIT)
        assert result.exit_code == 0, result.output
        assert "3 delivered, 0 left" in result.stderr
        assert [line.split()[0] for line in result.stdout.splitlines()] == ["delivered"] * 3
        assert [entry.metadata["entry_id"] for entry in pushed(loki.requests[0])] == [
            IDENTITY.entry_id(seq) for seq in (1, 2, 3)
        ]
        assert all(loki_part(seq) in loki.requests[0].body for seq in (1, 2, 3))
        assert still_there(folder) == []
        assert operations(folder)[0]["command"] == "dead-letters resubmit"

    async def test_what_is_refused_again_stays(self, folder: Path):
        left(folder).close()
        async with serving(ScriptedCollector(status(204))) as loki:
            loki.then(status(400, "still bad"), status(400, "still bad"))  # all three, then the first alone
            configure(folder, loki.url)
            result = await run_beside(*RESUBMIT, "--json")
        outcomes = [json.loads(line) for line in result.stdout.splitlines()]
        assert [each["outcome"] for each in outcomes] == ["refused", "delivered", "delivered"]
        assert (outcomes[0]["status"], outcomes[0]["reason"]) == (400, "still bad")
        assert result.exit_code == 3
        assert still_there(folder) == [1]

    @pytest.mark.parametrize("answer", [503, 401, 429])
    async def test_a_collector_that_takes_none_now_keeps_all(self, folder: Path, answer: int):
        left(folder).close()
        async with serving(ScriptedCollector(status(answer, "not now"))) as loki:
            configure(folder, loki.url)
            result = await run_beside(*RESUBMIT)
        assert result.exit_code == 3
        assert len(loki.requests) == 1
        assert [line.split()[0] for line in result.stdout.splitlines()] == ["kept"] * 3
        assert still_there(folder) == [1, 2, 3]

    async def test_only_what_was_asked_for_goes(self, folder: Path):
        left(folder).close()
        async with serving(ScriptedCollector(status(204))) as loki:
            configure(folder, loki.url)
            await run_beside(*RESUBMIT, "--reason", "402")
        assert still_there(folder) == [1, 3]

    async def test_a_running_process_keeps_its_own(self, folder: Path):
        living = left(folder, pid=4242)
        async with serving(ScriptedCollector(status(204))) as loki:
            configure(folder, loki.url)
            result = await run_beside(*RESUBMIT)
        assert (result.exit_code, loki.requests) == (4, [])
        assert "running processes (4242)" in result.stderr
        assert still_there(folder) == [1, 2, 3]
        living.close()

    async def test_a_sink_of_another_type_is_not_given_them(self, folder: Path):
        left(folder).close()
        async with serving(ScriptedCollector(json_reply({}))) as other:
            configure(folder, other.url, kind="elasticsearch")
            result = await run_beside(*RESUBMIT)
        assert (result.exit_code, other.requests) == (1, [])
        assert "no sink 'main' of type 'loki'" in result.stderr
        assert still_there(folder) == [1, 2, 3]

    async def test_what_could_not_be_encoded_is_not_sent(self, folder: Path):
        left(folder, sendable=False).close()
        async with serving(ScriptedCollector(status(204))) as loki:
            configure(folder, loki.url)
            result = await run_beside(*RESUBMIT)
        assert (result.exit_code, loki.requests) == (3, [])
        assert "there is nothing to send" in result.stdout

    def test_nothing_listening_keeps_all(self, folder: Path):
        left(folder).close()
        result = run(*RESUBMIT)
        assert result.exit_code == 3
        assert "cannot connect" in result.stdout
        assert still_there(folder) == [1, 2, 3]

    def test_a_wrong_configuration_is_told(self, folder: Path):
        (folder / "metaexpert.toml").write_text("[logger]\nlog_levle = 3\n")
        result = run(*RESUBMIT)
        assert result.exit_code == 1
        assert "log_level" in result.stderr


class TestDrop:
    def test_it_asks_first(self, folder: Path):
        left(folder).close()
        result = run("dead-letters", "drop", answer="n\n")
        assert (result.exit_code, still_there(folder), operations(folder)) == (3, [1, 2, 3], [])
        result = run("dead-letters", "drop", answer="y\n")
        assert (result.exit_code, result.stdout.split()[-1], still_there(folder)) == (0, "3", [])

    def test_it_leaves_a_line_of_who_did_it(self, folder: Path):
        left(folder).close()
        assert run("dead-letters", "drop", "--yes", "--id", IDENTITY.entry_id(2)).stdout.strip() == "1"
        assert still_there(folder) == [1, 3]
        ((line),) = operations(folder)
        assert (line["command"], line["entries"], line["pid"]) == ("dead-letters drop", 1, os.getpid())
        assert line["user"]

    def test_a_running_process_keeps_its_own(self, folder: Path):
        living = left(folder, pid=4242)
        result = run("dead-letters", "drop", "--yes")
        assert (result.exit_code, result.stdout.strip()) == (4, "0")
        assert still_there(folder) == [1, 2, 3]
        living.close()

    @pytest.mark.parametrize("command", [("resubmit",), ("drop", "--yes")])
    async def test_what_cannot_be_written_down_is_not_done(self, folder: Path, command: tuple[str, ...]):
        left(folder).close()
        (folder / "logs" / "operations.jsonl").mkdir()
        async with serving(ScriptedCollector(status(204))) as loki:
            configure(folder, loki.url)
            result = await run_beside("dead-letters", *command)
        assert (result.exit_code, loki.requests) == (1, [])
        assert "operations.jsonl" in result.stderr
        assert still_there(folder) == [1, 2, 3]
