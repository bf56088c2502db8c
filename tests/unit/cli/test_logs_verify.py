"""`metaexpert logs verify`: what a person reads, what a program reads, and the exit status."""

import json
import os
from pathlib import Path

import pytest
from support.chained_logs import SECRET, ChainedLog
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.logger import LoggerConfig
from metaexpert.logger.files.evidence.chain import Anchor, record_removal
from metaexpert.logger.files.names import LogFile


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "key").write_text(SECRET)
    return tmp_path


@pytest.fixture
def files() -> tuple[LogFile, ...]:
    log = ChainedLog(Path("logs"), SECRET)
    return log.write(3, 2).rotate(), log.write(4).rotate()


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["logs", "verify", *arguments])
    assert SECRET not in result.output
    return result


def change(file: LogFile) -> None:
    file.path.write_bytes(file.path.read_bytes().replace(b"an entry 4", b"no entry 4"))


@pytest.mark.usefixtures("files")
class TestIntact:
    def test_a_table_and_a_summary(self):
        result = run("--key-file", "key")
        assert (result.exit_code, result.stderr) == (0, "")
        head, first, second, seals, empty, summary = result.stdout.splitlines()
        assert head.split() == ["file", "is", "lines", "signature"]
        assert (first.split()[1:], second.split()[1:]) == (["intact", "5", "valid"], ["intact", "4", "valid"])
        assert seals.split() == ["expert.log.seals", "intact", "5", "valid"]
        assert (empty, summary) == ("", "no tampering found: 2 files intact, 9 lines proven")

    def test_without_the_key_it_says_that_signatures_were_not_looked_at(self):
        result = run()
        assert result.exit_code == 0
        assert "valid" not in result.stdout
        assert "it is signed; without the key signatures were not looked at" in result.stdout

    def test_as_json(self):
        document = json.loads(run("-k", "key", "--json").stdout)
        assert document["intact"] is True
        assert [(each["state"], each["lines"], each["signed"]) for each in document["files"]] == [
            ("intact", 5, True),
            ("intact", 4, True),
        ]
        assert document["seals"][0]["log"] == "logs/expert.log"


class TestTampered:
    def test_the_first_entry_is_named_and_the_status_is_3(self, files: tuple[LogFile, ...]):
        change(files[0])
        result = run("logs", "-k", "key")
        assert result.exit_code == 3
        assert "Tampering, the first of it in each file:" in result.stdout
        told = "changed: line 4 was changed: entry run-4 of 2026-11-23T10:00:00.004Z"
        assert f"  {files[0].path}\n    {told}\n" in result.stdout
        assert result.stdout.endswith(
            "TAMPERING FOUND: 1 file intact, 1 file tampered with or missing, 7 lines proven\n"
        )

    def test_as_json(self, files: tuple[LogFile, ...]):
        change(files[0])
        result = run("--json")
        assert result.exit_code == 3
        finding = json.loads(result.stdout)["files"][0]["finding"]
        assert (finding["kind"], finding["line"], finding["entry_id"]) == ("changed", 4, "run-4")
        assert finding["time"] == "2026-11-23T10:00:00.004Z"

    @pytest.mark.usefixtures("files")
    def test_with_another_key(self, folder: Path):
        (folder / "key").write_text("another secret that is long enough")
        result = run("-k", "key")
        assert result.exit_code == 3
        assert "wrong key: line 2 of expert.log.seals is not signed with this key" in result.stdout

    def test_by_anchors(self, folder: Path):
        told: list[Anchor] = []
        log = ChainedLog(folder / "logs", anchors=told).write(2)
        log.rotate()
        line = told[0].line
        anchor = {"evidence_log": "expert.log", "evidence_folder": line.folder, "evidence_host": line.host}
        anchor |= {"evidence_series": line.series, "evidence_file": "", "evidence_line": 9, "evidence_head": "ab"}
        (folder / "held.ndjson").write_text(json.dumps({"extra": anchor}) + "\n")
        result = run("--anchors", "held.ndjson")
        assert result.exit_code == 3
        assert "rolled back: expert.log.seals has 3 lines; the anchors hold line 9" in result.stdout
        assert result.stdout.endswith(", 1 anchor compared\n")

    def test_a_log_that_anchors_know_and_that_is_gone_is_tampering(self, folder: Path):
        ChainedLog(folder / "logs", name="other.log").write(2).stop()
        anchor = {"evidence_log": "expert.log", "evidence_folder": "/srv/logs", "evidence_host": "bot-1"}
        anchor |= {"evidence_series": "ab", "evidence_file": "", "evidence_line": 9, "evidence_head": "ab"}
        (folder / "held.ndjson").write_text(json.dumps({"extra": anchor}) + "\n")
        result = run("logs", "--anchors", "held.ndjson")
        assert result.exit_code == 3
        assert "log missing: expert.log of bot-1:/srv/logs is missing: the anchors hold 9 lines" in result.stdout
        result = run("logs", "--anchors", "held.ndjson", "--partial")
        assert result.exit_code == 0
        assert "1 anchors are about logs that are not here" in result.stdout

    def test_what_a_line_holds_does_no_harm_to_a_terminal(self, files: tuple[LogFile, ...]):
        lines = files[0].path.read_bytes().splitlines()
        lines[1] = b"\x1b[2Jgone \xff"
        files[0].path.write_bytes(b"\n".join([*lines, b""]))
        result = run()
        assert result.exit_code == 3
        assert "line 2 was changed" in result.stdout
        assert "\x1b" not in result.stdout


