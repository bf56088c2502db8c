"""Restoring: unpacked, verified, read-only copies in a folder of their own; the archive stays as it is."""

import stat
from pathlib import Path

import pytest
from support.log_files import BEGAN_AT, QUICK, Told, chain_of, content, names, written

from metaexpert.logger.files.keeping.housekeeping import Housekeeper
from metaexpert.logger.files.keeping.kept_logs import KeptLog
from metaexpert.logger.files.keeping.restore import RestoreError, prepare, restorable, restore
from metaexpert.logger.files.keeping.retention import Rules
from metaexpert.logger.files.keeping.transfer import DamageError

DAY = 86_400.0


@pytest.fixture
def log(tmp_path: Path) -> KeptLog:
    """Four files, each of a day; the first two are in the archive, the third is compressed, the fourth as written."""
    made = KeptLog(tmp_path / "logs" / "expert.log", Rules(packing=".gz"), tmp_path / "archive")
    for number in (1, 2, 3, 4):
        written(made.path, number, at=BEGAN_AT + number * DAY, chain=b"chain %d" % number)
    rules = Rules(packing=".gz", pack_after_seconds=2 * DAY, archive_after_seconds=3 * DAY)
    kept = KeptLog(made.path, rules, made.archive)
    Housekeeper(made.path.parent, [kept], Told(), pace=QUICK, clock=lambda: BEGAN_AT + 5 * DAY).keep()
    assert len(names(tmp_path / "archive")) == 4
    return made


def restored(log: KeptLog, folder: Path, **what: float) -> list[str]:
    prepare(folder, [log], 0.0)
    for each in restorable(log, **what):
        restore(each, folder, QUICK)
    return names(folder)


def test_what_is_archived_or_compressed_comes_back_with_its_chain(log: KeptLog, tmp_path: Path):
    before = {path: path.read_bytes() for folder in log.folders for path in folder.iterdir()}
    assert restored(log, tmp_path / "review") == [
        name for number in (1, 2, 3) for name in (f"expert.000{number}.log", f"expert.000{number}.log.chain")
    ]
    for each in restorable(log):
        copy = each.file.packed("").within(tmp_path / "review")
        assert copy.path.read_bytes() == content(copy.number)
        assert chain_of(copy).read_bytes() == b"chain %d" % copy.number
        assert stat.S_IMODE(copy.path.stat().st_mode) == 0o400
        assert copy.path.stat().st_mtime == each.modified_at
    assert {path: path.read_bytes() for folder in log.folders for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("what", "numbers"),
    [
        ({}, [1, 2, 3]),
        ({"since": BEGAN_AT + 2.5 * DAY}, [3]),
        ({"until": BEGAN_AT + 0.5 * DAY}, [1, 2]),  # what waited for the disk may stand in the next file
        ({"since": BEGAN_AT + 1.2 * DAY, "until": BEGAN_AT + 1.8 * DAY}, [2, 3]),
        ({"since": BEGAN_AT + 9 * DAY}, []),
    ],
)
def test_a_time_range_chooses(log: KeptLog, what: dict[str, float], numbers: list[int]):
    assert [each.file.number for each in restorable(log, **what)] == numbers


def test_repeated_it_changes_nothing_and_goes_on_with_what_is_missing(log: KeptLog, tmp_path: Path):
    folder = tmp_path / "review"
    restored(log, folder)
    first, *_ = restorable(log)
    chain = chain_of(first.file.within(folder))
    chain.unlink()
    (folder / f"{first.file.packed('').path.name}.tmp-1-aa").write_bytes(b"half")
    assert len(restored(log, folder)) == 6
    assert restore(first, folder, QUICK).was_there


def test_something_else_under_that_name_is_not_replaced(log: KeptLog, tmp_path: Path):
    first, *_ = restorable(log)
    copy = first.file.packed("").within(tmp_path / "review")
    prepare(copy.folder, [log], 0.0)
    copy.path.write_bytes(b"mine")
    with pytest.raises(RestoreError, match="differs"):
        restore(first, copy.folder, QUICK)
    assert copy.path.read_bytes() == b"mine"


@pytest.mark.parametrize("place", ["logs", "archive", "logs/../archive"])
def test_the_folders_of_logs_are_refused(log: KeptLog, tmp_path: Path, place: str):
    with pytest.raises(RestoreError, match="a folder of its own"):
        prepare(tmp_path / place, [log], 0.0)


def test_a_damaged_archive_leaves_nothing_that_looks_whole(log: KeptLog, tmp_path: Path):
    first, *_ = restorable(log)
    first.file.path.write_bytes(first.file.path.read_bytes()[:-20])
    prepare(tmp_path / "review", [log], 0.0)
    with pytest.raises(DamageError):
        restore(first, tmp_path / "review", QUICK)
    assert names(tmp_path / "review") == []
