"""Following a log look by look: what a rotation, another process or somebody else does to its files loses nothing."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from support.readable_logs import BOOT, START_NS, Folder, json_line, text_line

from metaexpert.logger.files.ownership import hold
from metaexpert.logger.files.reading import follow as follow_module
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.follow import LONGEST_SECONDS, Following, follow
from metaexpert.logger.files.reading.held_back import HeldBack
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport

NOW_NS = 2**62
"""Later than any beginning of following: what is packed unseen is new."""


class Watch:
    """What following a folder has given so far."""

    def __init__(self, *places: Path, count: int = 0, query: Query | None = None) -> None:
        self.report = ReadReport()
        self.following = Following(places, query or Query(), None, self.report)
        self.first = self.following.begin(count)

    def more(self) -> list[bytes]:
        """What is new; a look later too, when text that was held back is let go."""
        return [entry.line for _ in range(2) for entry in self.following.look()]


def append(path: Path, *lines: bytes, end: bytes = b"\n") -> None:
    with path.open("ab") as file:
        file.write(b"\n".join(lines) + end)


def lines_of(first: int, count: int, tag: str = "9f3a01") -> list[bytes]:
    return [json_line(START_NS + seq, seq=seq, tag=tag) for seq in range(first, first + count)]


def test_what_is_there_is_passed_over_but_for_the_last_ones(tmp_path: Path):
    path = Folder(tmp_path).write(lines_of(0, 10))
    watch = Watch(tmp_path, count=3)
    assert [entry.line for entry in watch.first] == lines_of(7, 3)
    assert watch.more() == []
    append(path, *lines_of(10, 2))
    assert watch.more() == lines_of(10, 2)
    assert watch.more() == []


def test_a_line_comes_when_it_is_ended(tmp_path: Path):
    path = Folder(tmp_path).write(lines_of(0, 1))
    watch = Watch(tmp_path)
    (line,) = lines_of(1, 1)
    append(path, line[:40], end=b"")
    assert watch.more() == []
    append(path, line[40:])
    assert watch.more() == [line]
    assert watch.report.damaged == 0


def test_rotations_and_new_processes_are_followed(tmp_path: Path):
    folder = Folder(tmp_path)
    path = folder.write(lines_of(0, 1))
    watch = Watch(tmp_path)
    append(path, *lines_of(1, 1))
    folder.write(lines_of(2, 2), 2)
    other = lines_of(0, 2, "bbbbbb")
    folder.write(other, tag="bbbbbb")
    assert sorted(watch.more()) == sorted([*lines_of(1, 3), *other])
    append(folder.name(2), *lines_of(4, 1))
    assert watch.more() == lines_of(4, 1)


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path):
    watch = Watch(tmp_path / "logs", tmp_path / "logs" / "trades.log")
    assert watch.more() == []
    (tmp_path / "logs").mkdir()
    Folder(tmp_path / "logs").write(lines_of(0, 2))
    assert watch.more() == lines_of(0, 2)


def test_a_file_that_is_compressed_before_its_end_was_read_is_read_to_its_end(tmp_path: Path):
    folder = Folder(tmp_path)
    path = folder.write(lines_of(0, 2))
    watch = Watch(tmp_path)
    append(path, *lines_of(2, 2))
    folder.pack(path)
    assert watch.more() == lines_of(2, 2)
    assert watch.more() == []


def test_a_file_that_was_read_is_not_read_again_compressed(tmp_path: Path):
    folder = Folder(tmp_path)
    path = folder.write(lines_of(0, 2))
    watch = Watch(tmp_path)
    append(path, *lines_of(2, 2))
    assert watch.more() == lines_of(2, 2)
    assert watch.more() == []
    bytes_read = watch.report.bytes
    folder.pack(path)
    assert watch.more() == []
    assert watch.report.bytes == bytes_read, "a file nobody writes was read to its end"


def test_a_file_that_came_and_was_compressed_between_two_looks_is_read(tmp_path: Path):
    folder = Folder(tmp_path)
    folder.write(lines_of(0, 1))
    watch = Watch(tmp_path)
    new = [json_line(NOW_NS, seq=2)]
    folder.pack(folder.write(new, 2))
    assert watch.more() == new


def test_old_files_that_are_brought_here_are_no_news(tmp_path: Path):
    folder = Folder(tmp_path)
    folder.write(lines_of(0, 1))
    watch = Watch(tmp_path)
    folder.pack(folder.write(lines_of(0, 2, "aaaaaa"), tag="aaaaaa"))
    restored = folder.write(lines_of(0, 2, "cccccc"), tag="cccccc")
    os.utime(restored, ns=(START_NS, START_NS - 3600 * 10**9))
    assert watch.more() == []
    append(restored, *lines_of(2, 1, "cccccc"))
    assert watch.more() == lines_of(2, 1, "cccccc")


def test_a_file_that_is_cut_is_read_from_its_begin(tmp_path: Path):
    path = tmp_path / "other.log"
    append(path, *lines_of(0, 10))
    watch = Watch(path)
    path.write_bytes(b"")
    append(path, *lines_of(20, 2))
    assert watch.more() == lines_of(20, 2)
    assert "was cut" in watch.report.notes[0]


def test_another_programs_rotation_is_followed(tmp_path: Path):
    path = tmp_path / "other.log"
    append(path, *lines_of(0, 2))
    watch = Watch(tmp_path)
    append(path, *lines_of(2, 1))
    path.rename(tmp_path / "other.log.1")
    append(path, *lines_of(3, 1))
    assert watch.more() == lines_of(2, 2)
    append(tmp_path / "other.log.1", *lines_of(4, 1))
    assert watch.more() == lines_of(4, 1)


def test_a_traceback_is_not_cut_from_its_text_entry(tmp_path: Path):
    path = Folder(tmp_path).write([text_line(START_NS)])
    watch = Watch(tmp_path)
    append(path, text_line(START_NS + 1000, "ERROR", "failed"), b"    Traceback")
    assert watch.following.look() == []
    append(path, b"    ValueError: x", text_line(START_NS + 2000))
    failed = text_line(START_NS + 1000, "ERROR", "failed") + b"\n    Traceback\n    ValueError: x"
    assert watch.more() == [failed, text_line(START_NS + 2000)]
    assert watch.report.damaged == 0


def test_a_line_without_end_is_told_once(tmp_path: Path):
    path = Folder(tmp_path).write(lines_of(0, 1))
    watch = Watch(tmp_path)
    append(path, b"x" * 9_000_000, *lines_of(1, 1))
    assert [*watch.more(), *watch.more()] == lines_of(1, 1)
    assert watch.report.damaged == 1


def test_a_file_is_read_to_its_end_though_its_writer_ends_between_two_looks(tmp_path: Path):
    path = Folder(tmp_path).write(lines_of(0, 1))
    watch = Watch(tmp_path)
    with path.open("ab", buffering=0) as file:
        hold(file.fileno())
        assert watch.more() == []
        file.write(b"\n".join(lines_of(1, 2)) + b"\n")
    assert watch.more() == lines_of(1, 2)


def looks(actions: Sequence[Callable[[], object]]) -> Callable[[float], bool]:
    """What happens between looks, then the end."""
    pending = iter(actions)

    def wait(seconds: float) -> bool:
        assert 0 <= seconds <= LONGEST_SECONDS
        action = next(pending, None)
        if action is not None:
            action()
        return action is None

    return wait


def test_following_gives_each_entry_once_and_keeps_to_the_query(tmp_path: Path):
    folder = Folder(tmp_path)
    path = folder.write([json_line(START_NS + seq, "ERROR", seq=seq) for seq in range(3)])
    actions = [
        lambda: append(path, json_line(START_NS + 3, "ERROR", seq=3), json_line(START_NS + 4, "INFO", seq=4)),
        lambda: folder.write(
            [json_line(START_NS + 3, "ERROR", seq=3), json_line(START_NS + 9, "ERROR", seq=9)], tag="9f3a01", number=2
        ),
        lambda: None,
    ]
    entries = follow([tmp_path], Query.parsed(level="ERROR"), count=2, wait=looks(actions))
    names = [entry.entry_id for entry in entries]
    assert names == [f"{BOOT}9f3a01-{seq}" for seq in (1, 2, 3, 9)]


def test_text_that_a_new_run_recovers_comes_once(tmp_path: Path):
    folder = Folder(tmp_path)
    lines = [text_line(START_NS + 60_000_000_000 + seq * 1000, "ERROR", f"m{seq}") for seq in range(10)]
    folder.write(lines)
    new = text_line(START_NS + 7_200_000_000_000)

    later = tmp_path / "expert.20261123T010000Z-4712-bbbbbb.0001.log"
    looks = iter([False, False, False, True])

    def restarted(_: float) -> bool:
        if not later.exists():
            later.write_bytes(b"".join(each + b"\n" for each in [*lines, new]))
        return next(looks)

    report = ReadReport()
    found = [entry.line for entry in follow([tmp_path], count=10, report=report, wait=restarted)]
    assert (found, report.duplicates) == ([*lines, new], 10)


def interleaved(count: int) -> tuple[list[bytes], list[bytes]]:
    """Lines of two processes that write by turns."""
    times = range(START_NS, START_NS + 2 * count * 1_000_000, 2_000_000)
    first = [json_line(time, seq=seq, message="x" * 3000) for seq, time in enumerate(times)]
    return first, [json_line(time + 1_000_000, seq=seq, tag="bbbbbb") for seq, time in enumerate(times)]


def looked(watch: Watch) -> list[LogEntry]:
    """All that comes until nothing is left behind."""
    found = watch.following.look()
    while watch.following.has_more:
        found += watch.following.look()
    return found


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("held_bytes", [None, 100_000])
def test_much_that_is_new_in_several_files_comes_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_bytes: int | None, *, packed: bool
):
    """Of a file more was there than a look takes, 4 MiB; what stood in others came before the rest of it."""
    monkeypatch.setattr(follow_module, "LONGEST_BYTES", 64 * 1024)
    if held_bytes is not None:
        monkeypatch.setattr(follow_module, "_MOST_HELD_BYTES", held_bytes)
    folder = Folder(tmp_path)
    path, other = folder.write([]), folder.write([], tag="bbbbbb")
    watch = Watch(tmp_path)
    most_held, add = 0, HeldBack.add

    def adding(held: HeldBack, entries: Iterable[LogEntry]) -> None:
        nonlocal most_held
        add(held, entries)
        most_held = max(most_held, held.size_bytes)

    monkeypatch.setattr(HeldBack, "add", adding)
    first, second = interleaved(400)
    append(path, *first)
    append(other, *second)
    if packed:
        folder.pack(path)
    found = looked(watch)
    assert [each.order for each in found] == sorted(each.order for each in found)
    assert sorted(each.line for each in found) == sorted([*first, *second])
    if held_bytes is not None:
        assert most_held < held_bytes + 400_000
    assert watch.more() == []


def test_a_new_file_is_waited_for_while_much_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follow_module, "LONGEST_BYTES", 64 * 1024)
    monkeypatch.setattr(follow_module, "_MOST_HELD_BYTES", 1000)
    folder = Folder(tmp_path)
    path, other = folder.write([]), folder.write([], tag="bbbbbb")
    watch = Watch(tmp_path)
    first, second = interleaved(100)
    append(path, *first)
    append(other, *second)
    third = [json_line(START_NS + 500_000, seq=1, tag="cccccc")]
    folder.write(third, tag="cccccc")
    found = looked(watch)
    assert [each.order for each in found] == sorted(each.order for each in found)
    assert sorted(each.line for each in found) == sorted([*first, *second, *third])


def test_a_file_left_behind_that_is_deleted_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follow_module, "LONGEST_BYTES", 64 * 1024)
    folder = Folder(tmp_path)
    path, other = folder.write([]), folder.write([], tag="bbbbbb")
    watch = Watch(tmp_path)
    first, second = interleaved(100)
    append(path, *first)
    append(other, *second)
    found = [each.line for each in watch.following.look()]
    path.unlink()
    found += watch.more()
    assert [line for line in found if line in set(second)] == second