def test_purged_files_are_told_the_first_few_of_them():
    log = ChainedLog(Path("logs"))
    for _ in range(5):
        gone = log.write(1).rotate()
        record_removal(gone.log, gone, "older than 90 days")
        gone.path.unlink()
        gone.chain.unlink()
    result = run()
    assert result.exit_code == 0
    assert result.stdout.count("purged by retention on 20") == 3
    assert "2 more were purged by retention; --json names them" in result.stdout
    assert "no tampering found: 5 files purged by retention, 0 lines proven" in result.stdout


@pytest.mark.usefixtures("files")
class TestFaults:
    def test_a_place_where_there_is_nothing(self):
        result = run("elsewhere")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "error: elsewhere: no such folder, log or file of a log\n"

    @pytest.mark.parametrize("arguments", [("-k", "no-key"), ("--anchors", "no-anchors")])
    def test_a_file_that_cannot_be_read(self, arguments: tuple[str, str]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert arguments[1] in result.stderr

    def test_wrong_usage(self):
        assert run("--nothing").exit_code == 2


class TestNewKey:
    def test_it_is_for_its_owner_alone_and_can_be_used(self, folder: Path):
        result = run("--new-key", "chain-key")
        assert result.exit_code == 0
        assert "tamper_evidence.key_file" in result.stdout
        secret = (folder / "chain-key").read_text().strip()
        assert secret not in result.output
        assert (folder / "chain-key").stat().st_mode & 0o777 == 0o600
        ChainedLog(folder / "logs", secret).write(1).stop()
        assert run("-k", "chain-key").exit_code == 0

    def test_one_that_is_there_is_never_written_over(self, folder: Path):
        result = run("--new-key", "key")
        assert result.exit_code == 1
        assert "a key in use must not be lost" in result.stderr
        assert (folder / "key").read_text() == SECRET


class TestTheConfiguration:
    def test_a_key_that_cannot_be_read_is_found_before_the_start(self, folder: Path):
        (folder / "metaexpert.toml").write_text('tamper_evidence = { key_file = "no-key" }\n')
        result = CliRunner().invoke(app, ["logs", "config", "--check"])
        assert result.exit_code == 1
        assert "LoggerConfig: tamper_evidence.key_file: the file 'no-key' cannot be read" in result.stderr

    def test_one_that_the_auditor_has_taken_is_no_fault(self, folder: Path):
        for name in ("expert.log", "trades.log", "errors.log"):
            ChainedLog(folder / "logs", SECRET, name=name).write(1).stop()
        (folder / "metaexpert.toml").write_text('tamper_evidence = { key_file = "no-key" }\n')
        assert CliRunner().invoke(app, ["logs", "config", "--check"]).exit_code == 0

    def test_one_that_everybody_can_read_is_warned_of(self, folder: Path):
        (folder / "key").chmod(0o644)
        (folder / "metaexpert.toml").write_text('tamper_evidence = { key_file = "key" }\n')
        result = CliRunner().invoke(app, ["logs", "config", "--check"])
        assert "tamper_evidence.key_file: any user here can read 'key'" in result.stderr

    def test_it_is_that_of_the_three_files(self):
        config = LoggerConfig.load(environ={"METAEXPERT_LOG_TAMPER_EVIDENCE__ANCHOR": "true"})
        evidence = [getattr(options, "tamper_evidence", None) for options in config.all_sinks()]
        assert evidence[0] is None
        assert all(each is not None and each.anchor for each in evidence[1:])

    def test_files_that_their_own_rotations_would_fill_are_refused(self):
        with pytest.raises(ValueError, match=r"max_bytes \(1000\) must be at least 65536 with tamper_evidence.anchor"):
            LoggerConfig.load(
                environ={"METAEXPERT_LOG_TAMPER_EVIDENCE__ANCHOR": "true", "METAEXPERT_LOG_MAX_BYTES": "1000"}
            ).all_sinks()
