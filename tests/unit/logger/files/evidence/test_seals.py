"""The seals of a log, appended to by several processes, and what kills and other hands leave of them."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.chained_logs import SECRET, ChainedLog, findings, verified

from metaexpert.logger.files.evidence import seals as seals_module
from metaexpert.logger.files.evidence.chain_format import Record
from metaexpert.logger.files.evidence.seals import opened, seals_of
from metaexpert.logger.files.evidence.verdict import Kind

APPENDER = """
import sys
from pathlib import Path
from metaexpert.logger.files.evidence.seals import opened

log, name, secret = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
for number in range(25):
    with opened(log, (lambda: secret) if secret else None) as seals:
        seals.append("removed", {"file": f"{name}-{number}", "reason": "a test"})
"""


WITHOUT_LOCKS = """
import errno
from metaexpert.logger.files.evidence import seals

def refuse(descriptor):
    raise OSError(errno.ENOLCK, "No locks available")

seals._try_lock = refuse
"""


def records(log: Path) -> list[Record]:
    return [Record.parsed(line) for line in seals_of(log).read_bytes().splitlines(keepends=True)]


@pytest.mark.parametrize("locks", ["", WITHOUT_LOCKS], ids=["locks", "none"])
@pytest.mark.parametrize("secret", ["", SECRET], ids=["unkeyed", "keyed"])
def test_processes_that_append_at_once_lose_no_line_and_no_epoch(tmp_path: Path, secret: str, locks: str):
    log, program = tmp_path / "expert.log", f"{locks}{APPENDER}"
    processes = [subprocess.Popen([sys.executable, "-c", program, str(log), name, secret]) for name in ("a", "b", "c")]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    found = records(log)
    assert [record.number("n") for record in found] == list(range(1, 77))
    assert sorted(record.text("file") for record in found[1:]) == sorted(
        f"{name}-{number}" for name in "abc" for number in range(25)
    )
    if secret:
        assert [record.epoch() for record in found[1:]] == list(range(75))
    assert findings(verified(tmp_path, secret or None)) == []


@pytest.mark.parametrize("left", [1, 50])
def test_a_line_its_process_was_killed_over_is_taken_away(tmp_path: Path, left: int):
    log = ChainedLog(tmp_path, SECRET).write(1)
    path = seals_of(log.file.log)
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines(keepends=True)[-1][:-left])
    assert verified(tmp_path, SECRET).is_intact
    log.stop()
    assert [record.kind for record in records(log.file.log)] == ["series", "begun", "sealed"]
    assert verified(tmp_path, SECRET).is_intact


def test_seals_of_which_only_a_part_of_a_line_was_written_are_begun_anew(tmp_path: Path):
    log = tmp_path / "expert.log"
    seals_of(log).write_bytes(b'{"kind":"ser')
    with opened(log) as seals:
        seals.append("removed", {"file": "a", "reason": "b"})
    assert [record.kind for record in records(log)] == ["series", "removed"]


@pytest.mark.parametrize("secret", [None, SECRET], ids=["unkeyed", "keyed"])
@pytest.mark.parametrize("damage", [b"not a line\n", b"x" * (seals_module.LAST_BYTES + 10)])
def test_damaged_seals_are_set_aside_and_what_follows_is_provable(tmp_path: Path, secret: str | None, damage: bytes):
    first = ChainedLog(tmp_path, secret).write(2).stop()
    path = seals_of(first.log)
    path.write_bytes(path.read_bytes() + damage)
    second = ChainedLog(tmp_path, secret).write(2).stop()
    (aside,) = tmp_path.glob("*.damaged-*")
    assert aside.read_bytes().endswith(damage)
    series, begun, _ = records(first.log)
    assert series.text("after") == aside.name
    assert begun.text("file") == second.path.name
    report = verified(tmp_path, secret)
    assert not report.is_intact, "the file of before is known to no seals any more"
    assert f"see {aside.name}" in report.seals[0].notes[0]


def test_seals_taken_away_whole_are_found_though_others_are_begun(tmp_path: Path):
    ChainedLog(tmp_path, SECRET).write(2).stop()
    for path in tmp_path.glob("expert.2*"):
        path.unlink()
    seals_of(tmp_path / "expert.log").unlink()
    ChainedLog(tmp_path, SECRET).write(2).stop()
    (finding,) = verified(tmp_path, SECRET).seals[0].findings
    assert finding.kind is Kind.SEALS_CHANGED
    assert "is of epoch 2 where 0 comes: lines were taken out" in finding.text


def test_a_lock_that_is_held_on_and_on_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(seals_module, "_PATIENCE_SECONDS", 0.0)
    log = tmp_path / "expert.log"
    with opened(log), pytest.raises(BlockingIOError), opened(log):
        pass
    with opened(log) as seals:
        assert seals.append("removed", {"file": "a", "reason": "b"}).number == 2


def test_a_line_that_could_not_be_brought_to_the_disk_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = tmp_path / "expert.log"
    with opened(log) as seals:
        seals.append("removed", {"file": "a", "reason": "b"})
        before = seals_of(log).read_bytes()
        with monkeypatch.context() as broken:
            broken.setattr(seals_module.os, "fsync", _refused)
            with pytest.raises(OSError, match="no disk"):
                seals.append("removed", {"file": "c", "reason": "d"})
        assert seals_of(log).read_bytes() == before
        assert seals.append("removed", {"file": "e", "reason": "f"}).number == 3


def _refused(_descriptor: int) -> None:
    raise OSError("no disk")
