"""Keeping log files: what a pass does, in which order, what it leaves alone, and how it tells of trouble."""

import errno
import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from support.log_files import BEGAN_AT, QUICK, RUN, Told, chain_of, content, names, written

from metaexpert.logger.files.keeping import housekeeping, moves, origin
from metaexpert.logger.files.keeping.clock_record import CLOCK_FILE
from metaexpert.logger.files.keeping.clock_trust import HOLD_SECONDS
from metaexpert.logger.files.keeping.hold import HOLDS_FILE, place
from metaexpert.logger.files.keeping.housekeeping import LOCK_FILE, Housekeeper
from metaexpert.logger.files.keeping.kept_logs import KeptLog, found
from metaexpert.logger.files.keeping.origin import ORIGIN_FILE
from metaexpert.logger.files.keeping.packing import unpacked
from metaexpert.logger.files.keeping.retention import Rules
from metaexpert.logger.files.names import Run
from metaexpert.logger.files.ownership import hold
from metaexpert.logger.owner_lock import OwnerLock

DAY = 86_400.0
NOW = BEGAN_AT + 100 * DAY


class House:
    """A folder with a log, its archive, and who keeps it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "logs"
        self.log = self.folder / "expert.log"
        self.archive = folder / "archive"
        self.told = Told()
        self.free: int | None = None

    def keeper(self, now: float = NOW, *, archive: bool = False, **rules: Any) -> Housekeeper:
        log = KeptLog(self.log, Rules(**rules), self.archive if archive else None)
        return Housekeeper(
            self.folder, [log], self.told, pace=QUICK, clock=lambda: now, disk_free=lambda _folder: self.free
        )

    def keep(self, now: float = NOW, *, archive: bool = False, **rules: Any) -> Housekeeper:
        keeper = self.keeper(now, archive=archive, **rules)
        assert keeper.keep()
        return keeper


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def refusing(number: int) -> Callable[..., Any]:
    def refuse(*_arguments: Any, **_more: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return refuse


class TestAPass:
    @pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
    @pytest.mark.parametrize("after", [0.0, 1000 * DAY])
    def test_an_archive_that_is_the_folder_of_the_log_by_another_name_costs_no_file(self, house: House, after: float):
        for number in (1, 2):
            written(house.log, number, chain=b"chain")
        before = names(house.folder)
        house.archive.symlink_to(house.folder.name)
        keeper = house.keep(archive=True, archive_after_seconds=after, max_files=2)
        assert names(house.folder) == before
        assert (keeper.counters.last_error is not None) is (after == 0.0)

    def test_finished_files_are_compressed_and_nothing_else_is_left(self, house: House):
        for number in (1, 2):
            written(house.log, number, chain=b"chain")
        counters = house.keep(packing=".gz").counters
        assert names(house.folder) == [
            "expert.0001.log.chain",
            "expert.0001.log.gz",
            "expert.0002.log.chain",
            "expert.0002.log.gz",
        ]
        assert (counters.packed, counters.failures, counters.last_error, counters.passes) == (2, 0, None, 1)
        for each in found(KeptLog(house.log, Rules())):
            assert each.modified_at == BEGAN_AT + each.file.number
            assert stat.S_IMODE(each.file.path.stat().st_mode) == 0o600
            with unpacked(each.file.path) as stream:
                assert stream.read() == content(each.file.number)

    def test_what_a_writer_has_stays_as_it_is(self, house: House):
        file = written(house.log)
        with file.path.open("ab") as writer:
            hold(writer.fileno())
            house.keep(packing=".gz", archive=True, archive_after_seconds=0.0, max_age_seconds=0.0)
            assert names(house.folder) == ["expert.0001.log"]
        house.keep(packing=".gz")
        assert names(house.folder) == ["expert.0001.log.gz"]

    def test_the_file_the_logs_name_leads_to_stays_plain(self, house: House):
        written(house.log, 1)
        house.log.symlink_to(written(house.log, 2).path.name)
        house.keep(packing=".gz", archive=True, archive_after_seconds=0.0)
        assert names(house.folder) == ["expert.0002.log", "expert.log"]
        assert names(house.archive) == ["expert.0001.log.gz"]

    def test_files_of_all_runs_are_kept_those_of_dead_ones_too(self, house: House):
        written(house.log, 1)
        written(house.log, 1, run=Run("20250101T000000Z", 7, "abcdef"), at=BEGAN_AT - 300 * DAY)
        house.keep(packing=".gz")
        assert names(house.folder) == ["expert.0001.log.gz", "expert.20250101T000000Z-7-abcdef.0001.log.gz"]

    def test_chains_travel_with_their_files(self, house: House):
        file = written(house.log, chain=b"chain")
        house.keep(packing=".zst", archive=True, archive_after_seconds=0.0)
        assert names(house.folder) == []
        assert names(house.archive) == ["expert.0001.log.chain", "expert.0001.log.zst"]
        assert chain_of(file.within(house.archive)).read_bytes() == b"chain"
        assert stat.S_IMODE(house.archive.stat().st_mode) == 0o700

    def test_what_goes_is_written_down_first_and_its_chain_goes_too(self, house: House):
        written(house.log, 1, chain=b"chain")
        written(house.log, 2)
        counters = house.keep(max_files=1).counters
        assert names(house.folder) == ["expert.0002.log", moves.PURGED_FILE]
        (record,) = (json.loads(line) for line in (house.folder / moves.PURGED_FILE).read_text().splitlines())
        assert record["name"] == f"expert.{RUN}.0001.log"
        assert record["reason"] == "max_files: there are more than 1 finished files"
        assert (counters.purged, counters.purged_bytes) == (1, len(content(1)) + len(b"chain"))

    def test_archived_files_go_by_the_same_bounds(self, house: House):
        for number in range(1, 5):
            written(house.log, number)
        house.keep(archive=True, archive_after_seconds=0.0, max_files=3)
        assert names(house.archive) == ["expert.0002.log", "expert.0003.log", "expert.0004.log"]
        house.keep(archive=True, archive_after_seconds=0.0, max_files=1)
        assert names(house.archive) == ["expert.0004.log"]

    def test_compressing_makes_room_before_anything_is_deleted_for_its_size(self, house: House):
        for number in (1, 2, 3):
            written(house.log, number)
        counters = house.keep(packing=".gz", max_bytes=6000).counters
        assert (counters.packed, counters.purged) == (3, 0)

    def test_where_a_packed_copy_has_no_room_the_floor_deletes_first(self, house: House):
        house.free = 100
        for number in (1, 2):
            written(house.log, number)
        counters = house.keep(packing=".gz", min_free_bytes=4000).counters
        assert (counters.packed, counters.purged) == (0, 1)
        assert "expert.0002.log" in names(house.folder)

    def test_empty_leftovers_of_the_dead_go(self, house: House):
        written(house.log, 1, data=b"")
        house.keep(keep_for_seconds=1000 * DAY)
        assert names(house.folder) == [moves.PURGED_FILE]

    def test_a_folder_that_is_not_there_yet_is_not_made(self, house: House):
        assert house.keep(packing=".gz").counters.failures == 0
        assert not house.folder.exists()

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
    def test_where_a_log_has_no_files_nothing_is_made_not_even_a_lock(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ):
        house.folder.mkdir()
        os.mkfifo(house.log)
        (house.folder / "others.txt").write_text("mine")
        monkeypatch.setattr(OwnerLock, "acquire", refusing(errno.EACCES))
        assert house.keep(packing=".gz").counters.failures == 0
        written(house.log)
        assert house.keep(packing=".gz").counters.failures == 1

    def test_names_with_special_characters_are_names(self, tmp_path: Path):
        house = House(tmp_path)
        house.log = house.folder / "ex[p]ert*.log"
        file = written(house.log, chain=b"chain")
        house.keep(archive=True, archive_after_seconds=0.0)
        there = {path.name for path in house.archive.iterdir() if path.suffix != ".origin"}
        assert there == {file.path.name, file.chain.name}


class TestOthers:
    def test_one_at_a_time_keeps_a_folder(self, house: House):
        written(house.log)
        lock = OwnerLock.acquire(house.folder / LOCK_FILE)
        assert lock is not None
        keeper = house.keeper(packing=".gz")
        assert not keeper.keep()
        assert "expert.0001.log" in names(house.folder)
        lock.release(delete=True)
        assert keeper.keep()
        assert names(house.folder) == ["expert.0001.log.gz"]

    def test_files_of_other_logs_and_people_are_not_touched(self, house: House):
        written(house.folder / "other.log")
        for name in ("notes.txt", "expert.log.1", "expert.txt"):
            (house.folder / name).write_text("mine")
        house.keep(packing=".gz", max_age_seconds=0.0)
        assert names(house.folder) == ["expert.log.1", "expert.txt", "notes.txt", "other.0001.log"]

    def test_another_configuration_is_kept_from_the_next_pass_on(self, house: House):
        written(house.log)
        keeper = house.keep()
        keeper.go_over_to(house.folder, [KeptLog(house.log, Rules(packing=".gz"))])
        keeper.keep()
        assert names(house.folder) == ["expert.0001.log.gz"]
        keeper.go_over_to(house.folder, [])
        keeper.keep()


class TestProtected:
    def test_a_term_against_a_ceiling_is_told_once_and_stays_in_the_statistics(self, house: House):
        written(house.log)
        keeper = house.keep(max_bytes=10, keep_for_seconds=1000 * DAY)
        keeper.keep()
        assert names(house.folder) == ["expert.0001.log"]
        assert len(house.told.of("may not be deleted: within its term")) == 1
        assert len(keeper.counters.conflicts) == 1
        assert keeper.counters.conflicts[0].startswith("expert.log: max_bytes: ")
        keeper.go_over_to(house.folder, [KeptLog(house.log, Rules())])
        keeper.keep()
        assert keeper.counters.conflicts == ()

    def test_a_hold_is_heeded_until_it_is_released(self, house: House):
        written(house.log)
        place(house.folder, reason="case 7", actor="me", log="expert.log")
        keeper = house.keep(max_age_seconds=0.0)
        assert "expert.0001.log" in names(house.folder)
        assert "case 7" in keeper.counters.conflicts[0]
        (house.folder / HOLDS_FILE).unlink()
        keeper.keep()
        assert "expert.0001.log" not in names(house.folder)

    @pytest.mark.parametrize("rules", [{"packing": ".gz"}, {"max_age_seconds": 0.0}, {"archive_after_seconds": 0.0}])
    def test_one_that_is_gone_on_with_since_it_was_found_stays(self, house: House, rules: dict[str, Any]):
        path = written(house.log).path
        keeper = house.keeper(archive="archive_after_seconds" in rules, **rules)
        planned = keeper.planned

        def then_gone_on_with(*arguments: Any) -> Any:
            plan = planned(*arguments)
            hold(writer.fileno())
            return plan

        with path.open("ab") as writer, pytest.MonkeyPatch.context() as patch:
            patch.setattr(keeper, "planned", then_gone_on_with)
            keeper.keep()
        assert names(house.folder) == ["expert.0001.log"]
        assert keeper.counters.failures == 0

    def test_a_configuration_that_comes_amid_a_pass_does_not_take_its_holds_away(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ):
        written(house.log)
        place(house.folder, reason="case 7", actor="me")
        keeper, pack = house.keeper(packing=".gz", max_age_seconds=0.0), moves.pack

        def reconfigured(*arguments: Any) -> Any:
            keeper.go_over_to(house.folder.parent, [])
            return pack(*arguments)

        monkeypatch.setattr(moves, "pack", reconfigured)
        keeper.keep()
        assert "expert.0001.log.gz" in names(house.folder)

    def test_a_hold_placed_amid_a_pass_is_heeded(self, house: House, monkeypatch: pytest.MonkeyPatch):
        for number in (1, 2):
            written(house.log, number)
        purge = moves.purge

        def hold_then_purge(*arguments: Any) -> None:
            purge(*arguments)
            place(house.folder, reason="just now", actor="me")

        monkeypatch.setattr(moves, "purge", hold_then_purge)
        counters = house.keep(max_age_seconds=0.0).counters
        assert counters.purged == 1
        assert "expert.0002.log" in names(house.folder)

    def test_a_damaged_list_of_holds_holds_everything_and_is_told(self, house: House):
        written(house.log)
        (house.folder / HOLDS_FILE).write_text("{")
        house.keep(max_age_seconds=0.0)
        assert "expert.0001.log" in names(house.folder)
        assert house.told.of("everything is held")

    def test_a_hold_keeps_nothing_from_being_compressed_and_archived(self, house: House):
        written(house.log)
        place(house.folder, reason="case 7", actor="me")
        house.keep(packing=".gz", archive=True, archive_after_seconds=0.0)
        assert names(house.archive) == ["expert.0001.log.gz"]


class TestTrouble:
    def test_an_archive_that_is_away_is_told_and_tried_again(self, house: House):
        house.archive = house.archive / "unmounted" / "logs"
        for number in (1, 2):
            written(house.log, number)
        keeper = house.keep(archive=True, archive_after_seconds=0.0, folder_bytes=100)
        assert keeper.counters.failures == 1, "one attempt a pass"
        assert keeper.counters.last_error is not None
        assert names(house.folder) == ["expert.0001.log", "expert.0002.log"]
        assert house.told.of("No such file or directory")
        house.archive.parent.mkdir(parents=True)
        keeper.keep()
        assert names(house.archive) == ["expert.0001.log", "expert.0002.log"]
        assert keeper.counters.last_error is None

    def test_a_full_disk_leaves_the_plain_file_and_no_rubbish(self, house: House, monkeypatch: pytest.MonkeyPatch):
        written(house.log)
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", refusing(errno.ENOSPC))
            keeper = house.keep(packing=".gz")
        assert (keeper.counters.failures, keeper.counters.packed) == (1, 0)
        assert names(house.folder) == ["expert.0001.log"]
        keeper.keep()
        assert names(house.folder) == ["expert.0001.log.gz"]

    def test_what_cannot_be_written_down_is_not_deleted(self, house: House):
        written(house.log)
        (house.folder / moves.PURGED_FILE).mkdir()
        keeper = house.keep(max_age_seconds=0.0)
        assert keeper.counters.failures == 1
        assert "expert.0001.log" in names(house.folder)

    def test_one_file_in_trouble_does_not_keep_the_others_waiting(self, house: House, monkeypatch: pytest.MonkeyPatch):
        for number in (1, 2):
            written(house.log, number)
        pack = moves.pack

        def picky(file: Any, *more: Any) -> Any:
            if file.number == 1:
                raise OSError(errno.EIO, "Input/output error")
            return pack(file, *more)

        monkeypatch.setattr(moves, "pack", picky)
        counters = house.keep(packing=".gz").counters
        assert (counters.packed, counters.failures) == (1, 1)
        assert counters.last_error is not None
        assert "0001.log: Input/output error" in counters.last_error

    def test_a_file_that_somebody_writes_to_meanwhile_stays(self, house: House, monkeypatch: pytest.MonkeyPatch):
        file = written(house.log)
        transfer = moves.transfer

        def slow(*arguments: Any, **more: Any) -> Any:
            made = transfer(*arguments, **more)
            with file.path.open("ab") as other:
                other.write(b"more\n")
            return made

        monkeypatch.setattr(moves, "transfer", slow)
        counters = house.keep(packing=".gz").counters
        assert names(house.folder) == ["expert.0001.log"]
        assert file.path.read_bytes().endswith(b"more\n")
        assert counters.failures == 1


class TestAfterAKill:
    """What no single kill leaves is here; every step of one is in the kill matrix (tests/integration/durability)."""

    def test_a_damaged_packed_copy_gives_way_to_the_plain_file(self, house: House):
        file = written(house.log)
        file.packed(".gz").path.write_bytes(b"half")
        keeper = house.keep(packing=".gz")
        assert names(house.folder) == ["expert.0001.log.gz"]
        assert house.told.of("was damaged; another copy of it is whole")
        assert keeper.counters.failures == 1
        with unpacked(file.packed(".gz").path) as stream:
            assert stream.read() == content(1)

    def test_copies_that_differ_both_stay_and_are_told(self, house: House):
        file = written(house.log)
        written(house.log, data=b"other\n")
        house.archive.mkdir()
        moved = file.within(house.archive).path
        moved.write_bytes(content(1))
        house.keep(archive=True, archive_after_seconds=0.0)
        assert moved.read_bytes() == content(1)
        assert file.path.read_bytes() == b"other\n"
        assert house.told.of("differ, which should be the same")

    def test_a_chain_whose_file_nobody_sent_away_stays_as_evidence(self, house: House):
        written(house.log, 2)
        lone = written(house.log, 1, chain=b"chain")
        lone.path.unlink()
        house.keep(packing=".gz")
        assert "expert.0001.log.chain" in names(house.folder)

    def test_records_that_are_torn_are_passed_over(self, house: House):
        lone = written(house.log, 1, chain=b"chain")
        lone.path.unlink()
        record = json.dumps({"name": lone.path.name})
        (house.folder / moves.PURGED_FILE).write_text(f'{{"name": "tor\n[]\n{record}\n{{"na')
        house.keep()
        assert names(house.folder) == [moves.PURGED_FILE]


def test_a_plan_changes_nothing(house: House):
    for number in (1, 2):
        written(house.log, number)
    keeper = house.keeper(packing=".gz", max_files=1)
    planned = keeper.planned(KeptLog(house.log, Rules(packing=".gz", max_files=1)))
    assert [type(each).__name__ for each in planned.actions] == ["Pack", "Purge"]
    assert names(house.folder) == ["expert.0001.log", "expert.0002.log"]


def test_an_archive_really_on_another_disk(house: House):
    """Linux has /dev/shm, a file system of its own."""
    memory = Path("/dev/shm")  # noqa: S108 - just for its being elsewhere
    if not memory.is_dir() or memory.stat().st_dev == house.folder.parent.stat().st_dev:
        pytest.skip("there is no other file system here")
    with TemporaryDirectory(dir=memory) as there:
        house.archive = Path(there) / "archive"
        for number in (1, 2):
            written(house.log, number, chain=b"chain")
        counters = house.keep(packing=".gz", archive=True, archive_after_seconds=0.0).counters
        assert (counters.archived, counters.failures) == (2, 0)
        assert names(house.folder) == []
        assert len(names(house.archive)) == 4
        for each in found(KeptLog(house.log, Rules(), house.archive)):
            assert (each.is_archived, each.frees_log_disk) == (True, False)
            assert each.modified_at == BEGAN_AT + each.file.number
            with unpacked(each.file.path) as stream:
                assert stream.read() == content(each.file.number)


def test_an_archive_on_another_disk_is_known(house: House, monkeypatch: pytest.MonkeyPatch):
    house.folder.mkdir()
    house.archive.mkdir()
    log = KeptLog(house.log, Rules(), house.archive)
    assert not housekeeping._is_elsewhere(log)
    assert not housekeeping._is_elsewhere(replace(log, archive=None))
    state = Path.stat

    def elsewhere(path: Path, **more: Any) -> Any:
        found_there = state(path, **more)
        if path != house.archive:
            return found_there
        fields = list(found_there)
        fields[stat.ST_DEV] += 1
        return os.stat_result(fields)

    monkeypatch.setattr(Path, "stat", elsewhere)
    assert housekeeping._is_elsewhere(log)


def test_the_free_room_of_a_folder_that_is_not_there_is_not_known(tmp_path: Path):
    assert housekeeping.free_bytes(tmp_path / "none") is None
    with suppress(OSError):
        assert (housekeeping.free_bytes(tmp_path) or 0) > 0


class Clocks:
    """A clock that can be set, and the time that really passes."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.up = 1000.0
        self.boot = "one"

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.up += seconds

    def keeper(self, house: House, **rules: Any) -> Housekeeper:
        log = KeptLog(house.log, Rules(**rules))
        return Housekeeper(
            house.folder,
            [log],
            house.told,
            pace=QUICK,
            clock=lambda: self.now,
            up=lambda: (self.up, self.boot),
            disk_free=lambda _folder: None,
        )


