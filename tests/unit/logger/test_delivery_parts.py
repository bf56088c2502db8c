"""The parts delivery is built of: ledger, outcomes, batches, backoff and health."""

import copy
import dataclasses
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import SEQ, Capture, Lane
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Rejection, Retry
from metaexpert.logger.retry import Backoff, Health, SinkState, parse_retry_after

type Make = Callable[..., Capture]

COUNTS = st.integers(0, 10**9)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class TestLedger:
    @given(
        delivered=COUNTS, duplicate=COUNTS, rejected=COUNTS, dropped=st.dictionaries(st.text(), COUNTS), flying=COUNTS
    )
    def test_the_identity_holds_exactly_when_every_entry_is_accounted_for(
        self, delivered: int, duplicate: int, rejected: int, dropped: dict[str, int], flying: int
    ):
        ledger = Ledger()
        ledger.delivered, ledger.duplicate, ledger.rejected = delivered, duplicate, rejected
        for reason, count in dropped.items():
            ledger.dropped["INFO", reason] += count
        ledger.routed = delivered + duplicate + rejected + sum(dropped.values()) + flying
        ledger.filtered = ledger.gaps = 5
        assert ledger.snapshot(flying).balanced
        assert not ledger.snapshot(flying + 1).balanced
        ledger.routed += 1
        assert not ledger.snapshot(flying).balanced

    def test_a_snapshot_does_not_change_any_more(self):
        ledger = Ledger()
        ledger.routed = 3
        ledger.dropped["INFO", "queue full"] = 1
        snapshot = ledger.snapshot(2)
        ledger.routed = 9
        ledger.dropped["INFO", "queue full"] = 8
        assert (snapshot.routed, snapshot.in_flight, snapshot.dropped_total) == (3, 2, 1)
        with pytest.raises(TypeError):
            snapshot.dropped["INFO", "queue full"] = 0  # pyright: ignore[reportIndexIssue]
        with pytest.raises(dataclasses.FrozenInstanceError):
            snapshot.routed = 0  # pyright: ignore[reportAttributeAccessIssue]

    def test_lost_is_what_will_not_arrive(self):
        ledger = Ledger()
        ledger.delivered, ledger.duplicate, ledger.rejected = 10, 20, 3
        ledger.dropped.update({("INFO", "queue full"): 4, ("DEBUG", "stopped"): 5})
        assert ledger.lost == 12


class TestOutcomes:
    @pytest.mark.parametrize(
        "outcome",
        [
            Delivered(duplicates=2, warning="slow"),
            Partial(retry=(1,), rejected=(Rejection(0, 400, "bad"),), reason="mixed"),
            Retry(reason="503", after_seconds=2.0, pause=True),
            Rejected(status=413, reason="too large"),
        ],
    )
    def test_are_values(self, outcome: Outcome):
        assert outcome == copy.deepcopy(outcome)
        assert hash(outcome) == hash(copy.deepcopy(outcome))
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(outcome, dataclasses.fields(outcome)[0].name, None)

    def test_without_more_word_nothing_special_happened(self):
        assert (Delivered().duplicates, Delivered().warning) == (0, "")
        assert (Retry("x").after_seconds, Retry("x").pause) == (None, False)
        partial = Partial((), (), "x")
        assert (partial.duplicates, partial.after_seconds, partial.pause) == (0, None, False)


def batch_of(make_entry: Make, *lanes: Lane) -> Batch:
    batch = Batch([], [])
    for seq, lane in enumerate(lanes, 1):
        batch.extend([make_entry(seq, lane)], [b"p%d" % seq])
    return batch


class TestBatch:
    def test_knows_its_size_as_it_grows(self, make_entry: Make):
        batch = Batch([make_entry(1)], [b"abc"])
        batch.extend([make_entry(2), make_entry(3)], [b"de", b"f"])
        assert (len(batch), batch.size_bytes) == (3, 6)
        assert [entry[SEQ] for entry in batch.entries] == [1, 2, 3]
        assert batch.parts == [b"abc", b"de", b"f"]

    def test_a_subset_keeps_entries_and_parts_together(self, make_entry: Make):
        subset = batch_of(make_entry, *[Lane.INFO] * 5).subset([4, 0, 2])
        assert [entry[SEQ] for entry in subset.entries] == [5, 1, 3]
        assert subset.parts == [b"p5", b"p1", b"p3"]
        assert subset.size_bytes == 6

    @given(count=st.integers(2, 40))
    def test_halves_are_all_of_it_in_order_and_neither_is_empty(self, make_entry: Make, count: int):
        batch = batch_of(make_entry, *[Lane.INFO] * count)
        first, second = batch.halves()
        assert first.entries + second.entries == batch.entries
        assert first.parts + second.parts == batch.parts
        assert min(len(first), len(second)) >= 1
        assert abs(len(first) - len(second)) <= 1


