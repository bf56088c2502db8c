"""`metaexpert logs grep`: what is found, what is around it, how many; marks in colour change no character."""

import os
import re
from pathlib import Path

import pytest
from support.log_lines import error_line, log_line, trade_line, write_log
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.cli.logs_grep import marked

_CODES = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["logs", "grep", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def numbers(result: Result) -> str:
    """The numbers of the entries "n <number>" printed, and where some were left out."""
    assert (result.exit_code, result.stderr) == (0, "")
    return " ".join(line if line == "--" else line.split()[-1] for line in result.stdout.splitlines())


class TestFinding:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["BTCUSDT"], ["order_placed"]),
            (["order_(placed|filled)"], ["order_placed"]),
            (["btcusdt", "-i"], ["order_placed"]),
            (["ConnectionError: refused"], ["lost"]),
            (["A-1", "--level", "INFO"], ["order_placed"]),
            ([r"line\stwo"], ["lines"]),
            (["€"], ["euro"]),
        ],
    )
    def test_a_pattern_is_found_in_message_fields_and_tracebacks(
        self, folder: Path, options: list[str], expected: list[str]
    ):
        write_log(
            folder / "logs",
            trade_line(1, "order_placed", order_id="A-1", symbol="BTCUSDT"),
            error_line(2, "lost", "refused"),
            log_line(3, "lines", extra={"text": "line\ntwo"}),
            log_line(4, "euro", extra={"price": "1 €"}),
        )
        lines = [line for line in run("--utc", *options).stdout.splitlines() if line.startswith("2026")]
        assert [next(word for word in expected if word in line) for line in lines] == expected

    def test_nothing_found_is_status_3(self, folder: Path):
        write_log(folder / "logs", log_line(1, "begun"))
        result = run("filled")
        assert (result.exit_code, result.stdout, result.stderr) == (3, "", "")

    def test_the_count_alone(self, folder: Path):
        write_log(folder / "logs", *(log_line(n, f"n {n}") for n in range(20)))
        assert run("-c", "n 1").stdout == "11\n"
        nothing = run("--count", "n 99")
        assert (nothing.exit_code, nothing.stdout) == (3, "0\n")

    def test_a_pattern_that_is_none_is_wrong_usage(self, folder: Path):
        write_log(folder / "logs", log_line(1, "begun"))
        result = run("(")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "error: grep '(' is no regular expression" in result.stderr

    def test_places_come_after_the_pattern(self, folder: Path):
        write_log(folder / "a", log_line(1, "n 1"))
        assert numbers(run("n 1", "a")) == "1"


class TestContext:
    @pytest.mark.parametrize(
        ("found", "around", "expected"),
        [
            ("n 5", 1, "4 5 6"),
            ("n 5", 3, "2 3 4 5 6 7 8"),
            ("n [0]", 2, "0 1 2"),
            ("n 9", 2, "7 8 9"),
            ("n [27]", 1, "1 2 3 -- 6 7 8"),
            ("n [25]", 1, "1 2 3 4 5 6"),
            ("n [26]", 1, "1 2 3 -- 5 6 7"),
            ("n [45]", 1, "3 4 5 6"),
        ],
    )
    def test_entries_around_are_shown_once_and_gaps_are_marked(
        self, folder: Path, found: str, around: int, expected: str
    ):
        write_log(folder / "logs", *(log_line(n, f"n {n}") for n in range(10)))
        assert numbers(run("-C", str(around), found)) == expected

    def test_what_is_around_meets_the_other_options(self, folder: Path):
        write_log(folder / "logs", *(log_line(n, f"n {n}", "INFO" if n % 2 else "DEBUG") for n in range(10)))
        assert numbers(run("-C", "1", "n 5", "--level", "INFO")) == "3 5 7"


class TestMarks:
    def test_found_text_is_marked_in_colour_only(self, folder: Path):
        write_log(folder / "logs", log_line(1, "tick BTCUSDT", extra={"symbol": "BTCUSDT"}))
        plain, coloured = run("BTC").stdout, run("--color", "BTC").stdout
        assert coloured.count("\x1b[1;31mBTC\x1b[0m") == 2
        assert _CODES.sub("", coloured) == plain
        assert "\x1b" not in run("--color", "--json", "BTC").stdout

    @pytest.mark.parametrize(
        ("text", "pattern", "expected"),
        [
            ("one two", "two", "one <two>"),
            ("<green>one two<0> three", "two", "<green>one <red>two<0><green><0> three"),
            ("<green>one<0> two", "ne t", "<green>o<red>ne<0><green><0><red> t<0>wo"),
            ("one", "x*", "one"),
        ],
    )
    def test_the_colour_around_a_mark_goes_on_behind_it(self, text: str, pattern: str, expected: str):
        codes = {"<green>": "\x1b[32m", "<0>": "\x1b[0m", "<red>": "\x1b[1;31m"}
        expected = expected.replace("<two>", "<red>two<0>")
        for name, code in codes.items():
            text, expected = text.replace(name, code), expected.replace(name, code)
        assert marked(text, re.compile(pattern)) == expected