@pytest.fixture
def clocks() -> Clocks:
    return Clocks(BEGAN_AT + DAY)


class TestTheClock:
    RULES: ClassVar[dict[str, Any]] = {"keep_for_seconds": 100 * DAY, "max_age_seconds": 100 * DAY}

    def test_one_that_leaps_ends_no_term(self, house: House, clocks: Clocks):
        written(house.log)
        keeper = clocks.keeper(house, **self.RULES)
        keeper.keep()
        clocks.passes(HOLD_SECONDS)
        keeper.keep()
        assert keeper.counters.clock_doubt is None
        clocks.now += 1000 * DAY
        keeper.keep()
        clocks.passes(HOLD_SECONDS - 60)
        clocks.keeper(house, **self.RULES).keep()  # a restart changes nothing
        keeper.keep()
        assert names(house.folder) == ["expert.0001.log"]
        assert keeper.counters.clock_leaps == 1
        assert keeper.counters.clock_doubt is not None
        assert keeper.has_leapt
        assert len(house.told.of("the clock leapt 1000 days ahead")) == 1

    def test_one_that_stays_where_it_leapt_to_is_believed_after_a_day(self, house: House, clocks: Clocks):
        written(house.log)
        keeper = clocks.keeper(house, **self.RULES)
        keeper.keep()
        clocks.now += 1000 * DAY
        keeper.keep()
        clocks.passes(HOLD_SECONDS)
        keeper.keep()
        assert "expert.0001.log" not in names(house.folder)
        assert not keeper.has_leapt

    @pytest.mark.parametrize("bound", [{"max_files": 1}, {"max_bytes": 10}, {"max_age_seconds": 100 * DAY}])
    def test_no_bound_deletes_what_only_a_doubtful_clock_lets_go(
        self, house: House, clocks: Clocks, bound: dict[str, Any]
    ):
        for number in (1, 2):
            written(house.log, number)
        clocks.now += 1000 * DAY
        keeper = clocks.keeper(house, keep_for_seconds=100 * DAY, **bound)
        keeper.keep()
        assert names(house.folder) == ["expert.0001.log", "expert.0002.log"]
        assert "cannot be told: the clock is believed in" in keeper.counters.conflicts[0]

    def test_ages_of_files_without_a_term_leave_a_leap_out(self, house: House, clocks: Clocks):
        written(house.log)
        keeper = clocks.keeper(house, max_age_seconds=100 * DAY)
        keeper.keep()
        clocks.now += 1000 * DAY
        keeper.keep()
        assert names(house.folder) == ["expert.0001.log"]
        clocks.passes(HOLD_SECONDS)
        keeper.keep()
        assert "expert.0001.log" not in names(house.folder)

    def test_a_boot_with_a_clock_years_ahead_ends_no_term(self, house: House, clocks: Clocks):
        written(house.log)
        keeper = clocks.keeper(house, **self.RULES)
        keeper.keep()
        clocks.passes(HOLD_SECONDS)
        keeper.keep()
        clocks.now, clocks.up, clocks.boot = clocks.now + 1000 * DAY, 20.0, "two"
        keeper = clocks.keeper(house, **self.RULES)
        keeper.keep()
        assert names(house.folder) == ["expert.0001.log"]
        assert keeper.counters.clock_leaps == 1

    def test_what_cannot_be_taken_down_is_not_believed(self, house: House, clocks: Clocks):
        written(house.log)
        (house.folder / CLOCK_FILE).mkdir()
        clocks.now += 1000 * DAY
        keeper = clocks.keeper(house, **self.RULES)
        keeper.keep()
        clocks.passes(2 * HOLD_SECONDS)
        keeper.keep()
        assert "expert.0001.log" in names(house.folder)
        assert keeper.counters.failures == 2

    def test_a_clock_set_amid_a_pass_deletes_nothing(
        self, house: House, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
    ):
        for number in (1, 2):
            written(house.log, number)
        keeper = clocks.keeper(house, keep_for_seconds=DAY / 2, max_files=1)
        keeper.keep()
        clocks.passes(HOLD_SECONDS)
        plan = housekeeping.plan

        def planned(*arguments: Any, **more: Any) -> Any:
            made = plan(*arguments, **more)
            clocks.now += 1000 * DAY
            return made

        monkeypatch.setattr(housekeeping, "plan", planned)
        keeper.keep()
        assert names(house.folder) == ["expert.0001.log", "expert.0002.log"]

    def test_logs_without_term_and_age_need_no_clock(self, house: House, clocks: Clocks):
        written(house.log)
        clocks.keeper(house, max_files=1).keep()
        assert not (house.folder / CLOCK_FILE).exists()


