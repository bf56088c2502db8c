"""The disk queue: first in, first out, on real files; after a crash at any byte, and with damage at any place."""

import errno
import logging
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_sinks import capture, captures

from metaexpert.logger.entry import LEVEL, LOG_TYPE, SEQ, SIZE, TIME_NS, Lane
from metaexpert.logger.segment import frame, frames
from metaexpert.logger.spool.queue import SegmentSpool
from metaexpert.logger.spool.segment import SpoolSegment, decode_entry, encode_entry, undamaged_entries
from metaexpert.logger.spool.spool import Found, SpoolLimits
from metaexpert.logger.spool.storage import Disk, StoredFile

ALL = 10**9
BIG = 100 * 1024 * 1024


_made: list[SegmentSpool] = []


def new_spool(folder: Path, *, max_bytes: int = BIG, boot: str = "0a", **more: Any) -> SegmentSpool:
    spool = SegmentSpool(folder / "spool", boot, os.getpid(), SpoolLimits(max_bytes=max_bytes, **more))
    _made.append(spool)
    return spool


def close_all() -> None:
    while _made:
        _made.pop().close()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_all()


@contextmanager
def folder_of_an_example() -> Generator[Path]:
    folder = Path(tempfile.mkdtemp())
    try:
        yield folder
        close_all()
    finally:
        shutil.rmtree(folder)


def put(spool: SegmentSpool, *parts: bytes, front: bool = False, first: int = 1) -> None:
    spool.append(captures(range(first, first + len(parts))), parts, front=front)


def parts_of(spool: SegmentSpool, most: int = 10**6) -> list[bytes]:
    return spool.read(most, ALL).parts


def files(folder: Path) -> list[Path]:
    return sorted((folder / "spool").glob("*.segment"))


def kill(spool: SegmentSpool) -> None:
    """As when the process is killed: nothing is written any more, the system closes files and lets locks go."""
    for run in spool._runs:
        run.lock.forget()
        for segment in run.segments():
            segment.close()
    spool._runs.clear()
    spool._tails.clear()


