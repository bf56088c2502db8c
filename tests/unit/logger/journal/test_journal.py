"""One run's journal: what it keeps, what receipts are told, and what it says when something is wrong."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from support.fake_sinks import capture
from support.journals import journal_in

from metaexpert.exceptions import ReceiptError
from metaexpert.logger.entry import Capture
from metaexpert.logger.journal import journal as journal_module
from metaexpert.logger.journal.custody import Custody
from metaexpert.logger.receipts import Receipt


def error(seq: int) -> Capture:
    return capture(seq, 40)


def protect(journal: Any, entry: Capture) -> Receipt:
    receipt = journal.protect(entry)
    assert receipt is not None
    return receipt


class TestKeeping:
    @pytest.mark.parametrize(
        ("level", "log_type", "kept"),
        [
            (10, "general", False),
            (30, "general", False),
            (40, "general", True),
            (45, "general", True),
            (50, "general", True),
            (10, "trade", True),
            (20, "audit", True),
            (30, "gap", True),
            (20, "custom", False),
        ],
    )
    def test_what_is_protected_is_kept_and_nothing_else(self, tmp_path: Path, level: int, log_type: str, kept: bool):
        journal, put = journal_in(tmp_path, recorder_bytes=65536), list[Capture]()
        entry = capture(1, level, log_type)
        receipt = journal.into(put.append)(entry)  # type: ignore[arg-type]
        assert (put, receipt is not None, len(journal.obligations.kept)) == ([entry], kept, int(kept))
        journal.close()

    def test_it_is_written_before_it_goes_on(self, tmp_path: Path):
        journal = journal_in(tmp_path)
        seen: list[int] = []

        def put(_: Capture) -> None:
            seen.append(len(journal.obligations.kept))

        journal.into(put)(error(1))
        assert seen == [1]
        journal.close()

    def test_custody_settles_what_its_sink_has(self, tmp_path: Path):
        journal = journal_in(tmp_path, "a", "b")
        a, b, unknown = Custody(journal, "a"), Custody(journal, "b"), Custody(journal, "c")
        entries = [error(number) for number in (1, 2, 3)]
        for entry in entries:
            journal.protect(entry)
        journal.routed(entries, 3)
        a.settled(entries)
        unknown.settled(entries)
        unknown.parked(entries)
        unknown.disowned()
        assert [a.holds(entry) for entry in entries] == [False] * 3
        assert [b.holds(entry) for entry in entries] == [True] * 3
        b.refused(entries[:1], "no")
        b.parked(entries[1:2])
        b.disowned()
        assert journal.obligations.kept == {}
        assert journal.close() == 0

    def test_a_failing_recorder_costs_nobody_a_receipt(self, tmp_path: Path):
        told: list[str] = []
        journal = journal_in(tmp_path, recorder_bytes=65536, on_audit_failure=lambda reason, _: told.append(reason))

        recorder = journal._recorder
        assert recorder is not None
        recorder.close(delete=False)
        assert protect(journal, error(1)).failure == ""
        assert (told, journal._record, journal.counters.failures) == ([], None, 0)
        assert (journal.counters.last_error or "").startswith("flight recorder: ")
        assert protect(journal, error(2)).failure == ""
        journal.close()
        assert not list(tmp_path.glob("*.recorder"))

    def test_new_sinks_stand_in_a_segment_of_their_own(self, tmp_path: Path):
        journal = journal_in(tmp_path, "a")
        journal.know_sinks(["a"])
        before = len(list(tmp_path.glob("*.journal")))
        journal.know_sinks(["a", "b"])
        segment = journal.room._current
        assert segment is not None
        assert b'"sinks":["a","b"]' in segment.path.read_bytes()[:1000]
        assert before == 1
        journal.close()

    def test_without_its_lock_it_makes_no_file(self, tmp_path: Path):
        folder = tmp_path / "journal"
        folder.write_text("no folder")
        journal = journal_in(folder, is_open=False)
        with pytest.raises(OSError, match="journal"):
            journal.open(["a"])
        folder.unlink()
        journal.know_sinks(["a", "b"])
        assert not folder.exists()
        journal.prepare()
        assert len(list(folder.glob("*.lock"))) == 1
        assert protect(journal, error(1)).failure == ""
        journal.close()


class TestWhatIsGone:
    @pytest.mark.parametrize("suffix", ["lock", "running", "recorder", "journal"])
    def test_any_file_of_it_is_missed_and_made_anew(self, tmp_path: Path, suffix: str):
        journal = journal_in(tmp_path, recorder_bytes=65536)
        journal.protect(error(1))
        assert not journal.is_gone
        for path in tmp_path.glob(f"*.{suffix}"):
            path.unlink()
        assert journal.is_gone
        journal.rescue()
        journal.prepare()
        assert not journal.is_gone
        assert len(list(tmp_path.glob(f"*.{suffix}"))) >= 1
        assert protect(journal, error(2)).failure == ""
        assert journal.close() == 2

    def test_nothing_is_lost_that_threads_write_while_it_is_written_anew(self, tmp_path: Path):
        journal = journal_in(tmp_path, mode="pwrite")
        begin, stop = threading.Barrier(4), threading.Event()
        written: list[list[int]] = [[] for _ in range(3)]

        def write(thread: int) -> None:
            begin.wait()
            for number in range(1, 400):
                seq = thread * 1000 + number
                assert protect(journal, error(seq)).failure == ""
                written[thread].append(seq)
            stop.set()

        threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        begin.wait()
        rescues = 0
        while not stop.is_set() or rescues < 3:
            journal.rescue()
            rescues += 1
        for thread in threads:
            thread.join()
        assert sorted(journal.obligations.kept) == sorted(seq for seqs in written for seq in seqs)
        for seq, (segment, at) in journal.obligations.kept.items():
            assert int.from_bytes(segment.frame_at(at)[24:32], "little") == seq  # type: ignore[attr-defined]
            assert segment in journal.room._segments
        journal.close()


class TestEnd:
    def test_receipts_given_before_are_kept_afterwards(self, tmp_path: Path):
        journal = journal_in(tmp_path)
        settled, left = protect(journal, error(1)), protect(journal, error(2))
        journal.routed([error(1), error(2)], 3)
        for sink in ("a", "b"):
            journal.settle(sink, [error(1)])
        journal.settle("a", [error(2)], "413 too large")
        assert journal.close() == 1
        settled.wait(10)
        left.wait(10)
        assert journal.when_delivered(1, "a").result(10) is None
        with pytest.raises(ReceiptError, match="a has not taken the entry: 413 too large"):
            journal.when_delivered(2, "a").result(10)
        with pytest.raises(ReceiptError, match="logging has stopped before; the journal keeps 1 entries"):
            journal.when_delivered(2, "b").result(10)

    def test_where_the_last_sync_fails_for_good_they_say_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        journal = journal_in(tmp_path)
        receipt = protect(journal, error(1))
        waiting = journal.when_synced(receipt._since)

        def refused(_: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("metaexpert.logger.journal.segments.sync_descriptor", refused)
        assert journal.close() == 1
        with pytest.raises(ReceiptError, match="refused the last sync"):
            waiting.result(10)
        assert list(tmp_path.glob("*.journal"))

    def test_what_sinks_have_not_made_safe_stays(self, tmp_path: Path):
        journal = journal_in(tmp_path)
        journal.protect(error(1))
        journal.routed([error(1)], 0)
        assert journal.close(keep_settled=True) == 0
        assert list(tmp_path.glob("*.journal"))
        assert not list(tmp_path.glob("*.running"))

    def test_in_a_forked_child_receipts_say_whose_the_entry_is(self, tmp_path: Path):
        journal = journal_in(tmp_path)
        receipt, lock = protect(journal, error(1)), journal._lock
        journal.forget()
        for wait in (lambda: receipt.wait(10), lambda: asyncio.run(receipt.delivered("a"))):
            with pytest.raises(ReceiptError, match="forked"):
                wait()
        assert list(tmp_path.glob("*.lock"))
        assert lock is not None
        lock.forget()


class TestTrouble:
    def test_which_sinks_hold_it_up_is_counted_at_most_once_a_second(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        now = 100.0
        monkeypatch.setattr(journal_module.time, "monotonic", lambda: now)
        journal = journal_in(tmp_path)
        asked: list[int] = []
        monkeypatch.setattr(type(journal.obligations), "laggards", lambda _: asked.append(1) or {"a": 7})
        journal.room.forget()
        for _ in range(100):
            assert "a has 7 to settle" in protect(journal, error(1)).failure
        assert len(asked) == 1
        now += 2
        journal.protect(error(1))
        assert (len(asked), journal.counters.failures) == (2, 101)
        journal.close()

    def test_the_hook_is_told_in_the_thread_that_found_out_and_not_of_what_it_logs(self, tmp_path: Path):
        told: list[tuple[int, int]] = []

        def hook(_: str, count: int) -> None:
            told.append((threading.get_ident(), count))
            journal.protect(error(9))

        journal = journal_in(tmp_path, on_audit_failure=hook)
        journal.room.forget()
        threads = [threading.Thread(target=journal.protect, args=(error(number),)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(told) == 3
        assert all(count == 1 and ident != threading.get_ident() for ident, count in told)
        assert journal.counters.failures == 6
        journal.close()

    def test_an_entry_larger_than_a_segment_is_told_and_harms_nothing(self, tmp_path: Path):
        told: list[str] = []
        journal = journal_in(tmp_path, on_audit_failure=lambda reason, _: told.append(reason))
        receipt = protect(journal, capture(1, 40, message="x" * 300_000))
        assert "larger than a segment (journal.segment_bytes)" in receipt.failure
        assert told == [receipt.failure]
        assert protect(journal, error(2)).failure == ""
        journal.close()
