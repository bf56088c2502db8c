"""The soak's own parts: what a destination holds is judged entry by entry, so that no loss can pass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from metaexpert.logger.files.names import LogFile
from metaexpert.logger.identity import Identity
from soak.arrivals import Arrivals
from soak.chains import files, random_chains, read
from soak.outage import Outage
from soak.outage_verdict import MEMORY_CAP_BYTES, Run, Verdict, judge
from soak.points import Point
from soak.producer import ORDINARY, PROTECTED, QUEUE_BYTES
from soak.progress import Progress


def entry(number: int, *, run: int = 0, thread: int = 0, **more: Any) -> dict[str, Any]:
    return {"extra": {"soak_run": run, "soak_thread": thread, "soak_number": number}, **more}


def taken(*numbers: int, thread: int = 0) -> Arrivals:
    arrivals = Arrivals()
    for number in numbers:
        arrivals.take(entry(number, thread=thread), f"boot-{number + 1}", b"line")
    return arrivals


class TestArrivals:
    def test_what_never_came_is_missing(self):
        assert list(taken(0, 1, 3).stream(0, 0).missing(6)) == [2, 4, 5]

    def test_the_same_entry_under_its_id_again_is_a_duplicate_and_no_fault(self):
        arrivals = taken(0, 1, 1, 0)
        assert (arrivals.distinct, arrivals.duplicates, arrivals.faults) == (2, 2, [])
        assert arrivals.stream(0, 0).disordered == 0

    def test_a_first_arrival_behind_a_later_one_is_out_of_order(self):
        assert taken(0, 2, 1, 3).stream(0, 0).disordered == 1

    def test_order_is_kept_within_each_lane(self):
        arrivals = Arrivals(lambda number: number % 2)
        for number in (0, 2, 1, 4, 3):
            arrivals.take(entry(number), f"boot-{number + 1}", b"line")
        assert arrivals.stream(0, 0).disordered == 0
        arrivals.take(entry(7), "boot-8", b"line")
        arrivals.take(entry(5), "boot-6", b"line")
        assert arrivals.stream(0, 0).disordered == 1

    @pytest.mark.parametrize(
        ("entry_id", "content", "words"),
        [
            ("boot-9", b"line", "came under sequence 1 and under 9"),
            ("boot-1", b"other", "came with other bytes"),
            ("late-1", b"line", "came under late"),
        ],
    )
    def test_another_id_or_other_bytes_are_faults(self, entry_id: str, content: bytes, words: str):
        arrivals = taken(0)
        arrivals.take(entry(0), entry_id, content)
        assert words in arrivals.faults[0]

    def test_the_pipelines_own_entries_are_counted_apart(self):
        arrivals = taken(0)
        arrivals.take({"message": "recovered 3 entries"}, "boot-2", b"line")
        assert (arrivals.distinct, arrivals.others, arrivals.received) == (1, 1, 2)

    def test_a_trade_is_known_by_its_data(self):
        arrivals = Arrivals()
        arrivals.take({"trade_data": entry(4)["extra"]}, "boot-1", b"line")
        assert 4 in arrivals.stream(0, 0)


def line_of(number: int) -> bytes:
    return orjson.dumps(entry(number, id=f"boot-{number + 1}")) + b"\n"


class TestFiles:
    def test_a_torn_last_line_is_no_entry(self, tmp_path: Path):
        path = tmp_path / "expert.log"
        path.write_bytes(line_of(0) + line_of(1)[:20])
        arrivals = Arrivals()
        read(path, arrivals)
        assert (arrivals.distinct, arrivals.faults) == (1, [])

    def test_a_torn_line_before_the_last_is_a_fault(self, tmp_path: Path):
        path = tmp_path / "expert.log"
        path.write_bytes(line_of(0)[:20] + b"\n" + line_of(1))
        arrivals = Arrivals()
        read(path, arrivals)
        assert "expert.log: no entry" in arrivals.faults[0]

    def test_the_files_of_all_runs_are_read_and_none_of_them_twice(self, tmp_path: Path):
        log = tmp_path / "expert.log"
        earlier, later = sorted(LogFile.first(log, Identity(service="soak")) for _ in range(2))
        for file in (later, earlier.next(), earlier):
            file.path.touch()
        log.symlink_to(later.path.name)
        (tmp_path / "errors.log").touch()
        assert files(tmp_path, "expert.log") == [earlier.path, earlier.next().path, later.path]


def test_progress_is_there_for_who_opens_the_file_later(tmp_path: Path):
    first = Progress(tmp_path / "progress", 2)
    first[1] = 2**40
    second = Progress(tmp_path / "progress", 2)
    assert (second[0], second[1]) == (0, 2**40)
    first.close()
    second.close()


def test_random_chains_have_as_many_kills_as_asked_and_come_to_every_point():
    points = [Point("call", name) for name in "abc"]
    chains = list(random_chains(22, 1, points))
    kills = [kill for chain in chains for kill in chain.kills]
    assert len(kills) == 22
    assert {kill.point for kill in kills} == {None, *points}
    assert list(random_chains(22, 1, points)) == chains


def run(**more: Any) -> Run:
    values: dict[str, Any] = {
        "end": "wait", "returned": 3, "protected": 0, "own_on_disk": 0, "spooled": 0, "recovered": 0, "delivered": 1,
        "queued_bytes": 0, "memory_bytes": 0, "ledger": {}, "seconds": 1.0,
    }  # fmt: skip
    return Run(**{**values, **more})


def faults_of(*runs: Run, arrivals: Arrivals | None = None, disk_bytes: int = 0) -> list[str]:
    verdict = Verdict(runs=list(runs), most_disk_bytes=disk_bytes)
    judge(verdict, arrivals or taken(0, 1, 2), spool_bytes=100)
    return verdict.faults


GOOD = {"balanced": True, "dropped": 0, "rejected": 0}


class TestOutageVerdict:
    def test_an_outage_that_lost_nothing_has_no_faults(self):
        assert faults_of(run(), run(end="drain", returned=0, ledger=GOOD)) == []

    @pytest.mark.parametrize(
        ("faulty", "words"),
        [
            (lambda: run(protected=2), "2 of 2 protected entries lost, first [0, 1]"),
            (lambda: run(own_on_disk=4), "4 ordinary entries were on the disk, 3 arrived"),
            (lambda: run(end="stop", returned=4, ledger=GOOD), "was stopped, and 1 of 4 entries are lost"),
            (lambda: run(returned=10**6), "999997 ordinary entries lost, more than memory had room for"),
            (lambda: run(queued_bytes=2 * QUEUE_BYTES), "bytes were queued"),
            (lambda: run(memory_bytes=MEMORY_CAP_BYTES + 1), "bytes of memory were taken"),
            (lambda: run(ledger={**GOOD, "balanced": False}), "its ledger"),
            (lambda: run(ledger={**GOOD, "dropped": 1}), "its ledger"),
        ],
    )
    def test_a_fault_is_told_with_its_process(self, faulty: Callable[[], Run], words: str):
        (fault,) = faults_of(faulty())
        assert fault.startswith("run 0: ")
        assert words in fault

    def test_entries_left_on_the_disk_must_be_found_by_the_next_process(self):
        left = run(spooled=5, delivered=0)
        assert faults_of(left, run(returned=0, recovered=5, ledger=GOOD)) == []
        assert faults_of(left, run(returned=0, recovered=4)) == [], "killed before it could tell"
        assert faults_of(left, run(returned=0, recovered=4, ledger=GOOD)) == [
            "run 0 left 5 entries on the disk, the next found 4"
        ]

    @pytest.mark.parametrize("found", [4, 6])
    def test_of_a_process_that_was_stopped_the_next_finds_what_its_ledger_says_and_no_more(self, found: int):
        left = run(end="stop", ledger={**GOOD, "spooled": 5})
        fault = [f"run 0 stopped and left 5 entries on the disk, the next found {found}"]
        assert faults_of(left, run(recovered=5)) == []
        assert faults_of(left, run(recovered=0)) == [], "killed before it could tell"
        assert faults_of(left, run(recovered=found)) == fault
        assert faults_of(left, run(returned=0, recovered=found, ledger=GOOD)) == fault

    def test_a_disk_queue_above_its_cap_is_a_fault(self):
        assert faults_of(run(), disk_bytes=101) == ["the disk queue took 101 bytes, its cap is 100"]

    def test_disorder_and_the_collectors_own_faults_are_told(self):
        arrivals = taken(0, 2, 1, thread=ORDINARY)
        arrivals.take(entry(0, thread=PROTECTED), "boot-7", b"line")
        arrivals.take(entry(0, thread=PROTECTED), "boot-8", b"line")
        told = faults_of(run(protected=1), arrivals=arrivals)
        assert "run 0: 1 ordinary entries came out of order" in told
        assert any("came under sequence 7 and under 8" in fault for fault in told)

    def test_ordinary_entries_of_a_killed_process_may_have_been_in_memory_and_are_counted(self):
        verdict = Verdict(runs=[run(returned=10)])
        judge(verdict, taken(0, 1, 2), spool_bytes=100)
        assert (verdict.lost_in_memory, verdict.faults) == (7, [])


def test_stops_come_between_kills():
    assert Outage(entries=1, kills=3, restarts=2).runs() == ["wait", "stop", "wait", "stop", "wait"]
