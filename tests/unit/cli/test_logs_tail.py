"""`metaexpert logs tail`: exact lines, exit statuses, damaged lines, places."""

import os
from pathlib import Path

import orjson
import pytest
from support.log_lines import error_line, log_line, trade_line, write_log
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, command: str = "tail", **environ: str) -> Result:
    result = CliRunner().invoke(app, ["logs", command, *arguments], env=environ)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def told(result: Result) -> list[str]:
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.splitlines()


class TestWhichEntries:
    def test_the_last_ten_of_all_files_merged_by_time(self, folder: Path):
        write_log(folder / "logs", *(log_line(n, f"first {n}") for n in range(0, 20, 2)))
        write_log(folder / "logs", *(log_line(n, f"second {n}", id=f"b-{n}") for n in range(1, 20, 2)), tag="0bcd02")
        messages = [line.split(": ", 1)[1] for line in told(run("--utc"))]
        assert messages == [f"{'second' if n % 2 else 'first'} {n}" for n in range(10, 20)]

    def test_an_entry_of_several_logs_comes_once(self, folder: Path):
        write_log(folder / "logs", log_line(1, "begun"), error_line(2, "lost", "refused"))
        write_log(folder / "logs", error_line(2, "lost", "refused"), stem="errors")
        assert sum("lost" in line for line in told(run())) == 1

    def test_as_many_as_asked_for(self, folder: Path):
        write_log(folder / "logs", *(log_line(n, f"n {n}") for n in range(20)))
        assert [line.split()[-1] for line in told(run("-n", "3"))] == ["17", "18", "19"]

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["--level", "error"], ["lost"]),
            (["-l", "WARNING"], ["slow", "lost"]),
            (["--logger", "expert.risk"], ["limit"]),
            (["--logger", "expert"], ["begun", "slow", "limit", "lost", "order_placed"]),
            (["--log-type", "trade"], ["order_placed"]),
            (["-t", "trade", "-t", "audit"], ["limit", "order_placed"]),
            (["--where", "latency_ms>100"], ["slow"]),
            (["-w", "order_id=A-1", "-w", "strategy_id=1001"], ["order_placed"]),
            (["--since", "2026-11-23T17:15:04"], ["lost", "order_placed"]),
            (["--until", "2026-11-23T17:15:02"], ["begun"]),
            (["--log", "trades"], ["order_placed"]),
            (["--log", "expert.log"], ["begun", "slow", "limit", "lost"]),
        ],
    )
    def test_that_the_options_ask_for(self, folder: Path, options: list[str], expected: list[str]):
        write_log(
            folder / "logs",
            log_line(1, "begun"),
            log_line(2, "slow", "WARNING", extra={"latency_ms": 250}),
            log_line(3, "limit", logger="expert.risk", log_type="audit"),
            error_line(4, "lost", "refused"),
        )
        write_log(folder / "logs", trade_line(5, "order_placed", order_id="A-1"), stem="trades")
        lines = [line for line in told(run("--utc", *options)) if line.startswith("2026")]
        assert [next(word for word in expected if word in line) for line in lines] == expected
        assert len(lines) == len(expected)

    def test_of_the_places_named(self, folder: Path):
        write_log(folder / "a", log_line(1, "in a"))
        other = write_log(folder / "b", log_line(2, "in b"), tag="0bcd02")
        write_log(folder / "logs", log_line(3, "in logs"))
        assert [line[-1] for line in told(run("a", str(other)))] == ["a", "b"]
        assert [line[-1] for line in told(run("a/expert.log"))] == ["a"]


class TestHowTheyLook:
    def test_lines_for_people(self, folder: Path):
        write_log(
            folder / "logs", log_line(1, "connected", extra={"exchange": "binance"}), error_line(2, "lost", "refused")
        )
        assert run("--utc").stdout == (
            "2026-11-23T17:15:01.123456Z INFO     expert.feed: connected exchange=binance\n"
            "2026-11-23T17:15:02.123456Z ERROR    expert.feed: lost\n"
            "    Traceback (most recent call last):\n"
            '      File "/app/feed.py", line 42, in connect\n'
            "        raise failure\n"
            "    ConnectionError: refused\n"
        )

    def test_json_is_the_very_bytes(self, folder: Path):
        path = write_log(
            folder / "logs", log_line(1, "a \u20ac"), b'{"timestamp":"2026-11-23T18:00:00Z",  "message":"odd"}'
        )
        assert run("--json").stdout_bytes == path.read_bytes()

    def test_picked_fields(self, folder: Path):
        write_log(folder / "logs", log_line(1, "tick", extra={"symbol": "BTCUSDT", "price": "1.50"}))
        assert run("--fields", "symbol, price").stdout == "symbol=BTCUSDT price=1.50\n"
        assert orjson.loads(run("--json", "--fields", "price,level").stdout) == {"price": "1.50", "level": "INFO"}

    def test_a_pipe_gets_no_colours_unless_they_are_asked_for(self, folder: Path):
        write_log(folder / "logs", log_line(1, "connected"))
        assert "\x1b" not in run().stdout
        assert "\x1b[32mINFO    \x1b[0m" in run("--color", NO_COLOR="1").stdout

    def test_text_logs_look_as_they_do_in_their_file(self, folder: Path):
        text = b'2026-11-23T17:15:01.123456Z INFO     expert.feed: tick symbol=BTCUSDT note="two words"'
        write_log(folder / "logs", text)
        assert run("--utc").stdout_bytes == text + b"\n"


