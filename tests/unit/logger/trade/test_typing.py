"""A type checker catches a wrong trade event, field or value, and completes the rest."""

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from metaexpert.logger.trade import events
from metaexpert.logger.trade.events import REQUIRED
from metaexpert.logger.trade.trade_log import TradeLog

SNIPPET = """
from datetime import UTC, datetime
from decimal import Decimal
from metaexpert.logger import get_logger

trade = get_logger("x").trade
when = datetime.now(UTC)
trade.order_placed(order_id="1", side="BUY", quantity=Decimal(1), price="2", symbol="B", exchange_timestamp=when)
trade.order_placed(order_id="1", side="BUY", quantity=1, raw={"a": 1})
trade.correction(original="a-1", reason="r", actor="a", values={"price": "1"})
trade.order_placed(order_id="1", side="LONG", quantity=Decimal(1))  # wrong
trade.order_placed(order_id="1", side="BUY")  # wrong
trade.order_placed(order_id="1", side="BUY", quantity=[1])  # wrong
trade.order_placed(order_id="1", side="BUY", quantity=1, market_type="spott")  # wrong
trade.correction(original="a-1", reason="r", actor="a", values=3)  # wrong
trade.order_filed(order_id="1")  # wrong
trade.order_cancelled("1")  # wrong
"""


def test_a_type_checker_catches_what_is_wrong_and_nothing_else(tmp_path: Path):
    pytest.importorskip("pyright")
    file = tmp_path / "snippet.py"
    file.write_text(SNIPPET)
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(file)]
    found = subprocess.run(command, capture_output=True, cwd=tmp_path, text=True, timeout=300, check=False)
    report: dict[str, Any] = json.loads(found.stdout)
    told = {each["range"]["start"]["line"] for each in report["generalDiagnostics"] if each["severity"] == "error"}
    assert told == {number for number, line in enumerate(SNIPPET.splitlines()) if line.endswith("# wrong")}


@pytest.mark.parametrize("name", REQUIRED)
def test_each_event_says_what_it_is_called_with(name: str):
    kind = getattr(events, TradeLog.__annotations__[name].__name__)
    parameters = inspect.signature(kind.__call__).parameters
    assert inspect.getdoc(getattr(TradeLog, name))
    needed = {
        each.name for each in parameters.values() if each.kind is each.KEYWORD_ONLY and each.default is each.empty
    }
    assert needed == set(REQUIRED[name])
