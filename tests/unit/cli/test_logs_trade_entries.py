"""`metaexpert logs trades` for auditors: entries as they were logged, corrections beside them, columns documented."""

import csv
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.log_lines import BOOT_ID, trade_line, write_log
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.cli.trade_entry_rows import ENTRY_FIELDS
from metaexpert.cli.trade_rows import CHANGE_FIELDS, ORDER_FIELDS

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "audit-export.md"


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


def objects(*arguments: str) -> list[dict[str, Any]]:
    result = run("--json", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return list(map(json.loads, result.stdout.splitlines()))


ORDER = {"order_id": "A-1", "symbol": "BTCUSDT", "side": "BUY"}
CORRECTION: dict[str, Any] = {
    "original": f"{BOOT_ID}-2",
    "reason": "scaled by ten",
    "actor": "desk-3",
    "values": {"price": "43100.10"},
}


def write_trades(folder: Path) -> Path:
    lines = [
        trade_line(1, "placed", event="order_placed", **ORDER, quantity="0.50", price="43100.5", actor="ema")
        | {"extra": {"strategy_id": 1001, "desk": {"name": "a"}}},
        trade_line(2, "filled", event="order_filled", **ORDER, quantity="0.50", price="4310.01")
        | {"trade_data": {"event": "order_filled", **ORDER, "quantity": "0.50", "price": "4310.01"}
           | {"exchange_timestamp": 1_795_454_102_120, "problems": ["price: far off"]}},
        trade_line(3, "other", event="order_rejected", order_id="B-7", symbol="ETHUSDT", reason="=margin"),
        trade_line(9, "correction", event="correction", **CORRECTION),
        trade_line(10, "risk limit raised", "audit") | {"extra": {"actor": "desk-3", "old": "1.0"}, "trade_data": {}},
    ]  # fmt: skip
    write_log(folder / "logs", *lines[:2])
    return write_log(folder / "logs", *lines, stem="trades")


def test_figures_are_corrected_and_what_was_logged_is_told(folder: Path):
    write_trades(folder)
    assert "43100.10" in run().stdout
    assert "corrected by desk-3: scaled by ten (price 4310.01 is 43100.10)" in run().stdout
    order, other = objects()
    assert (order["average_price"], order["notional"], order["price"]) == ("43100.10", "21550.0500", "43100.5")
    assert order["actors"] == ["ema", "desk-3"]
    assert order["entry_ids"] == [f"{BOOT_ID}-{number}" for number in (1, 2, 9)]
    assert order["stages"][1] == {
        "stage": "filled",
        "at": "2026-11-23T17:15:02.123456789Z",
        "exchange_timestamp": "1795454102120",
        "actor": None,
        "entry_id": f"{BOOT_ID}-2",
    }
    assert order["corrected"] == [
        {
            "entry_id": f"{BOOT_ID}-2",
            "field": "price",
            "logged": "4310.01",
            "value": "43100.10",
            "by": f"{BOOT_ID}-9",
            "at": "2026-11-23T17:15:09.123456789Z",
            "actor": "desk-3",
            "reason": "scaled by ten",
        }
    ]
    assert (other["state"], other["corrected"]) == ("rejected", [])


def test_a_correction_behind_the_last_time_asked_for_counts(folder: Path):
    write_trades(folder)
    order, _ = objects("--until", "2026-11-23T17:15:05")
    assert (order["average_price"], order["events"]) == ("43100.10", 2)


def test_entries_are_as_they_were_logged(folder: Path):
    path = write_trades(folder)
    placed, filled, rejected, correction, audit = objects("--entries")
    assert list(placed) == list(ENTRY_FIELDS)
    assert filled.pop("file") in {path.name, path.name.replace("trades", "expert")}
    assert {name: value for name, value in filled.items() if value} == {
        "time": "2026-11-23T17:15:02.123456789Z",
        "exchange_timestamp": "1795454102120",
        "entry_id": f"{BOOT_ID}-2",
        "log_type": "trade",
        "event": "order_filled",
        **ORDER,
        "strategy_id": "1001",
        "quantity": "0.50",
        "price": "4310.01",
        "corrected_by": [f"{BOOT_ID}-9"],
        "corrected": {"price": "43100.10"},
        "problems": ["price: far off"],
        "message": "filled",
        "logger": "expert.feed",
        "process": 4711,
    }
    assert (placed["other"], placed["actor"], placed["corrected_by"]) == ({"desk": {"name": "a"}}, "ema", [])
    assert (correction["original"], correction["values"]) == (f"{BOOT_ID}-2", {"price": "43100.10"})
    assert (correction["actor"], correction["reason"]) == ("desk-3", "scaled by ten")
    assert (audit["log_type"], audit["event"], audit["actor"], audit["other"]) == (
        "audit",
        None,
        "desk-3",
        {"old": "1.0"},
    )
    assert rejected["reason"] == "=margin"


def test_entries_as_csv_and_parquet(folder: Path):
    write_trades(folder)
    rows = list(csv.DictReader(io.StringIO(run("--entries", "--csv").stdout)))
    assert list(rows[0]) == list(ENTRY_FIELDS)
    assert (rows[0]["quantity"], rows[1]["corrected_by"]) == ("0.50", f'["{BOOT_ID}-9"]')
    assert rows[2]["reason"] == "'=margin"  # no spreadsheet runs it
    assert run("--entries", "--parquet", "entries.parquet").exit_code == 0
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT quantity, price, corrected->>'price', epoch_ns(time) FROM 'entries.parquet' "
            "WHERE event = 'order_filled'"
        ).fetchall()
    assert found == [("0.50", "4310.01", "43100.10", 1_795_454_102_123_456_789)]


def test_entries_for_people(folder: Path):
    write_trades(folder)
    lines = run("--entries").stdout.splitlines()
    assert lines[2].split() == [
        "2026-11-23T17:15:02.123456Z", "order_filled", "A-1", "BTCUSDT", "BUY", "0.50", "4310.01", "price", "43100.10"
    ]  # fmt: skip
    assert "audit: risk limit raised" in lines[5]


@pytest.mark.parametrize("arguments", [["--order-id", "A-1"], ["--symbol", "BTCUSDT"]])
def test_entries_of_an_order_are_those_and_what_corrects_them(folder: Path, arguments: list[str]):
    write_trades(folder)
    assert [row["event"] for row in objects("--entries", *arguments)] == ["order_placed", "order_filled", "correction"]


def test_nothing_to_show_and_what_excludes_each_other(folder: Path):
    write_trades(folder)
    result = run("--entries", "--symbol", "DOGEUSDT")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "", "no trade entries\n")
    assert run("--entries", "--positions").exit_code == 2


def test_text_logs_tell_their_entries_without_ids(folder: Path):
    line = b"2026-11-23T17:15:01.000000Z INFO     demo: order_placed BUY event=order_placed order_id=A-1 quantity=0.50"
    write_log(folder / "logs", line)
    (row,) = objects("--entries")
    assert (row["event"], row["quantity"], row["entry_id"], row["log_type"]) == ("order_placed", "0.50", None, "trade")


@pytest.mark.parametrize(
    ("heading", "fields"), [("Entries", ENTRY_FIELDS), ("Orders", ORDER_FIELDS), ("Positions", CHANGE_FIELDS)]
)
def test_the_guide_says_of_each_column_what_it_means(heading: str, fields: dict[str, str]):
    section = re.split(r"^## ", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (told,) = [each for each in section if each.startswith(f"{heading}\n")]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", told, flags=re.MULTILINE)
    assert [name for name, _, _ in rows] == list(fields)