class Refusing:
    """The disk, which refuses as told."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.half = False
        self.no_more_files = False
        self.failing_syncs = 0

    def files(self, folder: Path) -> Any:
        return self.disk.files(folder)

    def open(self, path: Path, *, create: bool) -> Any:
        if create and self.no_more_files:
            raise OSError(errno.ENOSPC, "No space left on device")
        return RefusingFile(self, self.disk.open(path, create=create))

    def remove(self, path: Path) -> None:
        self.disk.remove(path)

    def rename(self, path: Path, name: str) -> None:
        self.disk.rename(path, name)

    def free_bytes(self, folder: Path) -> int:
        return self.disk.free_bytes(folder)


class RefusingFile:
    def __init__(self, told: Refusing, real: StoredFile) -> None:
        self.told = told
        self.real = real

    def read(self, at: int, count: int) -> bytes:
        return self.real.read(at, count)

    def write(self, at: int, data: bytes) -> None:
        if self.told.half:
            self.real.write(at, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        self.real.write(at, data)

    def truncate(self, size_bytes: int) -> None:
        self.real.truncate(size_bytes)

    def sync(self) -> None:
        if self.told.failing_syncs:
            self.told.failing_syncs -= 1
            raise OSError(errno.EIO, "Input/output error")
        self.real.sync()

    def close(self) -> None:
        self.real.close()


def framed(parts: list[bytes], log_type: str = "general") -> list[bytes]:
    return [
        encode_entry(at, at, Lane.INFO, capture(at, log_type=log_type), part) for at, part in enumerate(parts, start=1)
    ]


class TestReadingInOneGo:
    """Undamaged stretches are read by a loop of their own, which must not see anything that a closer look does not."""

    @given(st.lists(st.binary(max_size=30), max_size=6), st.sampled_from(["trade", "", "über", "x" * 300]))
    @settings(max_examples=50)
    def test_it_is_what_reading_frame_by_frame_gives(self, parts: list[bytes], log_type: str):
        data = b"".join(framed(parts, log_type))
        found, end = undamaged_entries(data, 96, 7)
        assert end == len(data)
        assert found == [decode_entry(one, 96, 7) for one in frames(data)]
        assert [each.part for each in found] == parts

    @given(st.lists(st.binary(max_size=30), min_size=1, max_size=4), st.data())
    @settings(max_examples=200)
    def test_it_ends_before_damage_wherever_that_is(self, parts: list[bytes], data: st.DataObject):
        whole = framed(parts)
        stored = bytearray(b"".join(whole))
        at = data.draw(st.integers(0, len(stored) - 1))
        stored[at] ^= data.draw(st.integers(1, 255))
        found, end = undamaged_entries(bytes(stored), 0, -1)
        looked_at = [decode_entry(one) for one in frames(bytes(stored))]
        assert found == looked_at[: len(found)]
        assert found == [decode_entry(one) for one in frames(bytes(stored[:end]))]

    def test_a_type_longer_than_its_frame_is_left_to_the_closer_look(self):
        name_bytes = bytes([255])
        payload = bytes(20) + name_bytes + b"short"
        stored = frame(1, 2, Lane.INFO, payload) + bytes(300)
        assert undamaged_entries(stored, 0, -1) == ([], 0)
        (one,) = frames(stored)
        entry = decode_entry(one)
        assert entry is not None
        assert entry.part == b""


class TestOneQueue:
    def test_bytes_and_what_is_known_of_an_entry_come_back_as_they_were(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        entry = capture(7, 40, "trade", size=1234, time_ns=1_700_000_000_123_456_789)
        spool.append([entry], [b"\x00\xf5MX\xff any bytes"])
        block = spool.read(10, ALL)
        assert block.parts == [b"\x00\xf5MX\xff any bytes"]
        (back,) = block.entries
        assert [back[at] for at in (SEQ, TIME_NS, LEVEL, LOG_TYPE, SIZE)] == [
            7, 1_700_000_000_123_456_789, 40, "trade", 1234
        ]  # fmt: skip

    def test_reads_up_to_so_many_or_so_many_bytes(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        put(spool, *[b"x" * 100] * 50)
        assert len(spool.read(7, ALL).parts) == 7
        assert len(spool.read(ALL, 1000).parts) == 10
        assert len(spool.read(ALL, 1).parts) == 1
        assert spool.entries == 32

    def test_a_part_larger_than_a_window_comes_back_whole(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        put(spool, b"a", b"b" * 1_000_000, b"c")
        assert parts_of(spool) == [b"a", b"b" * 1_000_000, b"c"]

    def test_what_is_acknowledged_is_deleted_and_the_rest_is_not(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        put(spool, b"1", b"2", b"3")
        first, rest = spool.read(1, ALL), spool.read(ALL, ALL)
        assert first.cursor is not None
        assert rest.cursor is not None
        spool.ack(first.cursor)
        assert len(files(tmp_path)) == 1
        spool.ack(rest.cursor)
        assert files(tmp_path) == []
        assert spool.disk_bytes == spool.entries == 0

    def test_two_blocks_behind_a_file_that_is_read_to_its_end_are_acknowledged_at_once(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        put(spool, b"a", b"b")
        spool.close()
        spool = new_spool(tmp_path, boot="0b")
        spool.open()
        put(spool, b"c", b"d", first=3)
        cursors = [spool.read(count, ALL).cursor for count in (2, 1, 1)]
        spool.ack(tuple(place for cursor in cursors if cursor is not None for place in cursor))
        assert (spool.entries, files(tmp_path)) == (0, [])

    def test_files_and_folder_are_for_their_owner_alone(self, tmp_path: Path):
        put(new_spool(tmp_path), b"1")
        modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir()}
        assert modes == {0o600}
        assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700

    def test_files_are_named_by_run_process_class_and_number(self, tmp_path: Path):
        put(new_spool(tmp_path, boot="0abc"), b"1")
        (path,) = files(tmp_path)
        assert re.fullmatch(rf"0abc-{os.getpid()}-\d+\.1\.\d{{8}}\.segment", path.name)

    def test_nothing_is_made_before_there_is_something_to_write(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        assert spool.open() == Found()
        assert parts_of(spool) == []
        spool.close()
        assert list(tmp_path.iterdir()) == []

    def test_an_odd_level_and_a_long_log_type_do_not_stop_it(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        spool.append([capture(1, 10**30, "t" * 1000)], [b"x"])
        block = spool.read(1, ALL)
        assert (block.parts, block.entries[0][LEVEL]) == ([b"x"], 2**31 - 1)


class TestCap:
    def test_the_oldest_of_the_lowest_class_give_way_and_are_told(self, tmp_path: Path):
        spool = new_spool(tmp_path, max_bytes=64 * 1024)
        spool.append(captures(range(1, 21), logging.INFO), [b"i" * 1000] * 20)
        spool.append(captures(range(21, 41), logging.DEBUG), [b"d" * 1000] * 20)
        spool.append(captures(range(41, 66), logging.ERROR), [b"e" * 1000] * 25)
        lost = spool.lost
        assert lost is not None
        assert set(lost.by_level) == {logging.DEBUG}
        assert lost.total + spool.entries == 65
        assert (lost.first_seq, lost.last_seq) == (21, 40)
        assert sum(path.stat().st_size for path in files(tmp_path)) <= 64 * 1024
        left = parts_of(spool)
        assert left[:20] == [b"i" * 1000] * 20
        assert left[-25:] == [b"e" * 1000] * 25

    def test_the_new_find_no_room_among_higher_classes(self, tmp_path: Path):
        spool = new_spool(tmp_path, max_bytes=64 * 1024)
        spool.append(captures(range(1, 51), logging.ERROR), [b"e" * 1000] * 50)
        spool.append(captures(range(51, 71), logging.INFO), [b"i" * 1000] * 20)
        assert spool.lost is not None
        assert spool.lost.by_level == {logging.INFO: 20}
        assert parts_of(spool) == [b"e" * 1000] * 50

    def test_protected_entries_never_give_way_and_are_refused_as_a_whole(self, tmp_path: Path):
        spool = new_spool(tmp_path, max_bytes=64 * 1024)
        trades = [capture(seq, log_type="trade") for seq in range(1, 51)]
        spool.append(trades, [b"t" * 1000] * 50)
        for level in (logging.INFO, logging.CRITICAL):
            spool.append(captures(range(51, 71), level), [b"x" * 1000] * 20)
        assert spool.lost is not None
        assert spool.lost.total == 40
        with pytest.raises(OSError, match="cap of 65536 bytes") as refused:
            spool.append(trades[:20], [b"u" * 1000] * 20)
        assert refused.value.errno == errno.ENOSPC
        assert spool.entries == 50
        cursor = spool.read(50, ALL).cursor
        assert cursor is not None
        spool.ack(cursor)
        spool.append(trades[:20], [b"u" * 1000] * 20)
        assert parts_of(spool) == [b"u" * 1000] * 20

    def test_room_is_left_for_others_on_the_disk(self, tmp_path: Path):
        spool = new_spool(tmp_path, min_free_bytes=2**62)
        with pytest.raises(OSError, match="would be left free"):
            put(spool, b"1")
        assert spool.entries == 0

    def test_what_is_read_and_evicted_meanwhile_is_acknowledged_all_the_same(self, tmp_path: Path):
        spool = new_spool(tmp_path, max_bytes=64 * 1024)
        put(spool, *[b"x" * 1000] * 20)
        block = spool.read(5, ALL)
        for _ in range(6):
            put(spool, *[b"y" * 1000] * 20)
        assert spool.lost is not None
        assert spool.lost.total + spool.entries == 20 - 5 + 120
        assert block.cursor is not None
        spool.ack(block.cursor)
        assert set(parts_of(spool)) == {b"y" * 1000}

    def test_room_comes_back_file_by_file_while_it_is_never_empty(self, tmp_path: Path):
        spool = new_spool(tmp_path, max_bytes=128 * 1024)
        put(spool, *[b"x" * 1000] * 50)
        for _ in range(50):
            put(spool, *[b"x" * 1000] * 10)
            cursor = spool.read(10, ALL).cursor
            assert cursor is not None
            spool.ack(cursor)
        assert spool.entries == 50
        assert sum(path.stat().st_size for path in files(tmp_path)) <= 128 * 1024


class TestPutBack:
    def test_comes_first(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        put(spool, b"1", b"2", b"3", b"4")
        cursor = spool.read(2, ALL).cursor
        put(spool, b"1", b"2", front=True)
        assert cursor is not None
        spool.ack(cursor)
        assert parts_of(spool) == [b"1", b"2", b"3", b"4"]

    def test_comes_first_for_the_next_run_too(self, tmp_path: Path):
        for run, boot in enumerate(["0a", "0b", "0c"]):
            spool = new_spool(tmp_path, boot=boot)
            spool.open()
            put(spool, b"%d-1" % run, b"%d-2" % run)
            cursor = spool.read(1, ALL).cursor
            put(spool, b"0-1", front=True)
            assert cursor is not None
            spool.ack(cursor)
            spool.close()
        last = new_spool(tmp_path, boot="0d")
        assert last.open().entries == 6
        assert parts_of(last) == [b"%d-%d" % (run, number) for run in range(3) for number in (1, 2)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.binary(max_size=200), min_size=1, max_size=8)),
        st.tuples(st.just("read"), st.integers(1, 12)),
        st.tuples(st.just("ack"), st.integers(1, 3)),
        st.tuples(st.just("reopen"), st.booleans()),
    ),
    max_size=25,
)


class TestAgainstTheModel:
    @settings(deadline=None, max_examples=60)
    @given(steps=STEPS)
    def test_first_in_first_out_through_acks_closings_and_kills(self, steps: list[Any]):
        """The model: one list; what is acknowledged never comes again, and all else comes in order."""
        with folder_of_an_example() as folder:
            self.follow(folder, steps)

    def follow(self, folder: Path, steps: list[Any]) -> None:
        boot = 0
        spool = new_spool(folder, boot=f"{boot:04x}")
        unread: list[bytes] = []
        read: list[tuple[Any, list[bytes]]] = []
        for action, what in steps:
            if action == "append":
                put(spool, *what)
                unread += what
            elif action == "read":
                block = spool.read(what, ALL)
                assert block.parts == unread[:what]
                unread = unread[what:]
                if block.parts:
                    read.append((block.cursor, block.parts))
            elif action == "ack":
                for cursor, _ in read[:what][-1:]:
                    spool.ack(cursor)
                read = read[what:]
            else:
                if what:
                    spool.close()
                else:
                    kill(spool)
                boot += 1
                spool = new_spool(folder, boot=f"{boot:04x}")
                unread = [part for _, parts in read for part in parts] + unread
                read = []
                assert spool.open() == Found(entries=len(unread))
            assert spool.entries == len(unread)
        assert parts_of(spool) == unread
        spool.close()
        if not unread and not read:
            assert list(folder.rglob("*.segment")) == []


class TestCrash:
    @settings(deadline=None, max_examples=80)
    @given(parts=st.lists(st.binary(max_size=60), min_size=1, max_size=6), cut=st.integers(0, 10**6))
    def test_every_whole_frame_before_a_truncation_survives_it(self, parts: list[bytes], cut: int):
        with folder_of_an_example() as folder:
            spool = new_spool(folder)
            put(spool, *parts)
            kill(spool)
            (path,) = files(folder)
            entries = zip(captures(range(1, 99)), parts, strict=False)
            sizes = [len(encode_entry(0, 0, Lane.INFO, one, part)) for one, part in entries]
            cut %= path.stat().st_size + 1
            os.truncate(path, cut)
            after = new_spool(folder, boot="0b")
            found = after.open()
            left = parts_of(after)
            assert left == parts[: len(left)]
            begins = [96 + sum(sizes[:n]) for n in range(len(sizes))]
            ends = [at + 40 + 21 + len("general") + len(part) for at, part in zip(begins, parts, strict=True)]
            assert len(left) == sum(end <= cut for end in ends)
            assert (found.entries, found.damaged) == (len(left), 0)
            assert found.torn == (cut < 96 or any(at < cut < end for at, end in zip(begins, ends, strict=True)))

    @settings(deadline=None, max_examples=80)
    @given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
    def test_a_flipped_bit_costs_one_entry_at_most(self, at: int, bit: int):
        with folder_of_an_example() as folder:
            parts = [b"part %d" % number for number in range(20)]
            spool = new_spool(folder)
            put(spool, *parts)
            kill(spool)
            (path,) = files(folder)
            data = bytearray(path.read_bytes())
            at %= len(data)
            if 8 <= at < 12:
                return  # another version or byte order is another matter
            data[at] ^= 1 << bit
            path.write_bytes(data)
            after = new_spool(folder, boot="0b")
            found = after.open()
            block = after.read(ALL, ALL)
            left = block.parts
            assert len(left) >= 19
            assert left == [part for part in parts if part in left]
            assert found.entries - block.missing == len(left)

    def test_damage_in_the_middle_is_skipped_and_the_file_kept_aside(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        put(spool, b"first", b"second", b"third")
        kill(spool)
        (path,) = files(tmp_path)
        path.write_bytes(path.read_bytes().replace(b"second", b"sEcond"))
        after = new_spool(tmp_path, boot="0b")
        assert after.open() == Found(entries=3)
        block = after.read(10, ALL)
        assert (block.parts, block.missing, block.damaged) == ([b"first", b"third"], 1, 1)
        assert block.cursor is not None
        after.ack(block.cursor)
        assert [one.suffix for one in (tmp_path / "spool").iterdir() if one.suffix != ".lock"] == [".damaged"]

    @pytest.mark.parametrize("junk", [b"\xf5MX" * 50_000, b"MXSEGMT"], ids=["like frames", "short"])
    def test_an_end_that_is_no_frame_is_damage_and_no_tear(self, tmp_path: Path, junk: bytes):
        spool = new_spool(tmp_path)
        put(spool, b"one", b"two")
        spool.close()
        (path,) = files(tmp_path)
        path.write_bytes(path.read_bytes() + junk)
        again = new_spool(tmp_path, boot="0b")
        assert again.open() == Found(2)
        block = again.read(ALL, ALL)
        assert (block.parts, block.damaged) == ([b"one", b"two"], 1)
        assert block.cursor is not None
        again.ack(block.cursor)
        assert [left.name for left in (tmp_path / "spool").glob("*.damaged")] == [f"{path.name}.damaged"]

    def test_pages_that_were_never_written_are_no_damage(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        put(spool, b"one", b"two")
        spool.close()
        (path,) = files(tmp_path)
        path.write_bytes(path.read_bytes() + bytes(100_000))
        again = new_spool(tmp_path, boot="0b")
        assert again.open() == Found(2)
        block = again.read(ALL, ALL)
        assert (block.parts, block.damaged) == ([b"one", b"two"], 0)

    def test_a_file_of_another_version_is_named_and_stays(self, tmp_path: Path):
        put(left := new_spool(tmp_path), b"1")
        left.close()
        (path,) = files(tmp_path)
        data = bytearray(path.read_bytes())
        data[8] = 9
        path.write_bytes(data)
        after = new_spool(tmp_path, boot="0b")
        assert "version 9" in after.open().unreadable[0]
        after.close()
        assert path.read_bytes() == bytes(data)

    def test_a_file_of_the_former_format_is_named_and_stays(self, tmp_path: Path):
        (tmp_path / "spool" / "queue").mkdir(parents=True)
        former = tmp_path / "spool" / "0a-1-1.queue.50000000.spool"
        former.write_bytes(b"MXQ1 whatever")
        after = SegmentSpool(tmp_path / "spool" / "queue", "0b", 1, SpoolLimits(max_bytes=BIG))
        assert "former version" in after.open().unreadable[0]
        after.close()
        assert former.exists()

    @pytest.mark.parametrize("content", [b"", b"MXSEG", bytes(4096)], ids=["empty", "cut", "zeros"])
    def test_a_file_that_a_crash_left_without_its_header_is_no_trouble(self, tmp_path: Path, content: bytes):
        put(left := new_spool(tmp_path), b"1")
        left.close()
        (path,) = files(tmp_path)
        path.write_bytes(content)
        after = new_spool(tmp_path, boot="0b")
        found = after.open()
        assert (found.entries, found.torn, found.unreadable) == (0, 1, ())
        assert files(tmp_path) == []

    def test_a_length_that_lies_hides_nothing_behind_it(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        put(spool, b"first", *[b"x" * 50_000] * 5, b"last")
        kill(spool)
        (path,) = files(tmp_path)
        data = bytearray(path.read_bytes())
        struct.pack_into("<I", data, 96 + 16, 200_000)
        path.write_bytes(data)
        after = new_spool(tmp_path, boot="0b")
        assert after.open() == Found(entries=6)
        assert parts_of(after) == [b"x" * 50_000] * 5 + [b"last"]

    def test_a_torn_note_of_what_is_done_leaves_the_one_before(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        put(spool, b"1", b"2", b"3")
        for _ in range(2):
            cursor = spool.read(1, ALL).cursor
            assert cursor is not None
            spool.ack(cursor)
        kill(spool)
        (path,) = files(tmp_path)
        data = bytearray(path.read_bytes())
        data[48] ^= 1  # the second acknowledgement's slot
        path.write_bytes(data)
        after = new_spool(tmp_path, boot="0b")
        assert after.open().entries == 2
        assert parts_of(after) == [b"2", b"3"]

    def test_a_file_cut_short_while_it_is_used_costs_what_is_gone_and_says_so(self, tmp_path: Path):
        spool = new_spool(tmp_path)
        put(spool, *[b"x" * 1000] * 10)
        os.truncate(files(tmp_path)[0], 96 + 5000)
        left = spool.read(ALL, ALL)
        assert (len(left.parts), left.missing) == (4, 6)
        assert spool.entries == 0


class TestRefusals:
    def test_a_write_the_system_refuses_leaves_no_half_of_it(self, tmp_path: Path):
        storage = Refusing()
        spool = SegmentSpool(tmp_path / "spool", "0a", 1, SpoolLimits(max_bytes=BIG), storage=storage)
        put(spool, b"1")
        storage.half = True
        with pytest.raises(OSError, match="No space"):
            put(spool, b"2", b"3")
        storage.half = False
        put(spool, b"4")
        kill(spool)
        after = new_spool(tmp_path, boot="0b")
        assert after.open() == Found(entries=2)
        assert parts_of(after) == [b"1", b"4"]

    def test_a_refusal_for_one_class_takes_back_the_others(self, tmp_path: Path):
        storage = Refusing()
        spool = SegmentSpool(tmp_path / "spool", "0a", 1, SpoolLimits(max_bytes=BIG), storage=storage)
        put(spool, b"1")
        storage.no_more_files = True
        with pytest.raises(OSError, match="No space"):
            spool.append([capture(2), capture(3, logging.ERROR)], [b"2", b"3"])
        storage.no_more_files = False
        spool.append([capture(2), capture(3, logging.ERROR)], [b"2", b"3"])
        assert parts_of(spool) == [b"1", b"2", b"3"]
        spool.close()

    def test_what_a_failed_fsync_puts_at_risk_is_written_elsewhere(self, tmp_path: Path):
        storage = Refusing()
        spool = SegmentSpool(tmp_path / "spool", "0a", 1, SpoolLimits(max_bytes=BIG), storage=storage)
        put(spool, b"1", b"2")
        spool.sync()
        put(spool, b"3", b"4")
        storage.failing_syncs = 1
        with pytest.raises(OSError, match="Input/output"):
            spool.sync()
        assert len(files(tmp_path)) == 2
        put(spool, b"5")
        assert spool.entries == 5
        assert parts_of(spool) == [b"1", b"2", b"3", b"4", b"5"]
        kill(spool)
        after = new_spool(tmp_path, boot="0b")
        assert after.open() == Found(entries=5)
        assert parts_of(after) == [b"1", b"2", b"3", b"4", b"5"]

    def test_with_fsync_always_a_batch_that_was_saved_elsewhere_is_put_once(self, tmp_path: Path):
        storage = Refusing()
        limits = SpoolLimits(max_bytes=BIG, fsync="always")
        spool = SegmentSpool(tmp_path / "spool", "0a", 1, limits, storage=storage)
        put(spool, b"1")
        storage.failing_syncs = 1
        put(spool, b"2", b"3")  # refused by the sync, saved in another file, and not to be put again
        assert storage.failing_syncs == 0
        kill(spool)
        after = new_spool(tmp_path, boot="0b")
        assert after.open() == Found(entries=3)
        assert parts_of(after) == [b"1", b"2", b"3"]

    def test_a_file_that_cannot_be_read_is_left_after_some_attempts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        spool = new_spool(tmp_path)
        put(spool, b"1", b"2")

        def refused(_segment: SpoolSegment) -> Any:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patched:
            patched.setattr(SpoolSegment, "read", refused)
            for _ in range(4):
                with pytest.raises(OSError, match="Input/output"):
                    spool.read(10, ALL)
                assert spool.entries == 2
            block = spool.read(10, ALL)
        assert (block.parts, block.missing, spool.entries) == ([], 2, 0)

    def test_files_that_cannot_be_taken_over_are_named_and_stay(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        put(left := new_spool(tmp_path), b"1")
        left.close()

        def refused(_segment: SpoolSegment, _size_bytes: int) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        with monkeypatch.context() as patched:
            patched.setattr(SpoolSegment, "find", refused)
            found = new_spool(tmp_path, boot="0b").open()
        assert found.entries == 0
        assert "Permission denied" in found.unreadable[0]
        assert len(files(tmp_path)) == 1


class TestOwners:
    def test_a_live_owner_keeps_its_queue(self, tmp_path: Path):
        put(owner := new_spool(tmp_path), b"1")
        assert new_spool(tmp_path, boot="0b").open() == Found()
        owner.close()
        assert new_spool(tmp_path, boot="0c").open() == Found(entries=1)

    def test_one_of_two_starts_takes_what_was_left(self, tmp_path: Path):
        put(left := new_spool(tmp_path), b"1")
        left.close()
        first, second = new_spool(tmp_path, boot="0b"), new_spool(tmp_path, boot="0c")
        assert (first.open().entries, second.open().entries) == (1, 0)

    def test_runs_come_in_their_order(self, tmp_path: Path):
        for boot in ("0c", "0a", "0b"):
            put(left := new_spool(tmp_path, boot=boot), boot.encode())
            left.close()
        last = new_spool(tmp_path, boot="0d")
        assert last.open().entries == 3
        assert parts_of(last) == [b"0a", b"0b", b"0c"]

    def test_locks_go_with_the_last_file(self, tmp_path: Path):
        put(left := new_spool(tmp_path), b"1")
        left.close()
        assert len(list((tmp_path / "spool").glob("*.lock"))) == 1
        spool = new_spool(tmp_path, boot="0b")
        spool.open()
        cursor = spool.read(1, ALL).cursor
        assert cursor is not None
        spool.ack(cursor)
        spool.close()
        assert list(tmp_path.iterdir()) == []

    def test_locks_of_the_killed_that_left_nothing_are_swept(self, tmp_path: Path):
        put(spool := new_spool(tmp_path), b"1")
        cursor = spool.read(1, ALL).cursor
        assert cursor is not None
        spool.ack(cursor)
        kill(spool)
        assert len(list((tmp_path / "spool").iterdir())) == 1
        new_spool(tmp_path, boot="0b").open()
        assert list((tmp_path / "spool").iterdir()) == []