class TestTrouble:
    def test_damaged_lines_are_counted_and_shown_on_stderr(self, folder: Path):
        path = write_log(folder / "logs", log_line(1, "good"), b'{"torn": \x1b[31m', log_line(3, "better"))
        result = run()
        assert result.exit_code == 0
        assert [line.split()[-1] for line in result.stdout.splitlines()] == ["good", "better"]
        first, second = result.stderr.splitlines()
        assert first == "1 damaged line was skipped:"
        assert second.startswith(f"  {path.name} at byte ")
        assert '{"torn": \\x1b[31m' in second

    @pytest.mark.parametrize(
        ("options", "status", "words"),
        [
            (["--level", "LOUD"], 2, ["LOUD", "WARNING"]),
            (["--since", "soon"], 2, ["soon", "15m"]),
            (["--where", "price"], 2, ["price", "name=value"]),
            (["--since", "2h", "--until", "3h"], 2, ["since"]),
            (["--fields", " , "], 2, ["--fields"]),
            (["-n", "-1"], 2, ["--lines"]),
            (["nowhere"], 1, ["nowhere"]),
            (["--level", "CRITICAL"], 3, []),
            (["--log", "other"], 3, ["other", "logs"]),
        ],
    )
    def test_statuses(self, folder: Path, options: list[str], status: int, words: list[str]):
        write_log(folder / "logs", log_line(1, "good"))
        result = run(*options)
        assert (result.exit_code, result.stdout) == (status, "")
        assert all(word in result.stderr for word in words)
        assert "Traceback" not in result.stderr

    @pytest.mark.usefixtures("folder")
    def test_without_a_log_folder_it_says_where_it_looked(self):
        result = run()
        assert (result.exit_code, result.stdout) == (1, "")
        assert "logs" in result.stderr

    @pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", int)() == 0, reason="needs a folder we may not read")
    def test_a_folder_that_may_not_be_read_is_a_fault(self, folder: Path):
        write_log(folder / "logs", log_line(1, "good")).parent.chmod(0)
        result = run()
        (folder / "logs").chmod(0o700)
        assert result.exit_code == 1
        assert "logs cannot be read" in result.stderr


class TestTextLogs:
    """Lines of text have no id; those of one run and one time in two of its logs are one entry."""

    LOST = (
        b"2026-11-23T17:15:02.123456Z ERROR    expert.feed: lost code=7\n"
        b"    Traceback (most recent call last):\n    OSError: x"
    )

    def test_an_error_that_stands_in_two_logs_comes_once(self, folder: Path):
        write_log(folder / "logs", b"2026-11-23T17:15:01.000000Z INFO     expert.feed: begun", self.LOST)
        write_log(folder / "logs", self.LOST, stem="errors")
        assert run("--utc").stdout.count("lost code=7") == 1

    def test_what_one_log_or_two_runs_said_twice_comes_twice(self, folder: Path):
        write_log(folder / "logs", self.LOST, self.LOST)
        write_log(folder / "logs", self.LOST, stem="errors", tag="0bcd02")
        assert run("--utc").stdout.count("lost code=7") == 3

    @pytest.mark.parametrize("options", [["--log-type", "audit"], ["--where", "log_type=audit"]])
    def test_that_lines_of_text_tell_no_log_type_is_said(self, folder: Path, options: list[str]):
        write_log(folder / "logs", self.LOST)
        write_log(folder / "logs", log_line(1, "limit", log_type="audit"), tag="0bcd02")
        result = run("--utc", *options)
        assert [line[-5:] for line in result.stdout.splitlines()] == ["limit"]
        assert "tell no log type" in result.stderr
        assert "tell no log type" not in run("--level", "info").stderr

    def test_trade_entries_are_found_in_text(self, folder: Path):
        placed = b"2026-11-23T17:15:01.000000Z INFO     bot: order_placed BUY 1 X event=order_placed order_id=A-1"
        write_log(folder / "logs", placed, self.LOST)
        assert run("--utc", "-t", "TRADE").stdout_bytes == placed + b"\n"
