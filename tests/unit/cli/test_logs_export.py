"""`metaexpert logs export`: what other programs get, and a file that is there whole or not at all."""

import csv
import io
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.log_lines import BOOT_ID, error_line, log_line, trade_line, write_log
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.cli.whole_file import WholeFile
from metaexpert.logger.formats.ecs import ECS_VERSION


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["logs", "export", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def rows(result: Result) -> list[dict[str, str]]:
    assert (result.exit_code, result.stderr) == (0, "")
    return list(csv.DictReader(io.StringIO(result.stdout_bytes.decode(), newline="")))


class TestNdjson:
    def test_lines_are_the_very_bytes(self, folder: Path):
        path = write_log(folder / "logs", log_line(1, "a €"), error_line(2, "lost", "refused"))
        assert run("--format", "ndjson").stdout_bytes == path.read_bytes()

    def test_keys_can_be_picked(self, folder: Path):
        write_log(folder / "logs", log_line(1, "tick", extra={"symbol": "BTCUSDT"}))
        told = run("--format", "ndjson", "--fields", "message,symbol").stdout
        assert told == '{"message":"tick","symbol":"BTCUSDT"}\n'


class TestCsv:
    def test_a_row_for_each_entry(self, folder: Path):
        write_log(
            folder / "logs",
            log_line(1, 'two\nlines, "quoted"', extra={"n": 1}),
            trade_line(2, "order_placed", order_id="A-1", price="1.50"),
        )
        first, second = rows(run("--format", "csv"))
        assert first["timestamp"] == "2026-11-23T17:15:01.123456789Z"
        assert (first["message"], first["extra"], first["trade_data"]) == ('two\nlines, "quoted"', '{"n":1}', "")
        assert orjson.loads(second["trade_data"]) == {"order_id": "A-1", "price": "1.50"}
        assert (second["log_type"], second["id"]) == ("trade", f"{BOOT_ID}-2")

    def test_chosen_columns_in_their_order(self, folder: Path):
        write_log(folder / "logs", log_line(1, "tick", extra={"symbol": "BTCUSDT", "price": "-1.50", "n": 3}))
        assert run("--format", "csv", "--fields", "symbol,n,price,none").stdout_bytes == (
            b"symbol,n,price,none\r\nBTCUSDT,3,-1.50,\r\n"
        )

    @pytest.mark.parametrize(
        ("message", "cell"),
        [
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\uff1dSUM(1)", "'\uff1dSUM(1)"),
            ("\uff0b1+1", "'\uff0b1+1"),
            ("\n=1+1", "'\n=1+1"),
            ("+1+2", "'+1+2"),
            ("-x", "'-x"),
            ("-1.5e-7", "-1.5e-7"),
            ("+3", "+3"),
            ("a=b", "a=b"),
            ("\x1b[31mred", "\\x1b[31mred"),
            ("", ""),
        ],
    )
    def test_no_cell_is_a_formula_or_drives_a_terminal(self, folder: Path, message: str, cell: str):
        write_log(folder / "logs", log_line(1, message))
        assert rows(run("--format", "csv", "--fields", "level,message")) == [{"level": "INFO", "message": cell}]


class TestEcs:
    def test_documents_are_those_of_the_elasticsearch_sink(self, folder: Path):
        write_log(folder / "logs", error_line(2, "lost", "refused", extra={"n": 1}, task="Task-1"))
        result = run("--format", "ecs", "--service", "bot", "--host", "node-1", "--environment", "live")
        document: dict[str, Any] = orjson.loads(result.stdout)
        assert document.pop("error")["type"] == "ConnectionError"
        assert document == {
            "@timestamp": "2026-11-23T17:15:02.123456789Z",
            "message": "lost",
            "log": {
                "level": "error",
                "logger": "expert.feed",
                "origin": {"file": {"name": "feed.py", "line": 42}, "function": "run"},
            },
            "event": {"dataset": "metaexpert.general", "id": f"{BOOT_ID}-2", "sequence": 2},
            "ecs": {"version": ECS_VERSION},
            "service": {"name": "bot", "environment": "live"},
            "host": {"name": "node-1"},
            "process": {"pid": 4711, "thread": {"id": 7}},
            "labels": {"task": "Task-1"},
            "extra": {"n": 1},
        }

    def test_events_of_splunk_carry_the_line_and_say_who_wrote_it(self, folder: Path):
        write_log(folder / "logs", log_line(1, "tick", extra={"symbol": "BTCUSDT"}))
        event = orjson.loads(run("--format", "splunk", "--service", "ema-cross", "--host", "bot-7").stdout)
        assert (event["host"], event["source"]) == ("bot-7", "ema-cross")
        assert event["fields"] == {"service": "ema-cross", "entry_id": f"{BOOT_ID}-1", "symbol": "BTCUSDT"}
        assert event["event"]["message"] == "tick"

    def test_events_of_cef_carry_the_trade_and_its_id(self, folder: Path):
        write_log(folder / "logs", trade_line(2, "order_placed", order_id="A-1", price="1.50"))
        line = run("--format", "cef", "--service", "ema-cross", "--host", "bot-7").stdout
        assert line.startswith("CEF:0|MetaExpert|Logger|")
        assert f" externalId={BOOT_ID}-2 " in line
        assert " dvchost=bot-7 " in line
        assert " cs3=A-1 cs3Label=order_id " in line
        assert " cfp1=1.50 cfp1Label=price " in line

    def test_the_configuration_names_the_service(self, folder: Path):
        (folder / "metaexpert.toml").write_text('log_name = "grid"\n')
        write_log(folder / "logs", log_line(1, "begun"))
        assert orjson.loads(run("--format", "ecs").stdout)["service"] == {"name": "grid"}


class TestOtel:
    def test_each_line_is_a_request_of_many_records_by_run_and_logger(self, folder: Path):
        write_log(folder / "logs", *(log_line(n, f"n {n}", logger=f"expert.{'ab'[n % 2]}") for n in range(4)))
        write_log(folder / "logs", log_line(9, "other", id="0a2097fe9ce0bcd02-1", process=4712), tag="0bcd02")
        (line,) = run("--format", "otel", "--service", "bot", "--host", "node-1").stdout.splitlines()
        first, second = orjson.loads(line)["resourceLogs"]
        attributes = {each["key"]: each["value"] for each in first["resource"]["attributes"]}
        assert attributes["service.name"] == {"stringValue": "bot"}
        assert attributes["service.instance.id"] == {"stringValue": BOOT_ID}
        assert [scope["scope"]["name"] for scope in first["scopeLogs"]] == ["expert.a", "expert.b"]
        record = first["scopeLogs"][0]["logRecords"][1]
        assert record["body"] == {"stringValue": "n 2"}
        assert record["timeUnixNano"] == "1795454102123456789"
        assert {"key": "log.record.uid", "value": {"stringValue": f"{BOOT_ID}-2"}} in record["attributes"]
        assert {"key": "process.pid", "value": {"intValue": "4712"}} in second["resource"]["attributes"]

    def test_requests_hold_some_hundred_records(self, folder: Path):
        write_log(folder / "logs", *(log_line(n, f"n {n}") for n in range(1100)))
        requests = [orjson.loads(line) for line in run("--format", "otel").stdout.splitlines()]
        assert [len(each["resourceLogs"][0]["scopeLogs"][0]["logRecords"]) for each in requests] == [500, 500, 100]


class TestFile:
    def test_it_is_written_and_how_much_is_told_on_stderr(self, folder: Path):
        path = write_log(folder / "logs", log_line(1, "a"), log_line(2, "b", "DEBUG"))
        result = run("--format", "ndjson", "-o", "out.ndjson", "--level", "INFO")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "1 entry written to out.ndjson\n")
        assert (folder / "out.ndjson").read_bytes() == path.read_bytes().splitlines(keepends=True)[0]
        assert sorted(each.name for each in folder.iterdir()) == ["logs", "out.ndjson"]

    @pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
    def test_it_is_for_its_owner(self, folder: Path):
        write_log(folder / "logs", log_line(1, "a"))
        run("--format", "csv", "-o", "out.csv")
        assert (folder / "out.csv").stat().st_mode & 0o777 == 0o600

    def test_nothing_found_leaves_what_is_there(self, folder: Path):
        write_log(folder / "logs", log_line(1, "a"))
        (folder / "out.csv").write_text("kept")
        result = run("--format", "csv", "-o", "out.csv", "--level", "ERROR")
        assert (result.exit_code, (folder / "out.csv").read_text()) == (3, "kept")

    def test_a_write_that_fails_leaves_what_is_there_and_no_other_file(self, tmp_path: Path):
        (tmp_path / "out").write_text("kept")
        file = WholeFile(tmp_path / "out")
        file.write(b"half")
        file.__exit__(OSError, OSError("full"), None)
        assert [each.name for each in tmp_path.iterdir()] == ["out"]
        assert (tmp_path / "out").read_text() == "kept"

    def test_a_folder_that_is_not_there_is_a_fault(self, folder: Path):
        write_log(folder / "logs", log_line(1, "a"))
        result = run("--format", "csv", "-o", "nowhere/out.csv")
        assert result.exit_code == 1
        assert "nowhere" in result.stderr

    @pytest.mark.parametrize("options", [["--format", "xml"], [], ["--format", "ecs", "--fields", "message"]])
    def test_wrong_usage(self, folder: Path, options: list[str]):
        write_log(folder / "logs", log_line(1, "a"))
        assert run(*options).exit_code == 2
