"""What a plan lets go, and why: the oldest first, nothing held or within its term, and every bound met or told."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaexpert.logger.files.keeping.hold import Hold, Holds
from metaexpert.logger.files.keeping.retention import (
    Action,
    Archive,
    Conflict,
    KeptFile,
    Pack,
    Purge,
    Rules,
    is_within_term,
    plan,
    protection,
)
from metaexpert.logger.files.names import LogFile, Run

NOW = 1_800_000_000.0
DAY = 86_400.0
NOTHING_HELD = Holds()


def file(number: int, *, age: float = 0.0, size: int = 100, folder: str = "logs", packing: str = "", **more: bool):
    log_file = LogFile(Run("20261123T171542Z", 1, "abcdef"), number, Path(folder), "expert", ".log", packing)
    return KeptFile(file=log_file, size_bytes=size, modified_at=NOW - age, **more)


def held(number: int) -> Holds:
    return Holds((Hold(id="h", reason="case 7", actor="me", placed_at="", pattern=f"*.{number:04d}.log*"),))


def purged(actions: tuple[Action, ...]) -> list[int]:
    return [each.kept.file.number for each in actions if isinstance(each, Purge)]


def packed(actions: tuple[Action, ...]) -> list[int]:
    return [each.kept.file.number for each in actions if isinstance(each, Pack)]


def archived(actions: tuple[Action, ...]) -> list[int]:
    return [each.kept.file.number for each in actions if isinstance(each, Archive)]


def conflicts(actions: tuple[Action, ...]) -> list[Conflict]:
    return [each for each in actions if isinstance(each, Conflict)]


class TestBounds:
    def test_without_rules_nothing_happens(self):
        assert plan([file(1, age=9999 * DAY)], Rules(), NOW, 0, NOTHING_HELD) == ()

    def test_what_is_older_than_the_age_goes(self):
        files = [file(1, age=91 * DAY), file(2, age=89 * DAY)]
        (action,) = plan(files, Rules(max_age_seconds=90 * DAY), NOW, None, NOTHING_HELD)
        assert isinstance(action, Purge)
        assert action.kept.file.number == 1
        assert action.reason == "max_age: its last entry is older than 90 days"

    def test_the_newest_files_stay(self):
        files = [file(number, age=10 * DAY - number) for number in (3, 1, 2, 4)]
        assert purged(plan(files, Rules(max_files=2), NOW, None, NOTHING_HELD)) == [1, 2]

    def test_bytes_are_counted_wherever_the_files_are(self):
        files = [file(1, age=3.0, folder="archive", is_archived=True), file(2, age=2.0), file(3, age=1.0)]
        assert purged(plan(files, Rules(max_bytes=200), NOW, None, NOTHING_HELD)) == [1]

    def test_the_disks_floor_takes_what_is_on_that_disk_until_there_is_room(self):
        files = [file(1, age=3.0, frees_log_disk=False), file(2, age=2.0), file(3, age=1.0)]
        assert purged(plan(files, Rules(min_free_bytes=1000), NOW, 950, NOTHING_HELD)) == [2]
        assert purged(plan(files, Rules(min_free_bytes=1000), NOW, 1000, NOTHING_HELD)) == []
        assert purged(plan(files, Rules(min_free_bytes=1000), NOW, None, NOTHING_HELD)) == []

    def test_backup_count_counts_bytes_and_with_an_archive_moves_instead(self):
        files = [file(number, age=10.0 - number) for number in range(1, 5)]
        assert purged(plan(files, Rules(folder_bytes=200), NOW, None, NOTHING_HELD)) == [1, 2]
        actions = plan(files, Rules(folder_bytes=200, archive_after_seconds=DAY), NOW, None, NOTHING_HELD)
        assert (archived(actions), purged(actions)) == ([1, 2], [])

    def test_files_with_a_writer_are_left_alone_and_not_counted(self):
        files = [file(1, age=99 * DAY, is_written=True), file(2)]
        rules = Rules(max_age_seconds=DAY, max_files=1, packing=".gz", archive_after_seconds=0.0)
        actions = plan(files, rules, NOW, None, NOTHING_HELD)
        assert (packed(actions), archived(actions), purged(actions)) == ([2], [2], [])

    def test_what_a_writer_that_was_killed_left_empty_goes_whatever_protects_it(self):
        rules = Rules(keep_for_seconds=DAY)
        assert purged(plan([file(1, size=0)], rules, NOW, None, held(1))) == [1]
        assert purged(plan([file(1, size=0, is_current=True)], rules, NOW, None, NOTHING_HELD)) == []

    def test_the_file_that_the_logs_name_leads_to_stays_for_a_day_since_its_process_may_go_on_with_it(self):
        rules = Rules(max_age_seconds=1.0)
        assert plan([file(1, age=DAY - 1, is_current=True)], rules, NOW, None, NOTHING_HELD) == ()
        assert purged(plan([file(1, age=DAY + 1, is_current=True)], rules, NOW, None, NOTHING_HELD)) == [1]


class TestPackingAndArchive:
    def test_what_is_finished_is_packed_when_its_time_has_come(self):
        files = [
            file(1, age=10.0),
            file(2, age=1.0),
            file(3, age=10.0, packing=".gz"),
            file(4, is_current=True, age=9.0),
        ]
        assert packed(plan(files, Rules(packing=".zst", pack_after_seconds=5.0), NOW, None, NOTHING_HELD)) == [1]

    def test_what_goes_for_its_age_is_not_packed_first(self):
        rules = Rules(packing=".gz", max_age_seconds=DAY, archive_after_seconds=0.0)
        actions = plan([file(1, age=2 * DAY)], rules, NOW, None, NOTHING_HELD)
        assert (packed(actions), archived(actions), purged(actions)) == ([], [], [1])

    def test_files_go_to_the_archive_when_their_time_has_come(self):
        files = [file(1, age=10 * DAY), file(2), file(3, age=11 * DAY, is_archived=True)]
        actions = plan(files, Rules(archive_after_seconds=5 * DAY), NOW, None, NOTHING_HELD)
        assert archived(actions) == [1]
        assert actions[0].reason == "its last entry is older than 5 days"

    def test_an_archive_on_another_disk_takes_files_before_the_floor_deletes_any_protected_ones_too(self):
        files = [file(1, age=3.0), file(2, age=2.0), file(3, age=1.0)]
        rules = Rules(min_free_bytes=1000, archive_after_seconds=DAY, archive_frees_disk=True, keep_for_seconds=DAY)
        actions = plan(files, rules, NOW, 850, NOTHING_HELD)
        assert (archived(actions), purged(actions), conflicts(actions)) == ([1, 2], [], [])

    def test_packing_comes_first_so_that_what_is_planned_anew_may_fit(self):
        actions = plan([file(1)], Rules(packing=".gz", max_bytes=50), NOW, None, NOTHING_HELD)
        assert [type(each) for each in actions] == [Pack, Purge]


class TestProtection:
    def test_a_term_wins_over_every_ceiling_and_that_is_told(self):
        files = [file(1, age=3.0), file(2, age=2.0)]
        rules = Rules(max_bytes=100, min_free_bytes=1000, keep_for_seconds=5 * DAY)
        actions = plan(files, rules, NOW, 0, NOTHING_HELD)
        assert purged(actions) == []
        assert [each.bound for each in conflicts(actions)] == ["max_bytes", "min_free_bytes"]
        assert conflicts(actions)[0].reason == (
            "finished files take more than 100 bytes, but 2 files (200 bytes) may not be deleted: "
            "within its term (keep_for)"
        )

    def test_a_hold_wins_and_a_younger_file_goes_in_its_place(self):
        files = [file(1, age=3.0), file(2, age=2.0), file(3, age=1.0)]
        actions = plan(files, Rules(max_files=2), NOW, None, held(1))
        assert (purged(actions), conflicts(actions)) == ([2], [])

    def test_a_damaged_list_of_holds_holds_everything(self):
        actions = plan([file(1, age=DAY)], Rules(max_age_seconds=1.0), NOW, None, Holds(damage="it is torn"))
        assert purged(actions) == []
        assert "everything is held: it is torn" in conflicts(actions)[0].reason

    def test_after_its_term_a_file_goes(self):
        rules = Rules(max_age_seconds=5 * DAY, keep_for_seconds=5 * DAY)
        assert purged(plan([file(1, age=6 * DAY)], rules, NOW, None, NOTHING_HELD)) == [1]


SECONDS = st.floats(0.0, 100.0)
RULES = st.builds(
    Rules,
    packing=st.sampled_from(["", ".gz"]),
    pack_after_seconds=SECONDS,
    archive_after_seconds=st.none() | SECONDS,
    max_age_seconds=st.none() | SECONDS,
    max_files=st.none() | st.integers(1, 5),
    max_bytes=st.none() | st.integers(1, 500),
    folder_bytes=st.none() | st.integers(1, 500),
    min_free_bytes=st.integers(0, 500),
    keep_for_seconds=st.sampled_from([0.0, 30.0]),
    archive_frees_disk=st.booleans(),
)


@st.composite
def folders(draw: st.DrawFn) -> list[KeptFile]:
    made: list[KeptFile] = []
    for number in range(1, draw(st.integers(0, 8)) + 1):
        is_archived = draw(st.booleans())
        kept = file(
            number,
            age=draw(st.floats(-20.0, 100.0)),
            size=draw(st.integers(0, 200)),
            packing=draw(st.sampled_from(["", ".gz"])),
            is_written=draw(st.booleans()) and not is_archived,
            is_archived=is_archived,
            frees_log_disk=draw(st.booleans()),
        )
        made.append(kept)
    return made


HOLDS = st.sets(st.integers(1, 8), max_size=3).map(
    lambda numbers: Holds(tuple(each for number in sorted(numbers) for each in held(number).holds))
)
FREE = st.none() | st.integers(0, 600)


def after(files: list[KeptFile], actions: tuple[Action, ...], *, frees: bool) -> list[KeptFile]:
    """The folder once the plan was carried out; packing, which makes files smaller, left out."""
    gone = {each.kept.file for each in actions if isinstance(each, Purge)}
    moved = {each.kept.file for each in actions if isinstance(each, Archive)}
    left = [each for each in files if each.file not in gone]
    return [
        replace(each, is_archived=True, frees_log_disk=each.frees_log_disk and not frees)
        if each.file in moved
        else each
        for each in left
    ]


class TestAlways:
    @settings(max_examples=60, deadline=None)
    @given(folders(), RULES, FREE, HOLDS)
    def test_nothing_held_or_within_its_term_or_written_is_deleted(
        self, files: list[KeptFile], rules: Rules, free: int | None, holds: Holds
    ):
        for action in plan(files, rules, NOW, free, holds):
            if isinstance(action, Purge):
                assert not action.kept.is_written
                if action.kept.size_bytes:
                    assert not holds.over(action.kept.file, 0.0, action.kept.modified_at)
                    assert not is_within_term(action.kept, rules, NOW)

    @settings(max_examples=60, deadline=None)
    @given(folders(), RULES, FREE, HOLDS)
    def test_every_bound_is_met_or_told(self, files: list[KeptFile], rules: Rules, free: int | None, holds: Holds):
        actions = plan(files, rules, NOW, free, holds)
        left = [each for each in after(files, actions, frees=rules.archive_frees_disk) if not each.is_written]
        told = {each.bound for each in conflicts(actions)}
        size = sum(each.size_bytes for each in left)
        assert (
            rules.max_age_seconds is None
            or "max_age" in told
            or all(NOW - each.modified_at <= rules.max_age_seconds for each in left)
        )
        assert rules.max_files is None or "max_files" in told or len(left) <= rules.max_files
        assert rules.max_bytes is None or "max_bytes" in told or size <= rules.max_bytes
        if rules.folder_bytes is not None and rules.archive_after_seconds is None:
            assert "backup_count" in told or size <= rules.folder_bytes
        if free is not None:
            freed = sum(each.size_bytes for each in files if each.frees_log_disk and each not in left)
            freed -= sum(each.size_bytes for each in files if each.is_written and each.frees_log_disk)
            there = [each for each in left if each.frees_log_disk]
            assert "min_free_bytes" in told or not there or free + freed >= rules.min_free_bytes

    @settings(max_examples=60, deadline=None)
    @given(folders(), RULES, FREE, HOLDS)
    def test_no_file_goes_while_an_older_one_that_may_go_stays(
        self, files: list[KeptFile], rules: Rules, free: int | None, holds: Holds
    ):
        rules = replace(rules, min_free_bytes=0)  # the floor looks at one disk alone
        gone = {
            each.kept.file
            for each in plan(files, rules, NOW, free, holds)
            if isinstance(each, Purge) and each.kept.size_bytes
        }
        may_go = [
            each.file
            for each in sorted(files, key=lambda each: (each.modified_at, each.file))
            if each.size_bytes and not each.is_written and not protection(each, rules, NOW, holds)
        ]
        assert set(may_go[: len(gone)]) == gone

    @settings(max_examples=60, deadline=None)
    @given(folders(), RULES, FREE, HOLDS, st.floats(0.0, 1000.0))
    def test_a_clock_that_is_set_back_deletes_no_more(
        self, files: list[KeptFile], rules: Rules, free: int | None, holds: Holds, back: float
    ):
        rules = replace(rules, archive_after_seconds=None)  # what moves frees the disk, which is another matter
        before = purged(plan(files, rules, NOW, free, holds))
        assert set(purged(plan(files, rules, NOW - back, free, holds))) <= set(before)

    @settings(max_examples=60, deadline=None)
    @given(folders(), RULES, FREE, HOLDS)
    def test_a_plan_depends_on_no_order(self, files: list[KeptFile], rules: Rules, free: int | None, holds: Holds):
        assert plan(files, rules, NOW, free, holds) == plan(list(reversed(files)), rules, NOW, free, holds)


class TestManyFiles:
    """Ten thousand files in a folder: what is compared grows as they do, and not with its square."""

    COUNT = 3000

    @pytest.mark.parametrize(
        ("rules", "disk_free"),
        [
            (Rules(max_files=1), None),
            (Rules(max_bytes=1), None),
            (Rules(max_age_seconds=1.0), None),
            (Rules(min_free_bytes=10**12), 0),
            (Rules(min_free_bytes=10**12, archive_after_seconds=0.0, archive_frees_disk=True), 0),
        ],
        ids=["count", "bytes", "age", "floor", "archive"],
    )
    def test_a_plan_compares_each_file_a_few_times(
        self, monkeypatch: pytest.MonkeyPatch, rules: Rules, disk_free: int | None
    ):
        files = [file(number, age=2 * DAY + number) for number in range(self.COUNT)]
        odd_ones = Holds((Hold(id="h", reason="case 7", actor="me", placed_at="", pattern="*[13579].log"),))
        compared = 0

        def counted(one: KeptFile, other: object) -> bool:
            nonlocal compared
            compared += 1
            return one is other

        monkeypatch.setattr(KeptFile, "__eq__", counted)
        actions = plan(files, rules, NOW, disk_free, odd_ones)
        assert len(actions) >= self.COUNT / 2
        assert compared < 10 * self.COUNT
