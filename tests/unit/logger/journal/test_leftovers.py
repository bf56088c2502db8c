"""What runs that ended have left: each taken over by exactly one, nothing valid thrown away, the rest left alone."""

import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_sinks import capture
from support.journals import header, journal_in, nothing

from metaexpert.logger.entry import MONOTONIC_NS
from metaexpert.logger.journal.frames import FrameEncoder
from metaexpert.logger.journal.journal import Journal
from metaexpert.logger.journal.leftovers import Leftover, exist, taken
from metaexpert.logger.journal.obligations import ROUTED
from metaexpert.logger.owner_lock import OwnerLock
from metaexpert.logger.segment import MARK_AT, Kind, decode_header, encode_header, frame, frames

OTHER = "other-1"


def killed(journal: Journal) -> str:
    """Let go of a run's files as its end by a signal does; returns its name."""
    lock = journal._lock
    journal.forget()
    assert lock is not None
    lock.forget()
    return journal.run


def left(folder: Path, *seqs: int, pid: int = 1, **options: Any) -> str:
    """A run that was killed; returns its name."""
    journal = journal_in(folder, pid=pid, **options)
    for seq in seqs:
        journal.protect(capture(seq, 40))
    return killed(journal)


_taken: list[Leftover] = []


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    while _taken:
        _taken.pop().close()


def take(folder: Path, own: str = OTHER) -> list[Leftover]:
    found = taken(folder, own, nothing)
    _taken.extend(found)
    return found


def made_by_the_former_version(path: Path) -> None:
    """Write a journal's file as version 1 did, without monotonic times."""
    data = path.read_bytes()
    begin = decode_header(data)[1]
    former = [
        frame(f.seq, f.time_ns, f.lane, f.payload[:12] + f.payload[20:], f.flags & ~2) for f in frames(data, begin)
    ]
    content = data[:8] + struct.pack("<H", 1) + data[10:begin] + b"".join(former)
    path.write_bytes(content.ljust(len(data), b"\0"))


def seqs_of(leftover: Leftover) -> list[int]:
    return [entry[0] for _, _, _, entry in leftover.in_order()]


