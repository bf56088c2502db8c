"""One sink's sieve: kept and counted are what came in, order stays, and what was held back is said."""

import logging
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_sinks import capture

from metaexpert.logger.entry import AUDIT, GAP, TRADE, Capture, Lane, LogEntry
from metaexpert.logger.filters import EntryFilter
from metaexpert.logger.ledger import Ledger
from metaexpert.logger.rate_limit import RateLimit
from metaexpert.logger.repeats import Repeats
from metaexpert.logger.sieve import Sampling, Scope, Sieve

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class Sieved:
    """A sieve with a clock set by hand."""

    def __init__(self, **parts: Any) -> None:
        self.ledger = Ledger()
        self.now = 0.0
        self.sieve = Sieve("tested", self.ledger, lambda: self.now, **parts)

    def kept(self, *entries: Capture) -> list[int]:
        """Numbers of the entries kept, offered one by one."""
        found: list[Capture] = []
        for entry in entries:
            self.sieve.offer([entry])
            found += self.sieve.kept()
        return [one[0] for one in found]

    @property
    def left_out(self) -> int:
        ledger = self.ledger
        return ledger.filtered + ledger.sampled + ledger.limited.total() + ledger.repeated


def everything_at_once(*, up_to: int = logging.CRITICAL) -> dict[str, Any]:
    scope = Scope(up_to)
    return {
        "takes": EntryFilter(exclude_messages=("^m[0-3]$",)),
        "sampling": (scope, Sampling(0.5)),
        "repeats": (scope, Repeats(5.0)),
        "limit": (scope, RateLimit(2.0, 5, "sink")),
    }


