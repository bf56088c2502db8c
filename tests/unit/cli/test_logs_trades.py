"""`metaexpert logs trades`: orders and positions as a person reads them, and as scripts do; nothing rounded."""

import csv
import io
import json
import os
from pathlib import Path

import duckdb
import pytest
from support.log_lines import log_line, trade_line, write_log
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["logs", "trades", "--utc", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


ORDER = {"order_id": "A-1", "symbol": "BTCUSDT", "side": "BUY"}


def write_trades(folder: Path) -> None:
    lines = [
        trade_line(1, "placed", event="order_placed", **ORDER, quantity="0.30", price="43100.50"),
        trade_line(2, "accepted", event="order_accepted", order_id="A-1"),
        trade_line(
            3,
            "part",
            event="order_partially_filled",
            order_id="A-1",
            executed_quantity="0.10",
            executed_price="43100.20",
            fee="0.00001",
            fee_asset="BNB",
        ),
        trade_line(4, "filled", event="order_filled", **ORDER, quantity="0.20", price="43100.50"),
        trade_line(4, "position", event="position_changed", symbol="BTCUSDT", quantity="0.30", entry_price="43100.4"),
        trade_line(
            5, "placed", event="order_placed", order_id="B-7", symbol="ETHUSDT", side="SELL", quantity="2", price="1"
        ),
        trade_line(6, "cancelled", event="order_cancelled", order_id="B-7", reason="no liquidity"),
        trade_line(7, "filled", event="order_filled", order_id="B-7", side="SELL", quantity="2", price="1"),
        trade_line(8, "funding", event="funding_paid", symbol="BTCUSDT", amount="-0.1", asset="USDT"),
    ]
    for number, line in enumerate(lines, 1):
        line["id"] = f"{line['id'].partition('-')[0]}-{number}"
    write_log(folder / "logs", *lines, stem="trades")
    # the main log has them too, among others
    write_log(folder / "logs", log_line(100, "tick"), *lines[:4])


def test_a_table_of_orders_and_positions(folder: Path):
    write_trades(folder)
    result = run()
    assert (result.exit_code, result.stderr) == (0, "")
    expected = (
        "order  symbol   side  state   quantity  filled  average price  fees         begun                        "
        "first fill  done  remarks\n"
        "A-1    BTCUSDT  BUY   filled      0.30    0.30        43100.4  0.00001 BNB  2026-11-23T17:15:01.123456Z  "
        "       2 s   3 s\n"
        "B-7    ETHUSDT  SELL  filled         2       2              1               2026-11-23T17:15:05.123456Z  "
        "       2 s   2 s  filled after it was cancelled; no liquidity\n"
        "\n"
        "symbol   quantity  entry price  changes  last changed                 remarks\n"
        "BTCUSDT      0.30      43100.4        1  2026-11-23T17:15:04.123456Z\n"
        "\n"
        "2 orders: 2 filled; 1 position with 1 change; other events: 1 funding_paid; 1 order with remarks\n"
    )
    assert result.stdout == expected


def test_json_has_exact_digits_and_all_stages(folder: Path):
    write_trades(folder)
    first, second = map(json.loads, run("--json").stdout.splitlines())
    assert (first["order_id"], first["quantity"], first["filled_quantity"]) == ("A-1", "0.30", "0.30")
    assert (first["average_price"], first["notional"], first["fees"]) == ("43100.4", "12930.1200", {"BNB": "0.00001"})
    assert first["placed_at"] == "2026-11-23T17:15:01.123456789Z"
    assert (first["to_accepted_ns"], first["to_first_fill_ns"], first["to_done_ns"]) == (10**9, 2 * 10**9, 3 * 10**9)
    assert [each["stage"] for each in first["stages"]] == ["placed", "accepted", "partially filled", "filled"]
    assert (second["remarks"], second["reason"]) == (["filled after it was cancelled"], "no liquidity")


def test_csv_can_be_read_back(folder: Path):
    write_trades(folder)
    rows = list(csv.DictReader(io.StringIO(run("--csv").stdout)))
    assert [(row["order_id"], row["state"], row["filled_quantity"]) for row in rows] == [
        ("A-1", "filled", "0.30"),
        ("B-7", "filled", "2"),
    ]
    assert json.loads(rows[1]["remarks"]) == ["filled after it was cancelled"]


def test_parquet_has_decimals_with_all_their_digits(folder: Path):
    write_trades(folder)
    assert run("--parquet", "orders.parquet").exit_code == 0
    assert (folder / "orders.parquet").stat().st_mode & 0o077 == 0 or os.name == "nt"
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT order_id, quantity::VARCHAR, average_price::VARCHAR, placed_at::VARCHAR, fees->>'BNB' "
            "FROM 'orders.parquet' ORDER BY ALL"
        ).fetchall()
    assert rows == [
        ("A-1", "0.30", "43100.4", "2026-11-23 17:15:01.123456789", "0.00001"),
        ("B-7", "2.00", "1.0", "2026-11-23 17:15:05.123456789", None),
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["logs", "orders.parquet"]


def test_digits_beyond_a_decimals_room_stay_text_in_parquet(folder: Path):
    quantity = "12345678901234567890123.12345678901234567890"
    write_log(folder / "logs", trade_line(1, "placed", event="order_placed", **ORDER, quantity=quantity))
    assert run("--parquet", "orders.parquet").exit_code == 0
    with duckdb.connect() as connection:
        assert connection.execute("SELECT quantity FROM 'orders.parquet'").fetchall() == [(quantity,)]


@pytest.mark.parametrize(
    ("arguments", "orders"),
    [
        (["--symbol", "ETHUSDT"], ["B-7"]),
        (["--symbol", "BTCUSDT", "--symbol", "ETHUSDT"], ["A-1", "B-7"]),
        (["--order-id", "A-1"], ["A-1"]),
        (["--since", "2026-11-23T17:15:05"], ["B-7"]),
        (["--log", "trades"], ["A-1", "B-7"]),
        (["--log", "expert"], ["A-1"]),
    ],
)
def test_which_orders(folder: Path, arguments: list[str], orders: list[str]):
    write_trades(folder)
    told = [json.loads(line)["order_id"] for line in run("--json", *arguments).stdout.splitlines()]
    assert told == orders


def test_each_change_of_a_position(folder: Path):
    write_log(
        folder / "logs",
        trade_line(1, "p", event="position_opened", symbol="BTCUSDT", quantity="0.5", entry_price="100"),
        trade_line(2, "p", event="position_closed", symbol="BTCUSDT"),
    )
    assert run("--positions").stdout == (
        "time                         event            symbol   quantity  change  entry price  remarks\n"
        "2026-11-23T17:15:01.123456Z  position_opened  BTCUSDT       0.5                  100\n"
        "2026-11-23T17:15:02.123456Z  position_closed  BTCUSDT         0    -0.5\n"
        "\n"
        "1 position with 2 changes\n"
    )


def test_text_logs_tell_the_same_once(folder: Path):
    line = (
        b"2026-11-23T17:15:01.000000Z INFO     demo: order_placed BUY 0.30 BTCUSDT at 5 "
        b"event=order_placed order_id=A-1 symbol=BTCUSDT side=BUY quantity=0.30 price=5"
    )
    filled = line.replace(b"order_placed", b"order_filled").replace(b":01.000000Z", b":02.500000Z")
    write_log(folder / "logs", line, filled, stem="trades")
    write_log(folder / "logs", line, filled)
    (told,) = map(json.loads, run("--json").stdout.splitlines())
    assert (told["order_id"], told["state"], told["filled_quantity"], told["remarks"]) == ("A-1", "filled", "0.30", [])
    assert told["to_done_ns"] == 1_500_000_000


def test_what_drives_a_terminal_is_shown_as_escapes(folder: Path):
    write_log(folder / "logs", trade_line(1, "x", event="order_placed", order_id="A\x1b[2J\n", symbol="\u202eX"))
    result = run()
    assert "A\\x1b[2J\\n" in result.stdout
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout


def test_damaged_lines_are_told_and_passed_over(folder: Path):
    placed = trade_line(1, "placed", event="order_placed", **ORDER, quantity="1")
    write_log(folder / "logs", placed, b'{"log_type":"trade","trade_data":{"event":')
    result = run()
    assert result.exit_code == 0
    assert "1 order: 1 placed" in result.stdout
    assert result.stderr.startswith("1 damaged line was skipped:\n")


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--csv"], ["--positions"], ["--order-id", "A-1"]])
def test_nothing_to_show_has_a_status_and_a_sentence(folder: Path, arguments: list[str]):
    write_log(folder / "logs", log_line(1, "tick"))
    result = run(*arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (3, "", "no trade entries\n")


def test_a_folder_without_logs(folder: Path):
    (folder / "logs").mkdir()
    result = run()
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("no log files in ")


def test_forms_exclude_each_other(folder: Path):
    write_trades(folder)
    result = run("--json", "--csv")
    assert result.exit_code == 2