class TestTakingOver:
    def test_what_the_former_version_left_is_there_without_monotonic_times(self, tmp_path: Path):
        left(tmp_path, 1, 2)
        made_by_the_former_version(next(tmp_path.glob("*.journal")))
        (leftover,) = take(tmp_path)
        entries = [entry for _, _, _, entry in leftover.in_order()]
        assert [(entry[0], entry[4], entry[MONOTONIC_NS]) for entry in entries] == [(1, "m1", 0), (2, "m2", 0)]

    def test_monotonic_times_are_those_the_killed_run_took(self, tmp_path: Path):
        left(tmp_path, 1)
        (leftover,) = take(tmp_path)
        assert [entry[MONOTONIC_NS] for _, _, _, entry in leftover.in_order()] == [capture(1)[MONOTONIC_NS]]

    def test_a_killed_run_is_there_with_all_it_says_of_itself(self, tmp_path: Path):
        run = left(tmp_path, 1, 2, 3, pid=77)
        assert exist(tmp_path, OTHER)
        (leftover,) = take(tmp_path)
        assert (leftover.run, leftover.crashed, leftover.sinks) == (run, True, ["a", "b"])
        assert (leftover.identity.pid, leftover.identity.service) == (77, "tests")
        assert (seqs_of(leftover), leftover.damaged, leftover.unreadable) == ([1, 2, 3], 0, [])
        assert leftover.marks_count
        assert leftover.last_ns > 0

    def test_a_run_that_lives_is_left_alone(self, tmp_path: Path):
        journal = journal_in(tmp_path)
        journal.protect(capture(1, 40))
        assert exist(tmp_path, OTHER)
        assert take(tmp_path) == []
        assert journal.room.dirty
        journal.close()

    def test_its_own_files_are_no_leftover(self, tmp_path: Path):
        journal = journal_in(tmp_path)
        assert not exist(tmp_path, journal.run)
        assert take(tmp_path, journal.run) == []
        journal.close()

    def test_a_stop_with_all_settled_leaves_nothing(self, tmp_path: Path):
        folder = tmp_path / "journal"
        journal = journal_in(folder, recorder_bytes=65536)
        journal.protect(capture(1, 40))
        journal.routed([capture(1, 40)], 0)
        assert journal.close() == 0
        assert not folder.exists()
        assert not exist(folder, OTHER)

    def test_a_stop_with_something_left_is_no_crash(self, tmp_path: Path):
        journal = journal_in(tmp_path, recorder_bytes=65536)
        journal.protect(capture(1, 40))
        assert journal.close() == 1
        (leftover,) = take(tmp_path)
        assert (leftover.crashed, seqs_of(leftover)) == (False, [1])

    def test_several_come_oldest_first(self, tmp_path: Path):
        runs = [left(tmp_path, number, pid=number) for number in range(1, 5)]
        assert [leftover.run for leftover in take(tmp_path)] == runs

    @pytest.mark.parametrize("attempt", range(5))
    def test_two_that_start_at_once_share_the_runs_and_take_none_twice(self, tmp_path: Path, attempt: int):
        runs = {left(tmp_path, number, pid=number) for number in range(1, 9)}
        begin = threading.Barrier(2)
        found: list[list[Leftover]] = []

        def start(own: str) -> None:
            begin.wait()
            mine = take(tmp_path, own)
            found.append(mine)
            for leftover in mine:
                for segment in leftover.segments:
                    segment.is_handed_over = True
                leftover.is_told = True
                for path in tmp_path.glob(f"{leftover.run}.running"):
                    path.unlink()
                leftover.discard_settled()

        threads = [threading.Thread(target=start, args=(f"own{number}-{attempt}",)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken_over = [leftover.run for mine in found for leftover in mine]
        assert sorted(taken_over) == sorted(runs)
        assert [leftover.unreadable for mine in found for leftover in mine] == [[]] * 8
        assert list(tmp_path.iterdir()) == []

    def test_a_run_that_another_has_just_finished_is_no_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        run = left(tmp_path, 1)
        real = OwnerLock.acquire

        def late(path: Path) -> OwnerLock | None:
            for each in tmp_path.glob(f"{run}.*"):
                each.unlink()
            return real(path)

        monkeypatch.setattr(OwnerLock, "acquire", late)
        assert take(tmp_path) == []
        assert list(tmp_path.iterdir()) == []


class TestWhatIsKept:
    def test_what_was_never_handed_over_stays_for_the_next_start(self, tmp_path: Path):
        left(tmp_path, 1, 2)
        (first,) = take(tmp_path)
        first.discard_settled()
        first.close()
        (second,) = take(tmp_path)
        assert seqs_of(second) == [1, 2]

    def test_the_last_to_settle_an_entry_lets_its_file_go(self, tmp_path: Path):
        left(tmp_path, 1)
        (leftover,) = take(tmp_path)
        (segment,) = [each for each in leftover.segments if each.entries]
        for each in leftover.segments:
            each.is_handed_over = True
        segment.appended = 1
        leftover.is_told = True
        leftover.discard_settled()
        assert leftover.segments == [segment]
        segment.settled = 1
        assert leftover.has_settled
        leftover.discard_settled()
        assert not list(tmp_path.glob("*.journal"))
        assert not list(tmp_path.glob("*.lock"))

    def test_the_lock_stays_until_the_end_was_told(self, tmp_path: Path):
        left(tmp_path)
        (leftover,) = take(tmp_path)
        for segment in leftover.segments:
            segment.is_handed_over = True
        leftover.discard_settled()
        assert (leftover.segments, leftover.has_settled) == ([], False)
        assert take(tmp_path) == []
        leftover.is_told = True
        assert leftover.has_settled

    def test_marks_are_read_back_by_the_bits_of_the_run_before(self, tmp_path: Path):
        left(tmp_path, 1)
        (leftover,) = take(tmp_path)
        ((segment, at, mark, _),) = leftover.in_order()
        assert mark == 0
        segment.mark_routed(at, ROUTED | 1)
        segment.old_bits = {0: 5, 1: 1}
        segment.mark(at, 0)
        segment.mark_all(at, 0)
        leftover.close()
        (again,) = take(tmp_path)
        assert again.in_order()[0][2] == ROUTED | 1 | 1 << 5

    def test_an_entry_that_was_written_anew_comes_once_with_all_its_marks(self, tmp_path: Path):
        journal = journal_in(tmp_path, pid=1)
        entries = [capture(number, 40) for number in (1, 2, 3)]
        for entry in entries:
            journal.protect(entry)
        journal.routed(entries, 3)
        journal.settle("a", entries[:1])
        copy = tmp_path / f"{journal.run}.00000001.journal"
        before = copy.read_bytes()
        journal.settle("b", entries[1:2])
        journal.rescue()
        journal.protect(capture(4, 40))
        journal.settle("b", entries[2:])
        killed(journal)
        copy.write_bytes(before)  # as a crash within the writing anew leaves it
        (leftover,) = take(tmp_path)
        assert seqs_of(leftover) == [1, 2, 3, 4]
        assert [mark & 3 for _, _, mark, _ in leftover.in_order()] == [1, 2, 2, 0]

    def test_entries_of_several_threads_come_in_the_order_of_their_calls(self, tmp_path: Path):
        left(tmp_path, 2, 1, 4, 3)
        assert seqs_of(take(tmp_path)[0]) == [1, 2, 3, 4]

    def test_after_a_restart_of_the_machine_marks_count_no_more(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("metaexpert.logger.journal.headers.machine_start", lambda: "before")
        left(tmp_path, 1)
        assert not take(tmp_path)[0].marks_count


class TestDamage:
    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_whatever_is_damaged_the_other_entries_are_there(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ):
        folder = tmp_path_factory.mktemp("journal")
        left(folder, *range(1, 9))
        path = next(folder.glob("*.00000001.journal"))
        content = bytearray(path.read_bytes())
        begin = decode_header(bytes(content))[1]
        length = len(FrameEncoder()(capture(1, 40)))
        step = length + -length % 8
        number = data.draw(st.integers(0, 7))
        at = begin + number * step + data.draw(st.integers(0, length - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        (leftover,) = take(folder)
        expected = list(range(1, 9))
        if not begin + number * step + MARK_AT <= at < begin + number * step + 16:  # a mark is in no checksum
            expected.remove(number + 1)
            assert any(segment.damaged or segment.torn for segment in leftover.segments)
        assert seqs_of(leftover) == expected
        for segment in leftover.segments:
            segment.is_handed_over = True
        leftover.is_told = True
        leftover.discard_settled()
        assert len(list(folder.glob("*.damaged"))) == (leftover.damaged > 0)

    def test_a_torn_tail_is_no_damage(self, tmp_path: Path):
        left(tmp_path, 1, 2)
        path = next(tmp_path.glob("*.00000001.journal"))
        content = bytearray(path.read_bytes())
        begin, length = decode_header(bytes(content))[1], len(FrameEncoder()(capture(1, 40)))
        second = begin + length + -length % 8
        content[second + length // 2 :] = bytes(len(content) - second - length // 2)
        path.write_bytes(content)
        (leftover,) = take(tmp_path)
        assert (seqs_of(leftover), leftover.damaged) == ([1], 0)
        assert any(segment.torn for segment in leftover.segments)

    @pytest.mark.parametrize(
        ("at", "change", "why"),
        [
            (0, b"ANOTHER\n", "does not begin"),
            (8, struct.pack("<H", 9), "has version 9"),
            (10, b"\xfe\xff", "other byte order"),
            (12, b"\xff\xff\xff\x7f", "incomplete"),
            (24, b"\xff", "fails its checksum"),
            (20, b"\x02", "fails its checksum"),
        ],
    )
    def test_a_file_this_version_cannot_read_stays_and_is_told(self, tmp_path: Path, at: int, change: bytes, why: str):
        left(tmp_path, 1, 2)
        path = next(tmp_path.glob("*.00000001.journal"))
        content = bytearray(path.read_bytes())
        content[at : at + len(change)] = change
        path.write_bytes(content)
        for _ in range(2):
            (leftover,) = take(tmp_path)
            (text,) = leftover.unreadable
            assert str(path) in text
            assert why in text
            assert seqs_of(leftover) == []
            for segment in leftover.segments:
                segment.is_handed_over = True
            leftover.is_told = True
            leftover.discard_settled()
            assert path.read_bytes() == content

    def test_what_is_cut_short_gives_what_it_holds(self, tmp_path: Path):
        left(tmp_path, 1, 2)
        path = next(tmp_path.glob("*.00000001.journal"))
        begin, length = decode_header(path.read_bytes())[1], len(FrameEncoder()(capture(1, 40)))
        os.truncate(path, begin + length + 20)
        (leftover,) = take(tmp_path)
        assert seqs_of(leftover) == [1]
        leftover.close()
        os.truncate(path, 30)
        (leftover,) = take(tmp_path)
        assert "ends within its header" in leftover.unreadable[0]

    def test_a_disk_queues_segment_under_a_journals_name_is_left_alone(self, tmp_path: Path):
        path = tmp_path / "x-1.00000001.journal"
        path.write_bytes(encode_header(header(kind=Kind.SPOOL)) + frame(1, 1, 1, b"part"))
        (leftover,) = take(tmp_path)
        assert "part of a spool" in leftover.unreadable[0]
        assert path.exists()

    @pytest.mark.parametrize("name", ["notes.txt", "x.journal", "crashes", "x-1.lock", "x-1.0000000x.journal"])
    def test_files_of_others_are_not_looked_at(self, tmp_path: Path, name: str):
        (tmp_path / name).write_text("mine")
        assert not exist(tmp_path, OTHER)
        assert take(tmp_path) == []
        assert (tmp_path / name).read_text() == "mine"

    def test_a_folder_with_a_segments_name_is_told_and_stays(self, tmp_path: Path):
        (tmp_path / "x-1.00000001.journal").mkdir()
        (leftover,) = take(tmp_path)
        assert len(leftover.unreadable) == 1
        leftover.close()
        assert (tmp_path / "x-1.00000001.journal").is_dir()

    def test_where_there_is_no_folder_there_is_nothing(self, tmp_path: Path):
        assert not exist(tmp_path / "nowhere", OTHER)
