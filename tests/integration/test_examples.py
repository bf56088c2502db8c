"""Every example runs by itself, from a foreign folder, with a clean error output and what its docstring promises."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PATIENCE_SECONDS = 120


def quickstart(output: str, folder: Path):
    assert "every sink acknowledged every entry: True" in output
    assert [line for line in output.splitlines() if ".log: " in line] == [
        "errors.log: 1 entries",
        "expert.log: 8 entries",
        "trades.log: 3 entries",
    ]
    assert "placed after 12 ms {'order_id': 2, 'api_key': '[REDACTED]'}" in output
    assert "never written anywhere" not in output
    assert not list(folder.iterdir())


def collectors(output: str, folder: Path):
    assert "every entry acknowledged: True" in output
    for name in ("loki", "elasticsearch"):
        delivered, held = re.findall(rf"{name}: delivered (\d+), the collector holds (\d+)", output)[0]
        assert delivered == held == "501"
    retries = re.findall(r"failed attempts: (\d+), the last one: HTTP 503", output)
    assert [int(count) > 0 for count in retries] == [True, True]
    assert not list(folder.iterdir())


def syslog(output: str, folder: Path):
    assert re.match(r"<158>1 \S+Z \S+ ema-cross \d+ trade \[metaexpert@32473 id=", output)
    assert "] CEF:0|MetaExpert|Logger|" in output
    assert not list(folder.iterdir())


def backpressure(output: str, folder: Path):
    heedless, considerate = output.split("considerate: ")
    taken, written = map(int, re.findall(r"heedless: (\d+) entries taken in, (\d+) in the file", heedless)[0])
    refused = sum(map(int, re.findall(r"\('DEBUG', '[a-z ]+'\): (\d+)", heedless)))
    assert 0 < refused < 20_000
    assert written + refused == 20_000 + 10
    assert written <= taken
    assert "ERROR" not in heedless
    assert int(re.findall(r"gap entries in the file: (\d+)", heedless)[0]) > 0
    assert considerate.startswith("20000 entries taken in, 20000 in the file")
    assert "gap entries in the file: 0; ledger balanced: True" in considerate
    assert heedless.count("ledger balanced: True") == 1
    assert not list(folder.iterdir())


def configuration(output: str, folder: Path):
    assert "log_level DEBUG, queue 50000 drop_oldest" in output
    assert "sinks: file, trade, error, warnings" in output
    assert "expert.log: 2 lines" in output
    assert "warnings.log: 1 lines" in output
    assert "A-1234" not in output
    assert "refused: environment variable METAEXPERT_LOG_LEVLE: " in output
    assert "did you mean METAEXPERT_LOG_LEVEL?" in output
    assert "refused: LoggerConfig.queue.max_entries = '1': " in output
    assert not list(folder.iterdir())


def durability(output: str, folder: Path):
    assert "orders in trades.log: [1, 2, 3, 4, 5]" in output
    assert not list(folder.iterdir())


def expert(output: str, folder: Path):
    ticks, bars = re.findall(r"ExpertStats\(ticks=(\d+), bars=(\d+)", output)[0]
    assert int(ticks) > 0
    assert int(bars) >= 3
    lines = (folder / "logs" / "expert.log").read_text(encoding="utf-8").splitlines()
    assert len(lines) == int(re.findall(r"delivered=(\d+)", output)[0])
    assert (folder / "logs" / "trades.log").read_text(encoding="utf-8").count("order_placed BUY") == 1


def alerts(output: str, _: Path):
    fired, since, note, over, counts = output.splitlines()
    assert fired == "expert: FIRING critical margin (symbol=BTCUSDT): margin_ratio is 0.85, above 0.8"
    assert (since.startswith("  since "), note) == (True, "  reduce the position, or add margin")
    assert over.startswith("expert: RESOLVED critical margin (symbol=BTCUSDT): margin_ratio is 0.55 again; it was: ")
    assert over.endswith("seen 2 times")
    assert counts == "fired 1, resolved 1, suppressed 1"


def desk(output: str, folder: Path):
    assert re.search(r"A-17 +BTCUSDT +BUY +filled +0\.5 +0\.5 +43100\.50 ", output)
    assert "corrected by ops: a digit was misread (price 43100.05 is 43100.50)" in output
    assert "binance POST api.binance.com/api/v3/order failed: ConnectionResetError, attempt 2, 310 ms" in output
    assert "DEBUG that was held until the error: ['signed with 32 characters']" in output
    assert "'api_secret': '[REDACTED]'" in output
    assert "c8db5682" not in output
    assert "kX9vQ2mL" not in output
    assert not list(folder.iterdir())


PROMISES: Mapping[str, Callable[[str, Path], None]] = {
    "alerts": alerts,
    "backpressure": backpressure,
    "collectors": collectors,
    "syslog": syslog,
    "configuration": configuration,
    "desk": desk,
    "durability": durability,
    "expert": expert,
    "quickstart": quickstart,
}


def test_each_example_has_its_promise_here():
    assert {file.stem for file in EXAMPLES.glob("*.py")} == set(PROMISES)


@pytest.mark.parametrize("name", PROMISES)
def test_an_example_says_how_to_run_it(name: str):
    docstring = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8")))
    assert docstring
    assert f"`python examples/{name}.py`" in docstring


@pytest.mark.parametrize("name", PROMISES)
def test_an_example_runs_and_keeps_its_promise(name: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    PROMISES[name](done.stdout, tmp_path)
