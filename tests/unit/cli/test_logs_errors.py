"""`metaexpert logs errors`: which errors are one kind, how they are told, and what is left when there are too many."""

import os
from pathlib import Path

import orjson
import pytest
from support.log_lines import error_line, log_line, write_log
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.logger.faults.fingerprint import TOLD_BEFORE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["logs", "errors", "--utc", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def write_errors(folder: Path) -> None:
    write_log(
        folder / "logs",
        log_line(1, "begun"),
        error_line(2, "feed lost", "connect to 10.0.0.1:443 refused"),
        log_line(3, "order 17 rejected", "ERROR", logger="expert.orders"),
        error_line(4, "feed lost again", "connect to 10.0.0.2:443 refused", logger="expert.other"),
        error_line(5, "feed lost", "timed out", "TimeoutError"),
        log_line(6, "slow", "WARNING"),
    )


def test_errors_of_one_kind_are_told_together(folder: Path):
    write_errors(folder)
    result = run()
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "2x  ConnectionError in feed.connect: connect to <n> refused\n"
        "     first 2026-11-23T17:15:02Z, last 2026-11-23T17:15:04Z\n"
        "     by expert.feed, expert.other, fingerprint b7368806\n"
        "     latest: feed lost again\n"
        "         Traceback (most recent call last):\n"
        '           File "/app/feed.py", line 44, in connect\n'
        "             raise failure\n"
        "         ConnectionError: connect to 10.0.0.2:443 refused\n"
        "\n"
        "1x  TimeoutError in feed.connect: timed out\n"
        "     first 2026-11-23T17:15:05Z, last 2026-11-23T17:15:05Z\n"
        "     by expert.feed, fingerprint 1cbb3d5e\n"
        "     latest: feed lost\n"
        "         Traceback (most recent call last):\n"
        '           File "/app/feed.py", line 45, in connect\n'
        "             raise failure\n"
        "         TimeoutError: timed out\n"
        "\n"
        "1x  ERROR in feed.run: order <n> rejected\n"
        "     first 2026-11-23T17:15:03Z, last 2026-11-23T17:15:03Z\n"
        "     by expert.orders, fingerprint b857ca01\n"
        "     latest: order 17 rejected\n"
        "\n"
        "4 entries of 3 kinds\n"
    )


def test_as_many_kinds_as_asked_for(folder: Path):
    write_errors(folder)
    lines = run("-n", "1", "--no-traceback").stdout.splitlines()
    assert lines[0].startswith("2x  ConnectionError")
    assert lines[-1] == "4 entries of 3 kinds; 2 kinds not shown, --limit shows more"
    assert not any("Traceback" in line for line in lines)


def test_a_lower_level_takes_more_in(folder: Path):
    write_errors(folder)
    assert "1x  WARNING in feed.run: slow" in run("--level", "WARNING").stdout
    assert run("--level", "WARNING").stdout.endswith("5 entries of 4 kinds\n")


def test_json_has_a_line_for_each_kind(folder: Path):
    write_errors(folder)
    kinds = [orjson.loads(line) for line in run("--json").stdout.splitlines()]
    assert [(each["count"], each["type"], each["place"], each["message"]) for each in kinds] == [
        (2, "ConnectionError", "feed.connect", "connect to <n> refused"),
        (1, "TimeoutError", "feed.connect", "timed out"),
        (1, None, "feed.run", "order <n> rejected"),
    ]
    assert kinds[0]["first"] == "2026-11-23T17:15:02.123456789Z"
    assert kinds[0]["last"] == kinds[0]["example"]["timestamp"] == "2026-11-23T17:15:04.123456789Z"
    assert kinds[0]["loggers"] == ["expert.feed", "expert.other"]


def test_without_errors_the_status_is_3(folder: Path):
    write_log(folder / "logs", log_line(1, "begun"))
    result = run()
    assert (result.exit_code, result.stdout, result.stderr) == (3, "", "")


def test_what_an_exchange_says_drives_no_terminal(folder: Path):
    evil = "\x1b[31m\rforged\u202e"
    line = error_line(1, evil, evil, logger=evil, extra={"fingerprint": evil})
    line["exception"]["type"] = evil
    write_log(folder / "logs", line)
    assert not {"\x1b", "\r", "\u202e"}.intersection(run().stdout)


def test_a_fingerprint_the_entry_brings_along_groups(folder: Path):
    lines = [error_line(n, "lost", f"said {word}", extra={"fingerprint": "mine"}) for n, word in enumerate("ab")]
    write_log(folder / "logs", *lines)
    assert run().stdout.endswith("2 entries of 1 kind\n")


def test_a_traceback_that_an_entry_only_refers_to_is_shown_of_the_one_that_has_it(folder: Path):
    whole, *later = [error_line(number, "feed lost", "refused") for number in range(1, 4)]
    for number, entry in enumerate(later, 2):
        told = f'{TOLD_BEFORE}{whole["id"]}; seen {number} times since]\n  File "/app/feed.py", line 44, in connect\n'
        entry["exception"] |= {"traceback": f"{told}ConnectionError: refused\n", "same_as": whole["id"], "seen": number}
    write_log(folder / "logs", whole, *later)
    told = run().stdout
    assert "3x  ConnectionError in feed.connect: refused\n" in told
    assert "raise failure" in told
    assert "seen 3 times" not in told
    (error,) = [orjson.loads(line) for line in run("--json").stdout.splitlines()]
    assert error["example"]["id"] == whole["id"]
