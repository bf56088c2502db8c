"""`on_audit_failure`: told of every way in which entries turn out not to be safe, once each, from any thread."""

import threading
from pathlib import Path
from typing import Any

import pytest
from support.fake_sinks import capture
from support.journals import LEAST_BYTES, journal_in, keeper_of

from metaexpert.logger.journal.custody import Custody
from metaexpert.logger.journal.journal import Journal
from metaexpert.logger.journal.segments import JournalSegment


class Told:
    """A hook that keeps what it is told."""

    def __init__(self) -> None:
        self.entries: list[int] = []
        self.reasons: list[str] = []

    def __call__(self, reason: str, entries: int) -> None:
        self.reasons.append(reason)
        self.entries.append(entries)


def told_by(folder: Path, **options: Any) -> tuple[Journal, Told]:
    told = Told()
    return journal_in(folder, on_audit_failure=told, **options), told


def refuse(*_: object, **__: object) -> None:
    raise OSError(5, "Input/output error")


def _delete_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def test_an_entry_larger_than_a_file(tmp_path: Path):
    journal, told = told_by(tmp_path)
    receipt = journal.protect(capture(1, 40, message="x" * LEAST_BYTES))
    assert receipt is not None
    assert "larger than a segment" in receipt.failure
    assert told.entries == [1]
    journal.close()


def test_no_room_under_the_cap(tmp_path: Path):
    journal, told = told_by(tmp_path, max_bytes=2 * LEAST_BYTES)
    seq = 0
    while not told.entries:
        seq += 1
        journal.protect(capture(seq, 40, message="x" * 10_000))
    assert told.entries == [1]
    assert "cap" in told.reasons[0]
    journal.close()


def test_a_last_sync_that_fails_and_cannot_be_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal, told = told_by(tmp_path)
    receipts = [journal.protect(capture(seq, 40)) for seq in (1, 2)]
    waiting = [journal.when_synced(0) for _ in receipts]
    with monkeypatch.context() as broken:
        broken.setattr(JournalSegment, "sync", refuse)
        assert journal.close() == 2
    assert told.entries == [2]
    assert "last sync" in told.reasons[0]
    assert all(future.exception() is not None for future in waiting)


async def test_files_that_were_deleted_and_cannot_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal, told = told_by(tmp_path)
    keeper = keeper_of(journal)
    journal.protect(capture(1, 40))
    number = journal.begin_sync()
    journal.sync()
    journal.synced(number)
    _delete_all(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(journal, "_own", refuse)
        await keeper._work()
        assert told.entries == [1]
        keeper._look_at = 0.0
        await keeper._work()  # the same trouble
        assert told.entries == [1]
    journal.close()


def test_an_entry_that_a_sink_shed(tmp_path: Path):
    journal, told = told_by(tmp_path)
    entry = capture(1, 40)
    journal.protect(entry)
    journal.routed([entry], journal.obligations.mask(["a", "b"]))
    custody = Custody(journal, "a")
    custody.lost(entry, "queue full")
    custody.lost(entry, "queue full")
    assert told.entries == [1]
    journal.close()


def test_entries_of_a_sink_that_was_removed(tmp_path: Path):
    journal, told = told_by(tmp_path)
    entries = [capture(seq, 40) for seq in (1, 2)]
    for entry in entries:
        journal.protect(entry)
    journal.routed(entries, journal.obligations.mask(["a"]))
    journal.disown("b")
    assert told.entries == []
    journal.disown("a")
    assert told.entries == [2]
    journal.close()


def test_from_another_thread_and_never_from_within_itself(tmp_path: Path):
    threads: list[str] = []
    journal = journal_in(tmp_path)

    def hook(_: str, __: int) -> None:
        threads.append(threading.current_thread().name)
        journal.protect(capture(2, 40, message="y" * LEAST_BYTES))

    journal.reconfigure(journal.options.model_copy(update={"on_audit_failure": hook}))
    entry = capture(1, 40, message="x" * LEAST_BYTES)
    other = threading.Thread(target=journal.protect, args=(entry,), name="other")
    other.start()
    other.join()
    journal.protect(entry)
    assert threads == ["other", threading.current_thread().name]
    assert journal.counters.failures == 4
    journal.close()


def test_one_that_raises_harms_no_call(tmp_path: Path):
    journal = journal_in(tmp_path, on_audit_failure=refuse)
    assert journal.protect(capture(1, 40, message="x" * LEAST_BYTES)) is not None
    assert "on_audit_failure raised OSError" in (journal.counters.last_error or "")
    journal.close()
