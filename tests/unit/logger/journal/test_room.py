"""The segments of one run: turns, the spare one, the cap, and calls of any thread at any moment."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.journals import header, nothing, room_in

from metaexpert.logger.journal import room as room_module
from metaexpert.logger.journal.room import Room
from metaexpert.logger.journal.segments import JournalSegment
from metaexpert.logger.segment import Reading, decode_header, frame, frames

MODES = pytest.mark.parametrize("mapped", [True, False], ids=["mmap", "pwrite"])


def read(folder: Path) -> list[tuple[int, bytes]]:
    """Number and payload of every frame, in order of segments and places; none may be damaged."""
    found: list[tuple[int, bytes]] = []
    for path in sorted(folder.glob("*.journal")):
        data, reading = path.read_bytes(), Reading()
        found += [(each.seq, each.payload) for each in frames(data, decode_header(data)[1], reading=reading)]
        assert (reading.quarantined, reading.torn) == (0, False)
    return found


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Any]:
    """Makes rooms in the test's folder; closed at its end."""
    made: list[Room] = []

    def new(**options: Any) -> Room:
        made.append(room_in(tmp_path, **options))
        return made[-1]

    yield new
    for room in made:
        room.close(keep_settled=True)


class TestAppend:
    @MODES
    def test_goes_on_in_the_spare_segment_and_says_so(self, rooms: Any, tmp_path: Path, mapped: bool):
        turns: list[int] = []
        room = rooms(mapped=mapped, turned=lambda: turns.append(1))
        while not turns:
            room.append(frame(1, 1, 1, bytes(500)))
        assert (room.made_in_calls, room.wants_spare) == (0, True)
        while len(turns) == 1:
            room.append(frame(2, 1, 1, bytes(500)))
        assert room.made_in_calls == 1
        assert [len(bytes(path.read_bytes())) for path in sorted(tmp_path.iterdir())] == [4096] * 3
        seqs = [seq for seq, _ in read(tmp_path)]
        assert seqs == sorted(seqs)
        assert {1, 2} == set(seqs)

    @settings(max_examples=25, deadline=None)
    @given(payloads=st.lists(st.binary(max_size=900), max_size=60), mapped=st.booleans())
    def test_whatever_is_appended_is_read_back_in_order(
        self, tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], mapped: bool
    ):
        folder = tmp_path_factory.mktemp("room")
        room = room_in(folder, mapped=mapped)
        for number, payload in enumerate(payloads):
            segment, at = room.append(frame(number, 1, 1, payload))
            assert segment.frame_at(at)[40:] == payload
        room.close(keep_settled=True)
        assert read(folder) == list(enumerate(payloads))

    def test_one_larger_than_a_segment_is_refused_and_harms_nothing(self, rooms: Any, tmp_path: Path):
        room = rooms()
        room.append(frame(1, 1, 1, b"before"))
        with pytest.raises(OSError, match="larger than a segment"):
            room.append(frame(2, 1, 1, bytes(5000)))
        room.append(frame(3, 1, 1, b"after"))
        assert [seq for seq, _ in read(tmp_path)] == [1, 3]

    def test_the_cap_is_told_and_what_is_settled_makes_room(self, rooms: Any):
        room = rooms(most=2)
        with pytest.raises(OSError, match="cap of 8192 bytes"):  # noqa: PT012 - it takes some
            for _ in range(100):
                room.append(frame(1, 1, 1, bytes(500)))
        assert room.bytes == 8192
        for segment in room._segments:
            segment.settled = segment.appended
        (full,) = room.settled()
        room.discard(full)
        room.append(frame(2, 1, 1, bytes(500)))
        assert not full.path.exists()

    def test_without_a_file_it_is_an_error(self):
        room = Room(lambda _: pytest.fail("not asked"), 4096, 8192, nothing)
        with pytest.raises(OSError, match="no file"):
            room.append(frame(1, 1, 1, b""))

    def test_a_frame_the_system_refuses_counts_as_settled(self, rooms: Any):
        room = rooms()
        room._current.close(delete=False)
        with pytest.raises((OSError, ValueError)):
            room.append(frame(1, 1, 1, b"x"))
        assert room._current.is_settled

    def test_a_segment_that_cannot_be_made_is_asked_for_again(self, tmp_path: Path):
        refuses = True

        def make(number: int) -> JournalSegment:
            if refuses and number > 1:
                raise OSError("full")
            return JournalSegment(tmp_path / f"r.{number:08d}.journal", header(number), 4096, mapped=True)

        room = Room(make, 4096, 4096 * 100, nothing)
        room.prepare()
        for _ in range(2):
            with pytest.raises(OSError, match="full"):  # noqa: PT012 - it takes some
                for _ in range(100):
                    room.append(frame(1, 1, 1, bytes(500)))
        refuses = False
        segment, _ = room.append(frame(1, 1, 1, bytes(500)))
        assert segment is room._current
        room.close()


