"""Runs of identical entries: what counts as identical, when a run ends, and what it counted."""

from typing import Any

import pytest
from support.fake_sinks import capture

from metaexpert.logger import repeats
from metaexpert.logger.entry import Capture
from metaexpert.logger.repeats import Repeats, Run

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
_TEMPLATE = capture(1, message="same", time_ns=START)


def entry(seq: int, *, seconds: float = 0.0, **changes: Any) -> Capture:
    made = list(_TEMPLATE)
    made[0], made[1] = seq, START + int(seconds * SECOND)
    places = {"level": 2, "logger": 3, "message": 4, "lasti": 6, "fields": 7, "context": 8, "thread": 9, "task": 10,
              "log_type": 11, "details": 12, "size": 13}  # fmt: skip
    for name, value in changes.items():
        made[places[name]] = value
    return tuple(made)  # type: ignore[return-value]


def written(under_test: Repeats, one: Capture, now: float = 0.0) -> bool:
    """As the sieve asks; True when the entry is written."""
    if under_test.holds(one, now):
        return False
    under_test.interrupt(one)
    under_test.begin(one, now)
    return True


def told(runs: Any) -> list[tuple[str, int, int, int]]:
    return [(run.written[4], run.count, run.first_seq, run.last_seq) for run in runs]


class TestIdentity:
    def test_the_first_is_written_and_those_like_it_are_counted(self):
        under_test = Repeats(10.0)
        assert [written(under_test, entry(seq)) for seq in (1, 2, 3, 4)] == [True, False, False, False]
        assert told(under_test.close_all()) == [("same", 3, 2, 4)]

    @pytest.mark.parametrize(
        "change",
        [
            {"level": 30},
            {"logger": "other"},
            {"message": "other"},
            {"lasti": 999},
            {"fields": b'"a":1'},
            {"context": b'"a":1'},
            {"log_type": "error"},
            {"details": (b'"x"', b"", b"")},
        ],
        ids=str,
    )
    def test_any_difference_in_what_is_said_makes_another_entry(self, change: dict[str, Any]):
        under_test = Repeats(10.0)
        assert written(under_test, entry(1))
        assert written(under_test, entry(2, **change))

    def test_who_said_it_makes_none(self):
        under_test = Repeats(10.0)
        assert written(under_test, entry(1))
        assert not written(under_test, entry(2, thread=7, task="other"))


class TestTheEndOfARun:
    def test_after_the_window_it_is_due_and_the_next_is_written(self):
        under_test = Repeats(10.0)
        written(under_test, entry(1), now=100.0)
        written(under_test, entry(2, seconds=4.0), now=104.0)
        assert under_test.due_in(104.0) == pytest.approx(6.0)
        assert under_test.due(109.9) == []
        (run,) = under_test.due(110.0)
        assert (run.count, run.seconds) == (1, 4.0)
        assert under_test.due_in(110.0) is None
        assert written(under_test, entry(3, seconds=10.0), now=110.0)

    def test_a_run_without_repetitions_says_nothing_and_waits_for_nothing(self):
        under_test = Repeats(10.0)
        written(under_test, entry(1), now=0.0)
        assert under_test.due_in(0.0) is None
        assert under_test.due(100.0) == []
        assert list(under_test.close_all()) == []

    def test_the_entries_own_times_end_it_when_the_dispatcher_was_late(self):
        under_test = Repeats(10.0)
        assert written(under_test, entry(1, seconds=0.0), now=500.0)
        assert not written(under_test, entry(2, seconds=9.0), now=500.0)
        assert written(under_test, entry(3, seconds=11.0), now=500.0)
        assert told(under_test.due(500.0)) == [("same", 1, 2, 2)]

    def test_in_a_window_other_entries_may_come_between(self):
        under_test = Repeats(10.0)
        messages = ["a", "b", "a", "b", "a"]
        kept = [written(under_test, entry(n, message=text)) for n, text in enumerate(messages, 1)]
        assert kept == [True, True, False, False, False]
        assert told(under_test.close_all()) == [("a", 2, 3, 5), ("b", 1, 4, 4)]

    def test_in_a_row_another_entry_ends_it_at_once(self):
        under_test = Repeats(10.0, in_a_row=True)
        kept = [written(under_test, entry(n, message=text)) for n, text in enumerate("aaabaa", 1)]
        assert kept == [True, False, False, True, True, False]
        assert told(under_test.due(0.0)) == [("a", 2, 2, 3)]
        assert under_test.due_in(0.0) is not None

    def test_the_earliest_run_with_repetitions_is_due_first_whichever_was_repeated_first(self):
        under_test = Repeats(10.0)
        written(under_test, entry(1, message="a"), now=0.0)
        written(under_test, entry(2, message="b"), now=5.0)
        written(under_test, entry(3, message="b"), now=6.0)
        written(under_test, entry(4, message="a"), now=7.0)
        assert under_test.due_in(7.0) == pytest.approx(3.0)
        assert told(under_test.due(10.0)) == [("a", 1, 4, 4)]
        assert under_test.due_in(10.0) == pytest.approx(5.0)


class TestBounds:
    def test_the_oldest_runs_give_way_and_say_what_they_counted(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(repeats, "_MAX_RUNS", 2)
        under_test = Repeats(10.0)
        for n, text in enumerate("aabc", 1):
            written(under_test, entry(n, message=text))
        assert told(under_test.due(0.0)) == [("a", 1, 2, 2)]
        assert written(under_test, entry(9, message="a"))

    def test_so_do_they_when_their_entries_take_too_much_memory(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(repeats, "_MAX_BYTES", 1500)
        under_test = Repeats(10.0)
        for n, text in enumerate("aabb", 1):
            written(under_test, entry(n, message=text, size=1000))
        assert told(under_test.due(0.0)) == [("a", 1, 2, 2)]
        assert told(under_test.close_all()) == [("b", 1, 4, 4)]
        assert under_test._bytes == 0


def test_threads_out_of_order_make_no_negative_time_and_the_right_range():
    run = Run(entry(10, seconds=5.0), closes_at=0.0)
    run.add(entry(12, seconds=4.0))
    run.add(entry(11, seconds=3.0))
    assert (run.first_seq, run.last_seq, run.seconds, run.count) == (11, 12, 0.0, 2)