class TestAccounts:
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 9), st.sampled_from([10, 20, 30, 40, 50]), st.sampled_from(["general", "trade", "error"])
            ),
            max_size=200,
        )
    )
    def test_kept_and_left_out_are_what_came_in_and_order_stays(self, made: list[tuple[int, int, str]]):
        under_test = Sieved(**everything_at_once())
        entries = [
            capture(seq, level, log_type, message=f"m{text}", time_ns=START + seq * SECOND // 10)
            for seq, (text, level, log_type) in enumerate(made, 1)
        ]
        kept = under_test.kept(*entries)
        assert kept == sorted(kept)
        assert len(kept) + under_test.left_out == len(entries)
        unfiltered = [one[0] for one in entries if one[11] == "trade" and one[4] not in {"m0", "m1", "m2", "m3"}]
        assert set(unfiltered) <= set(kept)

    @pytest.mark.parametrize("log_type", [TRADE, AUDIT, GAP])
    def test_trade_audit_and_gap_entries_are_never_thinned_out(self, log_type: str):
        scope = Scope(logging.CRITICAL)
        under_test = Sieved(
            sampling=(scope, Sampling(0.0)),
            repeats=(scope, Repeats(10.0)),
            limit=(scope, RateLimit(0.001, 1, "sink")),
        )
        entries = [capture(seq, 20, log_type, message="same", time_ns=START) for seq in range(1, 50)]
        assert under_test.kept(*entries) == list(range(1, 50))
        assert under_test.left_out == 0

    def test_a_filter_holds_for_trade_entries_and_gaps_pass_it(self):
        under_test = Sieved(takes=EntryFilter(include_messages=("wanted",)))
        entries = [capture(seq, 20, kind, message="no") for seq, kind in enumerate([TRADE, AUDIT, GAP, "general"], 1)]
        assert under_test.kept(*entries) == [3]
        assert under_test.ledger.filtered == 3

    def test_it_decides_in_the_order_of_the_calls_whatever_lane_comes_first(self):
        under_test = Sieved(limit=(Scope(logging.WARNING), RateLimit(0.001, 3, "sink")))
        entries = [capture(seq, (20, 30)[seq % 2], time_ns=START + seq) for seq in range(1, 9)]
        under_test.sieve.offer(entries[1::2])
        under_test.sieve.offer(entries[::2])
        assert [one[0] for one in under_test.sieve.kept()] == [1, 2, 3]
        assert under_test.sieve.kept() == []


class TestScope:
    def test_level_log_type_and_logger_bound_it(self):
        scope = Scope(logging.INFO, ("general",), ("made",))
        assert capture(1, logging.INFO) in scope
        assert capture(1, logging.WARNING) not in scope
        assert capture(1, logging.INFO, "error") not in scope
        assert capture(1, logging.INFO) not in Scope(logging.INFO, loggers=("mad",))


class TestSampling:
    def test_the_same_entries_are_taken_by_each_sink_and_each_time(self):
        entries = [capture(seq) for seq in range(1, 1000)]
        one, other = (Sieved(sampling=(Scope(logging.INFO), Sampling(0.3))) for _ in range(2))
        assert one.kept(*entries) == other.kept(*reversed(entries))[::-1] == one.kept(*entries)

    @pytest.mark.parametrize("rate", [0.0, 0.01, 0.25, 0.9, 1.0])
    def test_the_share_is_the_rate(self, rate: float):
        count = 20_000
        taken = sum(Sampling(rate).takes(capture(seq)) for seq in range(count))
        assert abs(taken - rate * count) <= 4 * math.sqrt(count * rate * (1 - rate))

    def test_what_a_low_rate_takes_a_higher_one_takes_too(self):
        entries = [capture(seq) for seq in range(2000)]
        few, more = ({one[0] for one in entries if Sampling(rate).takes(one)} for rate in (0.1, 0.4))
        assert few < more

    def test_every_nth_call_is_sampled_as_fairly(self):
        for step in (2, 10, 89, 1024):
            taken = sum(Sampling(0.1).takes(capture(seq)) for seq in range(0, step * 4000, step))
            assert abs(taken - 400) <= 80, step

    def test_levels_above_are_all_kept(self):
        under_test = Sieved(sampling=(Scope(logging.INFO), Sampling(0.0)))
        entries = [capture(seq, level) for seq, level in enumerate([10, 20, 30, 40, 50], 1)]
        assert under_test.kept(*entries) == [3, 4, 5]
        assert under_test.ledger.sampled == 2


class TestRateLimit:
    def limited(self, **more: Any) -> Sieved:
        return Sieved(limit=(Scope(logging.WARNING), RateLimit(1.0, 2, "sink")), **more)

    def test_what_is_held_back_is_counted_by_level_and_said_once_in_an_interval(self):
        under_test = self.limited(report_seconds=10.0)
        under_test.now = 100.0
        entries = [capture(seq, level, time_ns=START + seq) for seq, level in enumerate([20, 20, 20, 30, 10], 1)]
        assert under_test.kept(*entries) == [1, 2]
        assert under_test.ledger.limited == {"INFO": 1, "WARNING": 1, "DEBUG": 1}
        assert under_test.sieve.due(109.9, has_room=True) == []
        assert under_test.sieve.due_in(105.0, has_room=True) == pytest.approx(5.0)
        (gap,) = under_test.sieve.due(110.0, has_room=True)
        told = LogEntry(gap)
        assert told.message == ("held back 3 entries: 1 WARNING, 1 INFO, 1 DEBUG, within seq 3-5, 0.0 s, rate limit")
        assert (told.log_type, told.level, told.extra()["held_back"]) == (GAP, logging.WARNING, 3)
        assert under_test.sieve.due(200.0, has_room=True) == []
        assert under_test.sieve.due_in(200.0, has_room=True) is None

    def test_a_sink_without_room_is_told_later(self):
        under_test = self.limited(report_seconds=1.0)
        under_test.kept(*[capture(seq, time_ns=START) for seq in range(5)])
        assert under_test.sieve.due(50.0, has_room=False) == []
        assert under_test.sieve.due_in(50.0, has_room=False) is None
        assert len(under_test.sieve.due(50.0, has_room=True)) == 1

    def test_a_flush_says_it_at_once(self):
        under_test = self.limited(report_seconds=1000.0)
        under_test.kept(*[capture(seq, time_ns=START) for seq in range(5)])
        assert len(under_test.sieve.all_due()) == 1
        assert under_test.sieve.all_due() == []

    def test_errors_pass_by_default_without_taking_a_token(self):
        under_test = self.limited()
        entries = [capture(seq, 40 if seq % 2 else 20, time_ns=START) for seq in range(8)]
        assert under_test.kept(*entries) == [0, 1, 2, 3, 5, 7]


class TestRepeats:
    def repeating(self, **more: Any) -> Sieved:
        return Sieved(repeats=(Scope(logging.CRITICAL), Repeats(10.0)), **more)

    def same(self, *seqs: int) -> list[Capture]:
        template = capture(0, logging.ERROR, message="same", time_ns=START)
        return [(seq, START + seq * SECOND, *template[2:]) for seq in seqs]

    def test_the_summary_stands_for_the_repetitions(self):
        under_test = self.repeating()
        assert under_test.kept(*self.same(1, 2, 3, 4)) == [1]
        (summary,) = under_test.sieve.due(10.0, has_room=False)
        told = LogEntry(summary)
        assert told.message == "message repeated 3 times in 3.0 s: [same]"
        assert told.extra() == {"count": 3, "first_seq": 2, "last_seq": 4, "seconds": 3.0}
        assert (told.level, told.logger, told.log_type, told.lane) == (logging.ERROR, "made", "general", Lane.ERROR)
        assert summary[5:7] == self.same(1)[0][5:7]
        assert under_test.ledger.repeated == 3

    def test_a_single_repetition_is_one_time_and_a_long_message_is_cut(self):
        under_test = self.repeating()
        template = capture(0, message="x" * 1000, time_ns=START)
        under_test.kept(*[(seq, *template[1:]) for seq in (1, 2)])
        (summary,) = under_test.sieve.all_due()
        assert summary[4] == f"message repeated 1 time in 0.0 s: [{'x' * 200}…]"

    def test_repetitions_take_no_token_and_an_entry_over_the_limit_begins_no_run(self):
        under_test = self.repeating(limit=(Scope(logging.CRITICAL), RateLimit(0.001, 1, "sink")))
        first, other = self.same(1, 2, 3), capture(4, message="other", time_ns=START)
        assert under_test.kept(*first, other, other) == [1]
        assert (under_test.ledger.repeated, under_test.ledger.limited.total()) == (2, 2)

    def test_what_sampling_leaves_out_is_not_counted_as_repeated(self):
        scope = Scope(logging.CRITICAL)
        under_test = self.repeating(sampling=(scope, Sampling(0.5)))
        kept = under_test.kept(*self.same(*range(1, 9)))
        assert len(kept) == 1
        assert under_test.ledger.sampled + under_test.ledger.repeated == 7
        assert under_test.ledger.sampled == sum(not Sampling(0.5).takes(one) for one in self.same(*range(1, 9)))


def test_fields_of_what_it_says_are_json():
    under_test = Sieved(repeats=(Scope(50), Repeats(1.0)))
    template = capture(0, message='quoted " \\ \n \udc80', time_ns=START)
    under_test.kept(*[(seq, *template[1:]) for seq in (1, 2)])
    (summary,) = under_test.sieve.all_due()
    assert orjson.loads(b"{%b}" % summary[7])["count"] == 1