class TestAtOnce:
    @pytest.mark.parametrize("gil", [True, False], ids=["with-gil", "free-threaded"])
    @MODES
    def test_threads_find_all_of_theirs_in_order(
        self, rooms: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool, gil: bool
    ):
        if gil and not room_module._GIL:
            pytest.skip("there is none here")
        monkeypatch.setattr(room_module, "_GIL", gil)
        room = rooms(size_bytes=16 * 1024, mapped=mapped)
        begin = threading.Barrier(8)

        def write(thread: int) -> None:
            begin.wait()
            for number in range(400):
                room.append(frame(thread * 1000 + number, 1, 1, b"%d" % number * (number % 20)))

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = read(tmp_path)
        assert len(found) == 8 * 400
        for thread in range(8):
            assert [seq for seq, _ in found if seq // 1000 == thread] == [thread * 1000 + each for each in range(400)]
        assert sum(segment.appended for segment in room._segments) == len(found)

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
    @MODES
    def test_a_signal_handler_appends_while_its_own_thread_does(self, rooms: Any, tmp_path: Path, mapped: bool):
        room = rooms(mapped=mapped)
        handled = 0

        def handler(_signal: int, _frame: FrameType | None) -> None:
            nonlocal handled
            handled += 1
            room.append(frame(10**6 + handled, 1, 1, bytes(300)))

        appended = 0
        before = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            while handled < 50:
                room.append(frame(appended, 1, 1, bytes(300)))
                appended += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        found = [seq for seq, _ in read(tmp_path)]
        assert [seq for seq in found if seq < 10**6] == list(range(appended))
        # one handler interrupts another, too
        assert sorted(seq for seq in found if seq > 10**6) == [10**6 + number for number in range(1, handled + 1)]

    def test_a_handler_within_the_making_of_a_segment_makes_its_own(self, tmp_path: Path):
        asked: list[int] = []

        def make(number: int) -> JournalSegment:
            asked.append(number)
            if number == 2:
                room.append(frame(100, 1, 1, b"handler"))  # as a signal handler would, while the lock is held
            return JournalSegment(tmp_path / f"r.{number:08d}.journal", header(number), 4096, mapped=True)

        room = Room(make, 4096, 4096 * 100, nothing)
        room.prepare()
        for number in range(10):
            room.append(frame(number, 1, 1, bytes(500)))
        assert asked == [1, 2, 3]
        assert sorted(seq for seq, _ in read(tmp_path)) == [*range(10), 100]
        room.close(keep_settled=True)


class TestReplace:
    def test_gives_up_all_and_keeps_it_until_dropped(self, rooms: Any, tmp_path: Path):
        room = rooms()
        room.append(frame(1, 1, 1, b"old"))
        old = room.replace()
        assert len(old) == 2
        assert all(segment.path.exists() for segment in old)
        segment, _ = room.append(frame(2, 1, 1, b"new"))
        assert segment not in old
        assert room.bytes == 3 * 4096
        room.drop(old)
        assert room.bytes == 4096
        assert [seq for seq, _ in read(tmp_path)] == [2]

    def test_that_fails_leaves_everything_as_it_was(self, rooms: Any, tmp_path: Path):
        room = rooms()
        room.append(frame(1, 1, 1, b"a"))
        make, room._make = room._make, _no_room
        with pytest.raises(OSError, match="full"):
            room.replace()
        room._make = make
        room.append(frame(2, 1, 1, b"b"))
        assert [seq for seq, _ in read(tmp_path)] == [1, 2]

    def test_twice_gives_what_is_still_held_as_well(self, rooms: Any):
        room = rooms()
        first = room.replace()
        assert set(room.replace()) > set(first)

    def test_begin_anew_takes_the_spare_one_away_and_keeps_the_rest(self, rooms: Any, tmp_path: Path):
        room = rooms()
        room.append(frame(1, 1, 1, b"a"))
        room.begin_anew()
        room.append(frame(2, 1, 1, b"b"))
        assert [path.name for path in sorted(tmp_path.iterdir())] == ["r-1.00000001.journal", "r-1.00000003.journal"]
        assert [seq for seq, _ in read(tmp_path)] == [1, 2]


def _no_room(_: int) -> JournalSegment:
    raise OSError("full")


class TestEnd:
    def test_takes_away_what_is_settled_alone(self, rooms: Any, tmp_path: Path):
        room = rooms()
        segment, _ = room.append(frame(1, 1, 1, b"a"))
        room.close()
        assert [path.name for path in tmp_path.iterdir()] == [segment.path.name]

    def test_forgotten_it_writes_nowhere(self, rooms: Any, tmp_path: Path):
        room = rooms()
        room.append(frame(1, 1, 1, b"a"))
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        room.forget()
        with pytest.raises(OSError, match="no file"):
            room.append(frame(2, 1, 1, b"b"))
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_files_taken_away_are_noticed(self, rooms: Any):
        room = rooms()
        assert not room.are_gone()
        room._current.path.unlink()
        assert room.are_gone()