class TestSharedArchives:
    """Two programs with folders of their own, logs of one name, and one archive."""

    OTHER_RUN = Run("20251123T171542Z", 4711, "abcdef")

    @pytest.fixture
    def other(self, tmp_path: Path) -> House:
        house = House(tmp_path / "other")
        house.folder.parent.mkdir()
        house.archive = tmp_path / "archive"
        return house

    @staticmethod
    def archived(house: House, *numbers: int, run: Run = RUN) -> None:
        for number in numbers:
            written(house.log, number, run=run, at=BEGAN_AT - 50 * DAY + number)
        house.keep(archive=True, archive_after_seconds=0.0)

    @pytest.mark.parametrize("bound", [{"max_files": 1}, {"max_bytes": 6000}, {"max_age_seconds": DAY}])
    def test_no_program_counts_or_deletes_files_of_another(self, house: House, other: House, bound: dict[str, Any]):
        self.archived(other, 1, 2, 3, run=self.OTHER_RUN)
        self.archived(house, 1, 2)
        keeper = house.keep(archive=True, archive_after_seconds=0.0, **bound)
        assert keeper.counters.purged == (2 if "max_age_seconds" in bound else 1)
        assert sum("abcdef" in name for name in names(house.archive)) == 3
        assert not house.told.lines
        assert [each.is_ours for each in found(KeptLog(other.log, Rules(), other.archive))].count(True) == 3

    def test_what_nobody_claimed_is_nobodys_until_it_is_adopted(self, house: House, other: House):
        self.archived(other, 1, 2, run=self.OTHER_RUN)
        self.archived(house, 1)
        for number in (7, 8):
            written(house.archive / "expert.log", number)
        keeper = house.keep(archive=True, max_files=1)
        keeper.keep()
        assert len(names(house.archive)) == 5
        assert len(house.told.of("2 files of expert.log in")) == 1
        assert keeper.adopt(KeptLog(house.log, Rules(), house.archive)) == 2
        keeper.keep()
        assert keeper.counters.purged == 2
        assert sum("abcdef" in name for name in names(house.archive)) == 2

    def test_an_archive_within_the_logs_own_folder_is_its_own(self, house: House):
        house.archive = house.folder / "old"
        for number in (1, 2, 3):
            written(house.archive / "expert.log", number)
        assert house.keep(archive=True, max_files=1).counters.purged == 2

    def test_a_folder_that_lost_its_name_deletes_nothing_it_had_archived(self, house: House):
        self.archived(house, 1, 2)
        (house.folder / ORIGIN_FILE).unlink()
        self.archived(house, 3, 4)
        house.keep(archive=True, max_files=1)
        assert names(house.archive) == ["expert.0001.log", "expert.0002.log", "expert.0004.log"]

    @pytest.mark.parametrize("name", ["", "none\n", "../" * 10 + "\n"])
    def test_a_damaged_name_is_replaced(self, house: House, name: str):
        house.folder.mkdir()
        (house.folder / ORIGIN_FILE).write_text(name)
        self.archived(house, 1, 2)
        assert house.keep(archive=True, max_files=1).counters.purged == 1

    def test_a_claim_that_was_torn_harms_no_other(self, house: House):
        self.archived(house, 1)
        (record,) = house.archive.glob("*.origin")
        with record.open("ab") as file:
            file.write(b"expert.2026")
        self.archived(house, 2)
        assert [each.is_ours for each in found(KeptLog(house.log, Rules(), house.archive))] == [True, True]

    def test_claims_of_what_is_gone_are_forgotten(self, house: House, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(origin, "_MANY_CLAIMS", 4)
        self.archived(house, 1, 2, 3, 4, 5)
        house.keep(archive=True, max_files=1)
        house.keep(archive=True, max_files=1)
        (record,) = house.archive.glob("*.origin")
        assert record.read_text() == f"expert.{RUN}.0005.log\n"
        assert [each.is_ours for each in found(KeptLog(house.log, Rules(), house.archive))] == [True]

    def test_nothing_is_archived_that_cannot_be_claimed(self, house: House, monkeypatch: pytest.MonkeyPatch):
        for number in (1, 2):
            written(house.log, number)
        monkeypatch.setattr(origin, "_append", refusing(errno.ENOSPC))
        keeper = house.keep(archive=True, archive_after_seconds=0.0)
        assert names(house.archive) == []
        assert keeper.counters.failures == 1

    def test_another_ones_copies_are_not_settled(self, house: House, other: House):
        self.archived(other, 1)
        (file,) = other.archive.glob("*.log")
        file.with_name(f"{file.name}.gz").write_bytes(b"another one is at it")
        self.archived(house, 2)
        assert house.keep(archive=True).counters.failures == 0
        assert len(list(house.archive.glob("*.0001.log*"))) == 2
