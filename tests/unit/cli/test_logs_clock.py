"""`metaexpert logs clock`: offset over time, jumps, unknown spans, the worst, and a verdict."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.log_lines import log_line, write_log
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["logs", "clock", "--utc", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def quality(seq: int, offset: float | None, bound: float | None, source: str = "kernel") -> dict[str, Any]:
    told = {"event": "quality", "source": source, "offset_seconds": offset, "bound_seconds": bound}
    return log_line(seq, "clock", log_type="clock", extra=told)


def jump(seq: int, seconds: float) -> dict[str, Any]:
    return log_line(seq, "set", "WARNING", log_type="clock", extra={"event": "jump", "jump_seconds": seconds})


def write_clocks(folder: Path) -> None:
    write_log(
        folder / "logs",
        log_line(1, "begun"),
        quality(2, -0.00002, 0.0003),
        quality(3, None, None, "unknown"),
        jump(4, -1.5),
        quality(5, None, None, "unknown"),
        quality(6, 0.0001, 0.0005, "sntp a"),
    )


def test_the_report_tells_statements_jumps_unknown_spans_and_the_worst(folder: Path):
    write_clocks(folder)
    result = run("--limit-us", "1000")
    assert (result.exit_code, result.stderr) == (4, "")
    assert result.stdout == (
        "time                         said     offset ms     ± ms\n"
        "2026-11-23T17:15:02.123456Z  kernel      -0.020    0.300\n"
        "2026-11-23T17:15:03.123456Z  unknown    unknown  unknown\n"
        "2026-11-23T17:15:04.123456Z  set by   -1500.000\n"
        "2026-11-23T17:15:05.123456Z  unknown    unknown  unknown\n"
        "2026-11-23T17:15:06.123456Z  sntp a       0.100    0.500\n"
        "\n"
        "4 statements, 1 jumps\n"
        "unknown from 2026-11-23T17:15:03Z to 2026-11-23T17:15:06Z, by 2 statements\n"
        "at worst 0.600 ms from UTC, 2026-11-23T17:15:06.123456Z, by sntp a\n"
        "NOT surely within 1000 µs of UTC\n"
    )


@pytest.mark.parametrize(("limit", "status"), [("320", 0), ("319", 4)])
def test_the_verdict_is_the_status(folder: Path, limit: str, status: int):
    write_log(folder / "logs", quality(2, -0.00002, 0.0003))
    result = run("--limit-us", limit)
    assert result.exit_code == status
    assert result.stdout.splitlines()[-1].startswith("within" if status == 0 else "NOT surely")


def test_scripts_get_lines_of_json(folder: Path):
    write_clocks(folder)
    result = run("--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, [each["event"] for each in told]) == (
        0, ["quality", "quality", "jump", "quality", "quality"],
    )  # fmt: skip
    assert told[0]["worst_seconds"] == pytest.approx(0.00032)


def test_a_log_without_clock_entries_is_status_3(folder: Path):
    write_log(folder / "logs", log_line(1, "begun"), log_line(2, "odd", log_type="clock", extra={"event": "jump"}))
    assert run("--limit-us", "1").exit_code == 3


def test_what_a_run_said_before_it_asked_counts_only_where_nothing_followed(folder: Path):
    first = quality(2, None, None, "unknown")
    first["extra"]["preliminary"] = True
    write_log(folder / "logs", first, quality(3, 0.0001, 0.0002, "sntp a"))
    assert run("--limit-us", "1000").exit_code == 0
    other = {**first, "id": "1a2097fe9ce0bcd02-1", "seq": 1}
    write_log(folder / "logs", other, tag="0bcd02")
    result = run("--limit-us", "1000")
    assert result.exit_code == 4
    assert "unknown from 2026-11-23T17:15:02Z to 2026-11-23T17:15:02Z, by 1 statements" in result.stdout


def test_what_one_run_does_not_know_is_not_ended_by_what_another_knows(folder: Path):
    def of_other(entry: dict[str, Any]) -> dict[str, Any]:
        return entry | {"id": f"1a2097fe9ce0bcd02-{entry['seq']}"}

    write_log(folder / "logs", quality(2, 0.0, 0.001), quality(4, 0.0, 0.001), quality(6, 0.0, 0.001))
    dumb = [of_other(quality(seq, None, None, "unknown")) for seq in (3, 5)]
    write_log(folder / "logs", *dumb, of_other(jump(6, 1.0)), of_other(quality(7, 0.0, 0.001)), tag="0bcd02")
    result = run()
    assert "6 statements, 1 jumps" in result.stdout
    assert "unknown from 2026-11-23T17:15:03Z to 2026-11-23T17:15:07Z, by 2 statements" in result.stdout
    assert result.stdout.count("unknown from") == 1
