"""`metaexpert logs query`: SQL over all kinds of log files at once, and over nothing else."""

import csv
import gzip
import io
import json
import os
import sys
from pathlib import Path

import duckdb
import pytest
from support.log_lines import error_line, log_line, trade_line, write_log
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.cli.query_engine import database
from metaexpert.logger.files.keeping.packing import has_zstd, zstd

TEXT = (
    b"2026-11-23T17:20:01.000000Z ERROR    expert.old: connection lost code=1006\n"
    b"    Traceback (most recent call last):\n"
    b'      File "/app/old.py", line 4, in connect\n'
    b"    OSError: reset"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["logs", "query", "--utc", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def rows(sql: str, *arguments: str) -> list[list[str]]:
    result = run(sql, "--csv", *arguments)
    assert result.exit_code == 0, result.stderr
    return list(csv.reader(io.StringIO(result.stdout)))[1:]


def ticks(first: int, last: int, **fields: object) -> list[dict[str, object]]:
    return [log_line(number, "tick", extra={"symbol": "BTCUSDT", **fields}) for number in range(first, last + 1)]


class TestFiles:
    def test_live_compressed_and_text_files_of_many_processes_are_one_table(self, folder: Path):
        logs = folder / "logs"
        packed = write_log(logs, *ticks(1, 3))
        with gzip.open(f"{packed}.gz", "wb") as file:
            file.write(packed.read_bytes())
        packed.unlink()
        write_log(logs, *ticks(4, 5), number=2)
        other = [line | {"id": f"0a2097fe9ce0bcdef-{line['seq']}"} for line in ticks(1, 2)]
        write_log(logs, *other, tag="0bcdef")
        write_log(logs, TEXT, stem="old")
        assert rows("SELECT log, level, count(*) FROM logs GROUP BY ALL ORDER BY ALL") == [
            ["expert.log", "INFO", "7"],
            ["old.log", "ERROR", "1"],
        ]

    @pytest.mark.skipif(not has_zstd(), reason="nothing here packs zstd")
    def test_zstd(self, folder: Path):
        path = write_log(folder / "logs", *ticks(1, 3))
        Path(f"{path}.zst").write_bytes(zstd().compress(path.read_bytes()))
        path.unlink()
        assert rows("SELECT count(*) FROM logs") == [["3"]]

    def test_an_entry_in_several_files_counts_once_and_in_each_log_once(self, folder: Path):
        lines = [error_line(1, "feed lost", "refused"), log_line(2, "tick")]
        write_log(folder / "logs", *lines)
        write_log(folder / "logs", lines[0], lines[0], stem="errors")
        assert rows("SELECT count(*) FROM logs") == [["2"]]
        assert rows("SELECT count(*) FROM errors WHERE error_type = 'ConnectionError'") == [["1"]]
        assert rows("SELECT log, count(*) FROM logs GROUP BY ALL ORDER BY ALL") == [
            ["errors.log", "1"],
            ["expert.log", "2"],
        ]
        assert rows("SELECT count(*) FROM logs", "--copies") == [["4"]]

    def test_lines_without_an_id_are_one_each(self, folder: Path):
        line = log_line(1, "foreign")
        del line["id"]
        write_log(folder / "logs", line, line)
        assert rows("SELECT count(*), count(DISTINCT message) FROM logs") == [["2", "1"]]

    def test_paths_that_look_like_wildcards_are_paths(self, folder: Path):
        write_log(folder / "logs[1]*", *ticks(1, 2))
        write_log(folder / "logs1x", *ticks(1, 9))
        assert rows("SELECT count(*) FROM logs", "logs[1]*") == [["2"]]

    def test_a_folder_named_like_a_partition_adds_no_column(self, folder: Path):
        write_log(folder / "year=2026", *ticks(1, 2))
        assert "year" not in run("SELECT * FROM logs", "year=2026", "--csv").stdout.splitlines()[0]


class TestColumns:
    def test_fields_are_columns_with_the_types_of_their_values(self, folder: Path):
        write_log(
            folder / "logs",
            log_line(1, "tick", extra={"symbol": "BTCUSDT", "latency_ms": 3, "ratio": 0.5, "price": "43100.10"}),
            log_line(2, "tick", extra={"symbol": "ETHUSDT", "latency_ms": 9, "ratio": 1, "live": True}),
        )
        told = rows("SELECT typeof(latency_ms), typeof(ratio), typeof(price), typeof(live), typeof(symbol) FROM logs")
        assert told[0] == ["BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN", "VARCHAR"]
        assert rows("SELECT sum(latency_ms) FROM logs WHERE symbol = 'ETHUSDT'") == [["9"]]
        assert rows("SELECT upper(symbol) AS symbol FROM logs WHERE live ORDER BY symbol") == [["ETHUSDT"]]
        assert rows("SELECT l.symbol FROM logs l JOIN logs m USING (id) WHERE m.latency_ms > 5") == [["ETHUSDT"]]

    def test_times_are_exact_to_the_nanosecond_and_can_be_reckoned_with(self, folder: Path):
        write_log(folder / "logs", *ticks(1, 61))
        assert rows("SELECT max(time_ns), max(timestamp) FROM logs") == [
            ["1795454161123456789", "2026-11-23 17:16:01.123456+00"]
        ]
        assert rows("SELECT date_trunc('minute', timestamp) AS m, count(*) FROM logs GROUP BY m ORDER BY m") == [
            ["2026-11-23 17:15:00+00", "59"],
            ["2026-11-23 17:16:00+00", "2"],
        ]
        assert rows("SELECT count(*) FROM logs WHERE timestamp > now() - INTERVAL 1 HOUR OR true") == [["61"]]

    def test_amounts_of_trades_are_decimals(self, folder: Path):
        write_log(
            folder / "logs",
            trade_line(1, "f", event="order_filled", order_id="A", symbol="X", quantity="0.1", price="0.2"),
            trade_line(2, "f", event="order_filled", order_id="B", symbol="X", quantity="0.2", price="0.1"),
            log_line(3, "no trade", extra={"quantity": "5", "price": "5"}),
            stem="trades",
        )
        sql = "SELECT symbol, sum(quantity) AS q, sum(quantity * price) AS v FROM trades GROUP BY symbol"
        assert run(sql).stdout == "symbol    q     v\nX       0.3  0.04\n"

    def test_text_trades_are_trades_too(self, folder: Path):
        line = (
            b"2026-11-23T17:15:01.000000Z INFO     demo: order_filled BUY 0.10 X at 5 "
            b"event=order_filled order_id=7 symbol=X side=BUY quantity=0.10 price=5"
        )
        write_log(folder / "logs", line, stem="trades")
        write_log(folder / "logs", line)
        assert rows("SELECT order_id, quantity * price FROM trades") == [["7", "0.500000000000000000000000"]]

    def test_a_star_has_all_of_an_entry(self, folder: Path):
        write_log(folder / "logs", error_line(1, "lost", "refused"))
        (told,) = map(json.loads, run("SELECT * FROM errors", "--json").stdout.splitlines())
        assert (told["level"], told["level_number"], told["line"]) == ("ERROR", 40, 42)
        assert told["exception"]["type"] == told["error_type"] == "ConnectionError"
        assert told["traceback"].startswith("Traceback")
        assert told["extra"] is None

    def test_a_field_nobody_has_is_told(self, folder: Path):
        write_log(folder / "logs", *ticks(1, 2))
        result = run("SELECT DISTINCT symbo FROM logs", "--csv")
        assert (result.exit_code, result.stdout) == (0, 'symbo\n""\n')
        assert result.stderr == "note: no entry looked at has a field symbo\n"


class TestWhichEntries:
    @pytest.mark.parametrize(
        ("arguments", "count"),
        [
            ([], 6),
            (["--level", "WARNING"], 2),
            (["--since", "2026-11-23T17:15:03"], 4),
            (["--until", "2026-11-23T17:15:03"], 2),
            (["--logger", "expert"], 5),
            (["--logger", "other.deep"], 1),
            (["--log-type", "audit"], 1),
            (["--where", "symbol=ETHUSDT"], 1),
            (["--log", "errors"], 1),
        ],
    )
    def test_the_commands_options_hold(self, folder: Path, arguments: list[str], count: int):
        lines = [
            log_line(1, "a"),
            log_line(2, "b", "WARNING"),
            log_line(3, "c", "ERROR"),
            log_line(4, "d", extra={"symbol": "ETHUSDT"}),
            log_line(5, "e", log_type="audit"),
            log_line(6, "f", logger="other.deep"),
        ]
        write_log(folder / "logs", *lines)
        write_log(folder / "logs", lines[2], stem="errors")
        assert rows("SELECT count(*) FROM logs", *arguments) == [[str(count)]]

    @pytest.mark.parametrize(("option", "damaged", "count"), [("--since", 1, 3), ("--until", 2, 4)])
    def test_files_that_times_rule_out_are_not_read(self, folder: Path, option: str, damaged: int, count: int):
        old = write_log(folder / "logs", *ticks(1, 4), *[b'{"damaged'] * (damaged == 1))
        os.utime(old, ns=(1_795_454_110_000_000_000, 1_795_454_110_000_000_000))  # 17:15:10
        new = [line | {"timestamp": "2026-11-23T17:45:00.000000000Z"} for line in ticks(5, 7)]
        write_log(folder / "logs", *new, *[b'{"damaged'] * (damaged == 2), number=2)
        assert "damaged" in run("SELECT count(*) FROM logs").stderr
        told = run("SELECT count(*) AS n FROM logs", "--csv", option, "2026-11-23T17:30")
        assert (told.stdout, told.stderr) == (f"n\n{count}\n", "")


class TestOutput:
    def test_a_table(self, folder: Path):
        write_log(folder / "logs", *ticks(1, 12), log_line(13, "odd\x1b[2J", extra={"symbol": "ETH"}))
        result = run("SELECT symbol, count(*) AS n, any_value(message) AS said FROM logs GROUP BY symbol ORDER BY n")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == "symbol    n  said\nETH       1  odd\\x1b[2J\nBTCUSDT  12  tick\n"

    def test_json_keeps_types_and_names(self, folder: Path):
        write_log(folder / "logs", *ticks(1, 2))
        result = run("SELECT count(*) AS n, NULL AS nothing, 1.10 AS d, 'a\"b' AS \"it's\" FROM logs", "--json")
        assert result.stdout == '{"n":2,"nothing":null,"d":1.10,"it\'s":"a\\"b"}\n'

    def test_csv_that_no_spreadsheet_runs(self, folder: Path):
        write_log(folder / "logs", log_line(1, "=HYPERLINK(1)"))
        assert rows("SELECT message, -5 AS n FROM logs") == [["'=HYPERLINK(1)", "-5"]]

    def test_parquet(self, folder: Path):
        write_log(folder / "logs", *ticks(1, 3))
        assert run("SELECT seq, timestamp, extra FROM logs ORDER BY seq", "--parquet", "out.parquet").exit_code == 0
        with duckdb.connect() as connection:
            found = connection.execute("SELECT seq, extra->>'symbol' FROM 'out.parquet'").fetchall()
        assert found == [(1, "BTCUSDT"), (2, "BTCUSDT"), (3, "BTCUSDT")]
        assert sorted(path.name for path in folder.iterdir()) == ["logs", "out.parquet"]

    def test_a_file_that_is_there_stays_when_the_query_fails(self, folder: Path):
        write_log(folder / "logs", *ticks(1, 3))
        (folder / "out.parquet").write_text("precious")
        assert run("SELECT frobnicate(seq) FROM logs", "--parquet", "out.parquet").exit_code == 2
        assert (folder / "out.parquet").read_text() == "precious"
        assert sorted(path.name for path in folder.iterdir()) == ["logs", "out.parquet"]

    def test_no_row_has_a_status(self, folder: Path):
        write_log(folder / "logs", *ticks(1, 3))
        result = run("SELECT message FROM logs WHERE level = 'ERROR'")
        assert (result.exit_code, result.stdout) == (3, "")

    def test_a_folder_without_logs_has_a_status_and_a_sentence(self, folder: Path):
        (folder / "logs").mkdir()
        result = run("SELECT 1 FROM logs")
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith("no log files in ")


class TestDamage:
    def test_damaged_lines_are_counted_and_skipped(self, folder: Path):
        path = write_log(folder / "logs", *ticks(1, 2), b'{"torn', b"\xff\xfe", b"[1]", *ticks(3, 4))
        result = run("SELECT count(*) FROM logs WHERE level = 'INFO'", "--csv")
        assert (result.exit_code, result.stdout.splitlines()[1]) == (0, "4")
        assert result.stderr == f"3 damaged lines skipped: {path.name}: 3\n"

    def test_a_compressed_file_that_is_cut_off_gives_what_is_in_it(self, folder: Path):
        path = write_log(folder / "logs", *ticks(1, 500))
        packed = gzip.compress(path.read_bytes())
        Path(f"{path}.gz").write_bytes(packed[: len(packed) // 2])
        path.unlink()
        write_log(folder / "logs", *ticks(600, 601), number=2)
        result = run("SELECT count(*) FROM logs", "--csv")
        assert result.exit_code == 0
        assert 2 < int(result.stdout.splitlines()[1]) < 502
        assert path.name in result.stderr


OUTSIDE = "secret.csv"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('secret.csv')",
        "SELECT * FROM read_text('secret.csv')",
        "SELECT * FROM read_blob('secret.csv')",
        "SELECT * FROM sniff_csv('secret.csv')",
        "SELECT * FROM 'secret.csv'",
        "SELECT * FROM glob('*')",
        "COPY logs TO 'secret.csv'",
        "COPY logs TO 'stolen.csv'",
        "EXPLAIN ANALYZE COPY logs TO 'stolen.csv'",
        "EXPORT DATABASE 'stolen'",
        "ATTACH 'stolen.db'",
        "SET enable_external_access = true",
        "SELECT 1 FROM logs; COPY logs TO 'stolen.csv'",
        "SELECT 1) TO 'stolen.csv' (FORMAT csv); --",
        "SELECT * FROM query('COPY logs TO ''stolen.csv''')",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA enable_profiling",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW logs",
        "SELECT getenv('PATH')",
        "SELECT * FROM os",
        "",
    ],
)
def test_a_query_reads_nothing_else_and_writes_nothing(folder: Path, sql: str):
    path = write_log(folder / "logs", *ticks(1, 2))
    before = path.read_bytes()
    (folder / OUTSIDE).write_text("hunter2\n1\n")
    result = run(sql)
    assert result.exit_code in {1, 2}
    assert "hunter2" not in result.output
    assert result.stderr.startswith(("error: ", "Usage: "))
    assert path.read_bytes() == before
    assert (folder / OUTSIDE).read_text() == "hunter2\n1\n"
    assert sorted(each.name for each in folder.iterdir()) == ["logs", OUTSIDE]


def test_a_query_cannot_write_to_the_logs_it_may_read(folder: Path):
    path = write_log(folder / "logs", *ticks(1, 2))
    before = path.read_bytes()
    result = run(f"COPY (SELECT 1) TO '{path.as_posix()}' (USE_TMP_FILE false)")
    assert result.exit_code == 2
    assert result.stderr == "error: only one SELECT can be asked: logs are read, never changed\n"
    assert path.read_bytes() == before


def test_without_duckdb_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    write_log(folder / "logs", *ticks(1, 2))
    monkeypatch.setitem(sys.modules, "duckdb", None)
    result = run("SELECT 1 FROM logs")
    assert result.exit_code == 1
    assert result.stderr == "error: this needs DuckDB, which is not installed: pip install 'metaexpert[query]'\n"


def test_wrong_sql_is_wrong_usage_and_told_in_a_line(folder: Path):
    write_log(folder / "logs", *ticks(1, 2))
    result = run("SELEC 1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == 'error: Parser Error: syntax error at or near "SELEC"\n'


def test_ctrl_c_while_duckdb_is_at_work_is_ctrl_c():
    with pytest.raises(KeyboardInterrupt), database():
        raise RuntimeError("Query interrupted")


def test_other_faults_are_not_taken_for_ctrl_c():
    with pytest.raises(RuntimeError, match="odd"), database():
        raise RuntimeError("odd")