class TestBackoff:
    BACKOFF = Backoff(first_seconds=0.5, max_seconds=30.0)

    @pytest.mark.parametrize(
        ("attempt", "ceiling"),
        [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (6, 16.0), (7, 30.0), (50, 30.0), (10**9, 30.0)],
    )
    def test_draws_evenly_from_zero_to_a_ceiling_that_doubles(self, attempt: int, ceiling: float):
        asked: list[tuple[float, float]] = []

        def uniform(low: float, high: float) -> float:
            asked.append((low, high))
            return (low + high) / 2

        assert self.BACKOFF.wait_seconds(attempt, None, uniform) == ceiling / 2
        assert asked == [(0.0, ceiling)]

    @given(st.integers(1, 10**6), st.one_of(st.none(), st.floats(0, 10**9)), st.integers())
    def test_stays_within_its_bounds(self, attempt: int, after_seconds: float | None, seed: int):
        wait = self.BACKOFF.wait_seconds(attempt, after_seconds, random.Random(seed).uniform)
        if after_seconds is None:
            assert 0.0 <= wait <= 30.0
        else:
            assert min(after_seconds, 300.0) <= wait <= min(after_seconds, 300.0) + 1.0

    def test_the_first_ceiling_is_no_higher_than_the_last(self):
        assert Backoff(60.0, 30.0).wait_seconds(1, None, max) == 30.0


class TestRetryAfter:
    def parse(self, value: str | None) -> float | None:
        return parse_retry_after(value, NOW.timestamp)

    @pytest.mark.parametrize(("value", "seconds"), [("0", 0.0), ("120", 120.0), ("  7 ", 7.0), ("0010", 10.0)])
    def test_takes_seconds(self, value: str, seconds: float):
        assert self.parse(value) == seconds

    @pytest.mark.parametrize(("offset", "seconds"), [(90, 90.0), (0, 0.0), (-90, 0.0)])
    def test_takes_dates(self, offset: int, seconds: float):
        moment = NOW + timedelta(seconds=offset)
        assert self.parse(format_datetime(moment, usegmt=True)) == seconds
        assert self.parse(moment.strftime("%A, %d-%b-%y %H:%M:%S GMT")) == seconds
        assert self.parse(moment.strftime("%a, %d %b %Y %H:%M:%S -0000")) == seconds

    @pytest.mark.parametrize(
        "value", [None, "", " ", "soon", "-5", "1.5", "1e3", "٣", "Fri, 99 Foo 2026", "Fri, 31 Feb 2026 00:00:00 GMT"]
    )
    def test_what_cannot_be_read_is_none(self, value: str | None):
        assert self.parse(value) is None

    @given(st.text(max_size=40))
    def test_no_text_raises(self, value: str):
        seconds = self.parse(value)
        assert seconds is None or seconds >= 0.0

    def test_an_absurd_number_is_still_a_bounded_wait(self):
        after_seconds = self.parse("9" * 400)
        assert Backoff().wait_seconds(1, after_seconds, max) <= 301.0


class TestHealth:
    def test_goes_from_active_over_degraded_to_failed(self):
        health = Health(failures_until_failed=3)
        states = [health.state]
        for attempt in range(4):
            health.failed(f"no {attempt}")
            states.append(health.state)
        assert states == ["active", "degraded", "degraded", "failed", "failed"]
        assert (health.failures, health.last_error) == (4, "no 3")

    def test_an_operators_fault_fails_at_once(self):
        health = Health()
        health.failed("401", pause=True)
        assert health.state is SinkState.FAILED

    def test_recovers_while_a_backlog_is_worked_off(self):
        health = Health(failures_until_failed=1)
        health.failed("down")
        health.succeeded(backlog=True)
        assert health.state is SinkState.RECOVERING
        health.succeeded(backlog=True)
        assert health.state is SinkState.RECOVERING
        health.succeeded(backlog=False)
        assert health.state is SinkState.ACTIVE

    def test_without_a_backlog_it_is_active_at_once(self):
        health = Health()
        health.failed("once")
        health.succeeded(backlog=False)
        assert health.state is SinkState.ACTIVE
        assert health.last_error == "once", "what happened last can still be read"

    def test_a_backlog_alone_is_no_recovery(self):
        health = Health()
        health.succeeded(backlog=True)
        assert health.state is SinkState.ACTIVE

    def test_a_success_starts_the_count_anew(self):
        health = Health(failures_until_failed=2)
        for _ in range(5):
            health.failed("x")
            assert health.state is SinkState.DEGRADED
            health.succeeded(backlog=False)
        assert health.failures == 0

    def test_failing_while_recovering_is_degraded_again(self):
        health = Health(failures_until_failed=2)
        health.failed("x")
        health.succeeded(backlog=True)
        health.failed("y")
        assert health.state is SinkState.DEGRADED

    def test_stopped_stays_stopped(self):
        health = Health()
        health.stopped()
        health.succeeded(backlog=False)
        assert health.state is SinkState.STOPPED

    @given(st.lists(st.sampled_from(["ok", "ok with backlog", "fail", "pause"]), max_size=30))
    def test_its_state_tells_the_last_result(self, results: list[str]):
        health = Health(failures_until_failed=3)
        calls: dict[str, Callable[[], Any]] = {
            "ok": lambda: health.succeeded(backlog=False),
            "ok with backlog": lambda: health.succeeded(backlog=True),
            "fail": lambda: health.failed("x"),
            "pause": lambda: health.failed("x", pause=True),
        }
        for result in results:
            calls[result]()
            expected = {
                "ok": {SinkState.ACTIVE},
                "ok with backlog": {SinkState.ACTIVE, SinkState.RECOVERING},
                "fail": {SinkState.DEGRADED, SinkState.FAILED},
                "pause": {SinkState.FAILED},
            }
            assert health.state in expected[result]
