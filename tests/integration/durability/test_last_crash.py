"""`metaexpert logs last-crash` on processes that were really killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.programs import POSIX, SOURCE, run_program

pytestmark = POSIX

DIES = """
async def main():
    async with setup_logging(config(log_name="scalper", journal={"keep_crashes": 3})) as runtime:
        for number in range(30):
            log.debug("step %d", number)
        log.warning("nearly there", number=1)
        await log.error("order refused", order_id=7)
        log.info("last words")
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""

STARTS = """
async def main():
    async with setup_logging(config(log_name="scalper", journal={"keep_crashes": 3})) as runtime:
        assert await runtime.flush(30)

asyncio.run(main())
"""


def killed(folder: Path) -> None:
    assert run_program(DIES, folder).returncode == -signal.SIGKILL


def started(folder: Path) -> str:
    """Start and stop once more; returns what stood on standard error."""
    done = run_program(STARTS, folder)
    assert done.returncode == 0, done.stderr
    return done.stderr


def last_crash(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("METAEXPERT_LOG_")}
    return subprocess.run(
        [sys.executable, "-m", "metaexpert", "logs", "last-crash", "--folder", folder / "logs" / "journal", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**kept, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "utf-8"},
        cwd=folder,
        check=False,
    )


def told(folder: Path, *arguments: str) -> dict[str, Any]:
    done = last_crash(folder, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_where_none_is_known_it_says_so_and_ends_with_1(tmp_path: Path):
    done = last_crash(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such crash: 0 known in" in done.stderr


def test_a_run_that_stopped_is_no_crash(tmp_path: Path):
    started(tmp_path)
    started(tmp_path)
    assert last_crash(tmp_path).returncode == 1


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one process killed, and the one after it."""
    folder = tmp_path_factory.mktemp("crashed")
    killed(folder)
    assert "metaexpert logs last-crash shows its last entries" in started(folder)
    return folder


def test_a_killed_run_is_told_in_lines(crashed: Path):
    done = last_crash(crashed, "--entries", "3")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    rows = {line[:11].strip(): line[12:] for line in lines if line[:1].isalpha() and "its last" not in line}
    assert "of scalper, process" in rows["run"]
    assert rows["ended"] == "ended without a stop: killed, crashed or left by os._exit"
    assert rows["damaged"] == "0 places"
    assert rows["started"] <= rows["last entry"] <= rows["found"]
    at = lines.index("its last 3 entries:")
    assert [line.split(": ", 1)[1].split(" ")[0] for line in lines[at + 1 :]] == ["nearly", "order", "last"]


def test_and_as_json(crashed: Path):
    report = told(crashed)
    assert [entry["message"] for entry in report["entries"]][-3:] == ["nearly there", "order refused", "last words"]
    assert len(report["entries"]) == 33
    assert {entry["id"].rpartition("-")[0] for entry in report["entries"]} == {report["run"].rpartition("-")[0]}
    assert {entry["process"] for entry in report["entries"]} == {report["pid"]}
    assert report["service"] == "scalper"
    assert 0 < report["started_ns"] <= report["last_entry_ns"] <= report["found_ns"]
    assert report["unreadable"] == []


@pytest.mark.parametrize(("entries", "shown"), [("0", 0), ("1", 1), ("5", 5), ("1000", 33)])
def test_as_many_entries_as_are_asked_for(crashed: Path, entries: str, shown: int):
    assert len(told(crashed, "--entries", entries)["entries"]) == shown


def test_the_one_before_is_number_2_and_beyond_is_status_1(tmp_path: Path):
    killed(tmp_path)
    killed(tmp_path)
    started(tmp_path)
    newest, older = told(tmp_path), told(tmp_path, "--number", "2")
    assert newest["run"] > older["run"]
    done = last_crash(tmp_path, "--number", "3")
    assert (done.returncode, done.stdout) == (1, "")


def test_no_more_reports_are_kept_than_wanted(tmp_path: Path):
    for _ in range(5):
        killed(tmp_path)
    started(tmp_path)
    assert last_crash(tmp_path, "--number", "3").returncode == 0
    assert last_crash(tmp_path, "--number", "4").returncode == 1
    assert len(list((tmp_path / "logs" / "journal" / "crashes").iterdir())) == 6


def test_a_damaged_recorder_costs_its_entries_alone(tmp_path: Path):
    killed(tmp_path)
    started(tmp_path)
    (recorder,) = (tmp_path / "logs" / "journal" / "crashes").glob("*.recorder")
    recorder.write_bytes(b"nothing you know")
    done = last_crash(tmp_path)
    assert done.returncode == 0
    assert "its flight recorder cannot be read" in done.stderr
    assert "its last entries are not known" in done.stdout
    recorder.unlink()
    done = last_crash(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
