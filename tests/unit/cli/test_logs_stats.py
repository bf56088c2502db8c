"""`metaexpert logs stats`: figures a person reads, and the same for scripts."""

import json
import os
from pathlib import Path

import pytest
from support.log_lines import BOOT_ID, error_line, log_line, write_log
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.cli.tables import Column, csv_line, duration_text, table_lines
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.fingerprints import fingerprint_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["logs", "stats", "--utc", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def write_logs(folder: Path) -> None:
    dropped = {"sink": "file", "dropped": 5, "by_level": {"DEBUG": 5}, "first_seq": 5, "last_seq": 9}
    error = error_line(4, "feed lost", "refused")
    write_log(
        folder / "logs",
        log_line(1, "a", "DEBUG"),
        log_line(2, "b"),
        log_line(3, "b"),
        error,
        log_line(10, "dropped", "WARNING", log_type="gap", extra=dropped | {"seconds": 1.0, "reason": "queue full"}),
        b'{"torn',
        log_line(12, "back", timestamp="2026-11-23T17:15:06.000000000Z"),
    )
    write_log(folder / "logs", error, stem="errors")


def test_figures_for_people(folder: Path):
    write_logs(folder)
    result = run()
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == "1 damaged line was skipped:"
    size = sum(path.stat().st_size for path in (folder / "logs").iterdir())
    expert, errors = (path.stat().st_size for path in sorted((folder / "logs").iterdir(), reverse=True))
    process = "20261123T171500Z-4711-0bcd01"
    line = json.dumps(error_line(4, "feed lost", "refused")).encode()
    fingerprint = fingerprint_of(LogEntry(line, Path("expert.log"), 0)).digest
    assert result.stdout == (
        f"2 logs, 2 files, {size / 1024:.1f} KiB\n"
        "\n"
        f"log         {'process':28}  files     size  entries  DEBUG  INFO  WARNING  ERROR  damaged  twice  "
        "from                  to\n"
        f"errors.log  {process}      1    {errors} B        1      0     0        0      1        0      0  "
        "2026-11-23T17:15:04Z  2026-11-23T17:15:04Z\n"
        f"expert.log  {process}      1  {expert / 1024:.1f} KiB        6      1     3        1      1        1      0  "
        "2026-11-23T17:15:01Z  2026-11-23T17:15:10Z\n"
        "\n"
        "errors.log by level, each column 1 s from 2026-11-23T17:15:04Z\n"
        "level  a minute  highest  over time\n"
        "ERROR        60       60  █\n"
        "\n"
        "expert.log by level, each column 1 s from 2026-11-23T17:15:01Z\n"
        "level    a minute  highest  over time\n"
        "DEBUG         6.7       60  █\n"
        "INFO           20       60   ██  █\n"
        "WARNING       6.7       60           █\n"
        "ERROR         6.7       60     █\n"
        "\n"
        "errors: 1 kind\n"
        "count  fingerprint  level  logger       exception        place         last                  message\n"
        f"    1  {fingerprint}     ERROR  expert.feed  ConnectionError  feed.connect  2026-11-23T17:15:04Z  feed lost\n"
        "\n"
        "drops, as gap entries tell them\n"
        "log         sink  what     entries  gaps  levels   reason\n"
        "expert.log  file  dropped        5     1  5 DEBUG  queue full\n"
        "\n"
        "sequence numbers by run, over all logs read\n"
        "run                first  last  present  missing  stretches  longest\n"
        f"{BOOT_ID}      1    12        6        6          2  5-9, 11\n"
        "A number is missing where its entry was filtered, sampled, dropped, deleted by retention, or is lost: "
        "the files alone do not tell which.\n"
        "\n"
        "the time goes back: 1 step\n"
        f"  2026-11-23T17:15:10.123456Z  by 4.12 s  expert.log {process}\n"
    )


def test_figures_for_scripts(folder: Path):
    write_logs(folder)
    told = json.loads(run("--json").stdout)
    assert [(each["log"], each["entries"], each["damaged"]) for each in told["writers"]] == [
        ("errors.log", 1, 0),
        ("expert.log", 6, 1),
    ]
    assert told["writers"][1]["first"] == "2026-11-23T17:15:01.123456789Z"
    (rate,) = [each for each in told["rates"] if (each["log"], each["level"]) == ("expert.log", "INFO")]
    assert (rate["begin"], rate["bucket_seconds"]) == ("2026-11-23T17:15:01.000000000Z", 1)
    assert rate["counts"] == [0, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert (told["errors"][0]["count"], told["error_kinds"]) == (1, 1)
    assert (told["drops"][0]["entries"], told["drops"][0]["reason"]) == (5, "queue full")
    (run_told,) = told["runs"]
    assert (run_told["present"], run_told["missing"], run_told["longest"]) == (6, 6, [[5, 9], [11, 11]])
    assert (told["clock_step_count"], told["clock_steps"][0]["back_ns"]) == (1, 4_123_456_789)


def test_only_what_is_asked_for_is_counted(folder: Path):
    write_logs(folder)
    told = json.loads(run("--json", "--level", "ERROR", "--log", "expert").stdout)
    assert [(each["log"], each["by_level"]) for each in told["writers"]] == [("expert.log", {"ERROR": 1})]


def test_the_most_frequent_kinds_of_errors_come_first(folder: Path):
    lines = [error_line(number, "lost", f"gone {number}", "KeyError") for number in (1, 2, 3)]
    write_log(folder / "logs", error_line(4, "feed lost", "refused"), *lines)
    shown = run("--top", "1").stdout
    assert "errors: 2 kinds, the 1 most frequent\n" in shown
    assert "    3  " in shown
    assert "ConnectionError" not in shown


def test_text_logs_have_figures_too(folder: Path):
    write_log(folder / "logs", b"2026-11-23T17:20:01.000000Z ERROR    expert.old: lost code=1006")
    (writer,) = json.loads(run("--json").stdout)["writers"]
    assert (writer["entries"], writer["by_level"], writer["first"]) == (
        1,
        {"ERROR": 1},
        "2026-11-23T17:20:01.000000000Z",
    )


@pytest.mark.parametrize("content", [b"", b"no entry at all\n"])
def test_files_without_an_entry_have_a_status(folder: Path, content: bytes):
    write_log(folder / "logs").write_bytes(content)
    assert run().exit_code == 3


def test_a_folder_without_logs_has_a_status_and_a_sentence(folder: Path):
    (folder / "logs").mkdir()
    result = run()
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("no log files in ")


class TestTables:
    def test_columns_are_as_wide_as_what_is_in_them_as_a_terminal_counts(self):
        lines = table_lines([Column("name"), Column("n", right=True)], [["日本", "5"], ["a", "12"]])
        assert list(lines) == ["name   n", "日本   5", "a     12"]

    def test_a_table_without_rows_is_its_heading(self):
        assert list(table_lines([Column("a"), Column("b")], [], colours=True)) == ["\x1b[1ma  b\x1b[0m"]

    def test_long_cells_are_cut_and_none_drives_a_terminal(self):
        _, line = table_lines([Column("a")], [["\x1b" + "x" * 500]])
        assert line == "\\x1b" + "x" * 115 + "…"

    @pytest.mark.parametrize(
        ("duration_ns", "text"),
        [
            (None, ""),
            (0, "0 µs"),
            (1500, "1.5 µs"),
            (8_087_731, "8.09 ms"),
            (999_960_000, "1000 ms"),
            (2_345_000_000, "2.35 s"),
            (59_900_000_000, "59.9 s"),
            (185_000_000_000, "3 min 5 s"),
            (7_380_000_000_000, "2 h 3 min"),
            (90_000_000_000_000, "1 d 1 h"),
            (-1_500_000, "-1.5 ms"),
        ],
    )
    def test_time_spans(self, duration_ns: int | None, text: str):
        assert duration_text(duration_ns) == text

    def test_csv_quotes_what_needs_it_and_holds_no_formula(self):
        assert csv_line(["a,b", None, 'q"', "-5", "-1.2.3", "=1+1", "@x"]) == '"a,b",,"q""",-5,\'-1.2.3,\'=1+1,\'@x'
