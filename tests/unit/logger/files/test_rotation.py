"""When a file is done with by the clock, whatever the clock does; and what a run goes on with."""

import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support.written_logs import in_order, new_log

from metaexpert.logger.files.rotation import Rotation, Term
from metaexpert.logger.files.schedule import DAY_SECONDS, Schedule
from metaexpert.logger.jobs import Worker
from metaexpert.logger.testing import FakeClock

HOUR = 3600.0
MIDNIGHT = Schedule(at_seconds=(0,))
NOON = 43_200.0


class TestTerm:
    def test_a_file_that_has_no_entry_is_never_over(self):
        term = Term(MIDNIGHT)
        assert not term.is_over(1e12)

    def test_without_a_schedule_none_is(self):
        term = Term(None)
        term.begin(0.0)
        assert not term.is_over(1e12)

    def test_it_is_over_from_the_moment_on(self):
        term = Term(MIDNIGHT)
        term.begin(NOON)
        term.begin(NOON + 1.0)
        assert not term.is_over(DAY_SECONDS - 0.001)
        assert term.is_over(DAY_SECONDS)
        assert term.is_over(DAY_SECONDS + 1.0)

    def test_a_clock_set_back_a_little_comes_to_no_moment_twice(self):
        term = Term(MIDNIGHT)
        term.begin(DAY_SECONDS + 1.0)
        assert not term.is_over(DAY_SECONDS - 5.0)
        assert not term.is_over(DAY_SECONDS)
        assert not term.is_over(DAY_SECONDS + 60.0)
        assert term.is_over(2 * DAY_SECONDS)

    def test_a_clock_set_back_far_does_not_put_the_next_one_off_for_as_long(self):
        term = Term(MIDNIGHT)
        term.begin(100 * DAY_SECONDS + 1.0)
        assert not term.is_over(NOON)
        assert term.is_over(DAY_SECONDS)

    @given(
        jumps=st.lists(st.tuples(st.floats(0.0, 2 * HOUR), st.sampled_from([0.0, 0.0, -30 * HOUR, -5.0, 30 * HOUR]))),
        every=st.sampled_from([600, 3600, 86_400]),
    )
    def test_jumps_end_a_file_once_at_most(self, jumps: list[tuple[float, float]], every: int):
        """A clock set by seconds ends none; one set by hours one at most, and no file goes on past its moment."""
        schedule = Schedule(every_seconds=every)
        term, now = Term(schedule), 1e9
        term.begin(now)
        ended = passed = 0
        for step, jump in jumps:
            moments, moment = 0, schedule.after(now)
            while moment <= now + step:
                moments, moment = moments + 1, schedule.after(moment)
            passed += moments + (abs(jump) > HOUR)
            now += step + jump
            if term.is_over(now):
                ended += 1
                term.end()
                term.begin(now)
            assert not term.is_over(now)
        assert ended <= passed
        assert term.is_over(now + 2 * DAY_SECONDS)


class TestFilesByTheClock:
    async def test_each_ends_at_its_moment_with_the_next_write(self, tmp_path: Path, worker: Worker):
        clock = FakeClock(wall_seconds=NOON)
        path = tmp_path / "expert.log"
        file = new_log(path, worker, Rotation(schedule=MIDNIGHT), now=clock.time)
        for number in range(6):  # at 12, 18, 0, 6, 12, 18, 0 o'clock
            await file.append([b"line %d" % number], number)
            clock.advance(6 * HOUR)
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [
            b"line 0\nline 1\n",
            b"line 2\nline 3\nline 4\nline 5\n",
        ]

    async def test_a_silent_log_leaves_no_empty_files(self, tmp_path: Path, worker: Worker):
        clock = FakeClock(wall_seconds=NOON)
        path = tmp_path / "expert.log"
        file = new_log(path, worker, Rotation(schedule=MIDNIGHT), now=clock.time)
        await file.append([b"one"], 1)
        clock.advance(10 * DAY_SECONDS)
        await file.append([b"two"], 2)
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"one\n", b"two\n"]

    async def test_size_counts_beside_the_clock(self, tmp_path: Path, worker: Worker):
        clock = FakeClock(wall_seconds=NOON)
        path = tmp_path / "expert.log"
        file = new_log(path, worker, Rotation(max_bytes=14, schedule=MIDNIGHT), now=clock.time)
        for number in range(4):
            await file.append([b"line %d" % number], number)
        clock.advance(DAY_SECONDS)
        await file.append([b"line 4"], 4)
        await file.close()
        assert [each.read_bytes() for each in in_order(path)] == [
            b"line 0\nline 1\n",
            b"line 2\nline 3\n",
            b"line 4\n",
        ]

    async def test_a_file_of_this_run_whose_time_has_passed_is_not_gone_on_with(self, tmp_path: Path, worker: Worker):
        """As after a move to another event loop, or a reload, that came after midnight."""
        path = tmp_path / "expert.log"
        clock = FakeClock(wall_seconds=time.time())  # files have the machine's times
        daily = Rotation(schedule=Schedule(max_age_seconds=DAY_SECONDS))
        file = new_log(path, worker, daily, now=clock.time)
        await file.append([b"one"], 1)
        await file.close()
        await file.append([b"two"], 2)
        await file.close()
        clock.jump(2 * DAY_SECONDS)
        other = new_log(path, worker, daily, now=clock.time)
        await other.append([b"three"], 3)
        await other.close()
        assert [each.read_bytes() for each in in_order(path)] == [b"one\ntwo\n", b"three\n"]
