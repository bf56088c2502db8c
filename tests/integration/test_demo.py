"""The demo for real, shortened: processes, sockets, files, an outage and a burst, and every check passed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from support.written_logs import written

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = ROOT.parent / "shared" / "market_data"
PATIENCE_SECONDS = 120
SECTIONS = (
    "An order that the exchange took and one that it refused",
    "The refused order's trace, ",
    "An error that came 10 times",
    "A collector goes down and comes back",
    "How the process and its clock did",
    "Secrets that were logged on purpose",
)


def demo(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "metaexpert", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        check=False,
    )


def test_an_outage_during_a_burst_costs_nothing(tmp_path: Path):
    folder = tmp_path / "logs"
    done = demo("--plain", "--seconds", "6", "--burst", "20000", "--keep", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"demo passed: (\d+) of \1 checks", done.stdout)
    for title in SECTIONS:
        assert f"\n{title}" in done.stdout
    assert re.search(r"^  paper-\d+ +BTCUSDT +BUY +filled ", done.stdout, re.MULTILINE)
    assert re.search(r"^  paper-\d+ +BTCUSDT +SELL +rejected ", done.stdout, re.MULTILINE)
    assert "ALERT" in done.stderr
    assert "resolved" in done.stderr
    assert " dropped " not in done.stdout.partition("Ledger of each sink")[0]
    waited = dict(re.findall(r"^(\w+) had up to ([\d,]+) entries on disk", done.stdout, re.MULTILINE))
    assert waited.keys() == {"loki", "elasticsearch"}
    answers = dict(re.findall(r"^(loki|elasticsearch) answered (.*)$", done.stdout, re.MULTILINE))
    for statuses in (answers["loki"], answers["elasticsearch"]):
        assert all(f"times {status}" in statuses for status in ("429", "503", "none"))
    entries = [orjson.loads(line) for line in written(folder / "expert.log").splitlines()]
    assert sum(entry["logger"] == "demo.burst" for entry in entries) == 20_000
    assert len({entry["id"] for entry in entries}) == len(entries)


def test_without_a_burst_nothing_is_dropped_anywhere():
    done = demo("--plain", "--seconds", "4", "--burst", "0", "--rate", "100")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "queue full" not in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not CAPTURES.is_dir(), reason="captured exchange traffic (../shared/market_data) is not here")
@pytest.mark.parametrize("name", ["binance_futures", "binance_spot", "bybit_inverse", "okx"])
def test_captures_replay(name: str):
    done = demo("--plain", "--seconds", "4", "--burst", "5000", "--replay", str(CAPTURES / f"{name}.capture"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"replay of {name}.capture" in done.stdout
    assert not re.search(r"^0 ticks", done.stdout, re.MULTILINE)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows delivers no SIGTERM to a child")
def test_a_signal_breaks_it_off_and_leaves_nothing_behind(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-m", "metaexpert", "demo", "--plain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    collector = int(re.findall(r"collector process (\d+)", process.stdout.readline())[0])
    assert "calm" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(collector, 0)


def test_a_folder_in_use_is_refused(tmp_path: Path):
    (tmp_path / "expert.log").write_text("")
    done = demo("--keep", str(tmp_path))
    assert done.returncode == 2
    assert "is not empty" in done.stderr


def test_a_capture_that_is_none_is_refused(tmp_path: Path):
    done = demo("--replay", str(tmp_path / "none.capture"))
    assert done.returncode == 2
    assert "can't read the capture" in done.stderr
