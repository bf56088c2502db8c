"""A file that cannot be read is told on stderr and makes the status 1, after everything else was read."""

import os
import sys
import threading
from pathlib import Path

import pytest
from support.log_lines import error_line, log_line, trade_line, write_log
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.logger.files.reading import blocks
from metaexpert.logger.files.reading.follow import follow
from metaexpert.logger.files.reading.report import ReadReport


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    write_log(
        tmp_path / "logs", error_line(1, "good", "refused"), trade_line(2, "order_placed", event="x", order_id="A-1")
    )
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["logs", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


COMMANDS = [
    ["tail"],
    ["grep", "o"],
    ["grep", "o", "-c"],
    ["errors"],
    ["export", "--format", "ndjson"],
    ["trades"],
    ["stats"],
    ["query", "SELECT * FROM logs ORDER BY time_ns"],
]


@pytest.mark.skipif(sys.platform != "linux", reason="a file that opens and cannot be read is one of Linux")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command[:1] + command[2:]))
def test_a_packed_file_the_disk_does_not_give(folder: Path, command: list[str]):
    if command[0] == "query":
        pytest.importorskip("duckdb")
    whole = run(*command)
    assert (whole.exit_code, whole.stderr) == (0, "")
    (folder / "logs" / "other.log.gz").symlink_to("/proc/self/mem")  # nothing is at its begin: EIO
    result = run(*command)
    assert result.exit_code == 1
    assert next(line for line in result.stderr.splitlines() if "other.log.gz" in line).startswith("error: ")
    if command[0] != "stats":
        assert result.stdout == whole.stdout


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_a_plain_file_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError):
    refused = write_log(folder / "logs", log_line(3, "behind the fault"), tag="0bcd02")
    read_at = blocks.read_at

    def reading(path: Path, *arguments: object) -> bytes:
        if path == Path("logs") / refused.name:
            raise error
        return read_at(path, *arguments)  # pyright: ignore[reportArgumentType] - handed on

    monkeypatch.setattr(blocks, "read_at", reading)
    result = run("grep", "good")
    assert (result.exit_code, "good" in result.stdout) == (1, True)
    assert result.stderr.startswith(f"error: logs/{refused.name}: {error.strerror} while it was read")
    assert run("grep", "nowhere").exit_code == 1


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", int)() == 0, reason="needs a file we may not read")
def test_a_file_without_permission(folder: Path):
    write_log(folder / "logs", log_line(3, "secret"), tag="0bcd02").chmod(0)
    result = run("tail")
    assert (result.exit_code, "good" in result.stdout) == (1, True)
    assert "error: " in result.stderr
    assert "Permission denied" in result.stderr


def test_a_file_that_vanishes_is_noted_and_no_fault(folder: Path, monkeypatch: pytest.MonkeyPatch):
    gone = write_log(folder / "logs", log_line(3, "gone"), tag="0bcd02")
    read_at = blocks.read_at

    def reading(path: Path, *arguments: object) -> bytes:
        gone.unlink(missing_ok=True)
        return read_at(path, *arguments)  # pyright: ignore[reportArgumentType] - as above

    monkeypatch.setattr(blocks, "read_at", reading)
    result = run("grep", "good")
    assert (result.exit_code, "good" in result.stdout) == (0, True)
    assert result.stderr.startswith("note: ")


def test_who_follows_is_told_once_while_a_file_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_log(folder / "logs", log_line(1, "before"))
    report, looks, stopping = ReadReport(), list[list[str]](), threading.Event()

    def refused(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    def wait(_: float) -> bool:
        looks.append(report.taken().faults)
        if len(looks) == 1:
            monkeypatch.setattr("metaexpert.logger.files.reading.follow.read_at", refused)
            with path.open("ab") as file:
                file.write(b"{}\n")
        elif len(looks) == 4:
            stopping.set()
        return stopping.is_set()

    assert list(follow([folder / "logs"], report=report, wait=wait)) == []
    assert [len(each) for each in looks] == [0, 1, 0, 0]
