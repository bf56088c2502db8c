"""Each type of rule: when it fires, when it repeats, when it is over."""

import logging
import math
from typing import Any, ClassVar

import pytest
from support.alerting import engine_of, entry, journal_stats, sink_stats, stats_of

from metaexpert.logger.alerts.alert import OTHERS, Alert, AlertState
from metaexpert.logger.alerts.engine import Engine
from metaexpert.logger.entry import ALERT, AUDIT, TRADE
from metaexpert.logger.measuring import meters
from metaexpert.logger.retry import SinkState
from metaexpert.logger.stats import NO_STATS, RuntimeStats

FIRING, REPEATED, RESOLVED = AlertState.FIRING, AlertState.REPEATED, AlertState.RESOLVED


def said(engine: Engine) -> list[tuple[Any, ...]]:
    """What was said since the last time: the state, and the values of the group."""
    return [(alert.state, *(value for _, value in alert.group)) for alert in engine.take()]


def tick(engine: Engine, now: float, stats: RuntimeStats = NO_STATS) -> list[tuple[Any, ...]]:
    engine.tick(now, stats)
    return said(engine)


class TestEntry:
    def test_fires_once_and_is_over_when_none_came_for_a_while(self):
        engine = engine_of({"type": "entry", "resolve_after": 60, "repeat_every": 0})
        engine.look(entry("first"), 0.0)
        engine.look(entry("second"), 10.0)
        (alert,) = engine.take()
        assert (alert.state, alert.text, alert.count) == (FIRING, "first", 1)
        assert tick(engine, 69.9) == []
        engine.tick(70.0, NO_STATS)
        (over,) = engine.take()
        assert (over.state, over.count, over.seconds) == (RESOLVED, 2, 70.0)
        assert over.text == "no such entry for 60 s; it was: second"

    def test_says_it_again_at_its_interval_while_it_goes_on(self):
        engine = engine_of({"type": "entry", "resolve_after": 100, "repeat_every": "30s"})
        for at in (0.0, 29.0):
            engine.look(entry(), at)
        assert said(engine) == [(FIRING,)]
        assert [tick(engine, at) for at in (29.9, 30.0, 59.9, 60.0)] == [[], [(REPEATED,)], [], [(REPEATED,)]]

    @pytest.mark.parametrize(
        ("rule", "no", "yes"),
        [
            ({"level": "CRITICAL"}, {}, {"level": logging.CRITICAL}),
            ({"log_types": ["audit"]}, {}, {"log_type": AUDIT}),
            ({"loggers": ["app.risk"]}, {"logger": "app.risky"}, {"logger": "app.risk.x"}),
            ({"fields": [{"name": "venue", "equals": "okx"}]}, {"venue": "bybit"}, {"venue": "okx"}),
            ({"messages": ["mar.in"]}, {"message": "fine"}, {"message": "a margin call"}),
        ],
    )
    def test_is_about_the_entries_its_conditions_name(self, rule: Any, no: Any, yes: Any):
        engine = engine_of({"type": "entry", **rule})
        engine.look(entry(**no), 0.0)
        assert said(engine) == []
        engine.look(entry(**yes), 0.0)
        assert said(engine) == [(FIRING,)]

    def test_nothing_is_an_alert_that_has_not_held_for_long_enough(self):
        engine = engine_of({"type": "entry", "for_at_least": 20, "resolve_after": 15})
        engine.look(entry(), 0.0)
        assert tick(engine, 14.0) == tick(engine, 16.0) == []
        for at in (30.0, 40.0):
            engine.look(entry(), at)
        assert said(engine) == []
        assert tick(engine, 49.9) == []
        assert tick(engine, 50.0) == [(FIRING,)]

    def test_tells_groups_apart_and_lumps_together_those_beyond_its_bound(self):
        engine = engine_of({"type": "entry", "group_by": ["symbol", "logger"], "max_groups": 2})
        for symbol in ("BTC", "ETH", "BTC", "SOL", "XRP"):
            engine.look(entry(symbol=symbol), 0.0)
        assert said(engine) == [(FIRING, "BTC", "app"), (FIRING, "ETH", "app"), (FIRING, OTHERS[0][1])]

    def test_never_looks_at_what_alerts_themselves_say(self):
        engine = engine_of({"type": "entry", "level": "DEBUG"})
        assert not engine.wants(logging.CRITICAL, ALERT)
        engine.look(entry(log_type=ALERT), 0.0)
        assert said(engine) == []

    def test_wants_nothing_it_has_no_rule_for(self):
        engine = engine_of({"type": "entry", "level": "ERROR"}, {"type": "sink_down"})
        assert engine.wants(logging.ERROR, "general")
        assert not engine.wants(logging.WARNING, "general")

    def test_a_rule_without_resolved_tells_no_target_of_the_end(self):
        engine = engine_of({"type": "entry", "resolved": False, "resolve_after": 1})
        engine.look(entry(), 0.0)
        engine.tick(5.0, NO_STATS)
        assert [alert.targets for alert in engine.take()] == [None, ()]


class TestRate:
    RULE: ClassVar = {"type": "rate", "count": 3, "within": 10, "resolve_below": 2}

    def test_fires_at_so_many_within_the_time_and_is_over_below_the_lower_number(self):
        engine = engine_of(self.RULE)
        for at in (0.0, 5.0, 10.1):  # the first is out of the window
            engine.look(entry(), at)
        assert said(engine) == []
        engine.look(entry(), 14.0)
        assert said(engine) == [(FIRING,)]
        assert tick(engine, 20.0) == []  # two left
        assert tick(engine, 20.2) == [(RESOLVED,)]

    def test_a_burst_is_one_alert_that_counts_the_rest(self):
        engine = engine_of(self.RULE)
        for at in range(50):
            engine.look(entry(), at / 100)
        engine.tick(11.0, NO_STATS)
        fired, over = engine.take()
        assert (fired.state, over.state) == (FIRING, RESOLVED)
        assert engine.stats()["rate"].suppressed == 47
        assert over.count == 48  # those from the third on

    def test_entries_out_of_order_count_no_longer_than_the_window(self):
        engine = engine_of(self.RULE)
        for at in (9.0, 1.0, 2.0):
            engine.look(entry(), at)
        assert said(engine) == [(FIRING,)]
        assert tick(engine, 19.1) == [(RESOLVED,)]


class TestErrorRate:
    RULE: ClassVar = {"type": "error_rate", "above": 0.1, "resolve_at": 0.05, "within": 20, "least_entries": 10}

    def test_fires_above_the_share_and_is_over_at_the_lower_one(self):
        engine = engine_of(self.RULE)
        for _ in range(9):
            engine.look(entry(level=logging.INFO), 0.0)
        engine.look(entry(), 0.5)
        assert said(engine) == []  # a tenth is not above a tenth
        engine.look(entry(), 1.0)
        (alert,) = engine.take()
        assert (alert.value, alert.limit) == (2 / 11, 0.1)
        for _ in range(20):
            engine.look(entry(level=logging.INFO), 1.5)
        assert tick(engine, 2.0) == []  # 2 of 31: between both limits
        for _ in range(20):
            engine.look(entry(level=logging.INFO), 2.5)
        assert tick(engine, 3.0) == [(RESOLVED,)]

    def test_a_few_entries_say_nothing(self):
        engine = engine_of(self.RULE)
        for _ in range(9):
            engine.look(entry(), 0.0)
        assert tick(engine, 1.0) == []

    def test_is_over_when_there_are_no_entries_any_longer(self):
        engine = engine_of(self.RULE)
        for _ in range(10):
            engine.look(entry(), 0.0)
        assert said(engine) == [(FIRING,)]
        assert tick(engine, 50.0) == [(RESOLVED,)]


class TestThreshold:
    def test_a_number_in_entries_has_hysteresis(self):
        engine = engine_of(
            {"type": "threshold", "field": "latency_ms", "above": 100, "resolve_at": 80, "group_by": ["venue"]}
        )
        for value in (100, "100.5", 90, 101.0, 80):
            engine.look(entry(level=logging.INFO, latency_ms=value, venue="okx"), 0.0)
        assert said(engine) == [(FIRING, "okx"), (RESOLVED, "okx")]

    def test_below_is_the_other_side(self):
        engine = engine_of({"type": "threshold", "field": "balance.free", "below": 10, "resolve_at": 20})
        for value in (9, 15, 20, 9):
            engine.look(entry(balance={"free": value}), 0.0)
        assert said(engine) == [(FIRING,), (RESOLVED,), (FIRING,)]

    @pytest.mark.parametrize("value", [None, True, "fast", math.nan, [5]])
    def test_what_is_no_number_says_nothing(self, value: object):
        engine = engine_of({"type": "threshold", "field": "latency_ms", "above": 0})
        engine.look(entry(latency_ms=value), 0.0)
        assert said(engine) == []

    def test_a_figure_of_sinks_is_one_group_a_sink(self):
        engine = engine_of({"type": "threshold", "figure": "sinks.*.queued_entries", "above": 10, "repeat_every": 0})
        high, low = sink_stats("loki", queued_entries=11), sink_stats("file")
        assert tick(engine, 0.0, stats_of(high, low)) == [(FIRING, "loki")]
        assert tick(engine, 1.0, stats_of(low)) == [(RESOLVED, "loki")]

    def test_a_gauge_and_a_counter_are_meters(self):
        meters.gauge("alerts-test-gauge").set(5.5)
        meters.counter("alerts-test-counter").add(7)
        engine = engine_of(
            {"type": "threshold", "name": "gauge", "meter": "alerts-test-gauge", "above": 5},
            {"type": "threshold", "name": "counter", "meter": "alerts-test-counter", "above": 7},
            {"type": "threshold", "name": "nobody's", "meter": "alerts-test-nothing", "below": 7},
        )
        engine.tick(0.0, NO_STATS)
        assert [alert.rule for alert in engine.take()] == ["gauge"]


class TestSilence:
    def test_fires_when_nothing_came_since_the_start_and_is_over_with_the_next(self):
        engine = engine_of({"type": "silence", "within": 10, "messages": ["heartbeat"], "repeat_every": 0})
        assert tick(engine, 0.0) == tick(engine, 10.0) == []
        engine.look(entry("other"), 10.0)
        assert tick(engine, 10.1) == [(FIRING,)]
        engine.look(entry("heartbeat", logging.DEBUG), 12.0)
        assert said(engine) == [(RESOLVED,)]
        assert tick(engine, 22.0) == []
        assert tick(engine, 22.1) == [(FIRING,)]

    def test_a_group_is_missed_once_it_was_seen(self):
        engine = engine_of({"type": "silence", "within": 10, "group_by": ["symbol"]})
        engine.look(entry(symbol="BTC"), 0.0)
        engine.look(entry(symbol="ETH"), 5.0)
        assert tick(engine, 11.0) == [(FIRING, "BTC")]
        engine.look(entry(symbol="ETH"), 12.0)
        engine.look(entry(symbol="BTC"), 12.0)
        assert said(engine) == [(RESOLVED, "BTC")]

    def test_a_meter_has_to_move(self):
        engine = engine_of({"type": "silence", "within": 10, "meter": "alerts-test-data", "repeat_every": 0})
        assert tick(engine, 0.0) == []
        meters.timer("alerts-test-data").record(0.1)
        assert tick(engine, 9.0) == tick(engine, 19.0) == []
        assert tick(engine, 19.1) == [(FIRING,)]
        meters.timer("alerts-test-data").record(0.1)
        assert tick(engine, 20.0) == [(RESOLVED,)]


class TestSinkDown:
    def test_fires_when_it_lasts_and_is_over_when_the_sink_works_again(self):
        engine = engine_of({"type": "sink_down", "for_at_least": 30, "sinks": ["loki"]})
        down = stats_of(sink_stats("loki", SinkState.FAILED, last_error="refused"), sink_stats("x", SinkState.FAILED))
        assert tick(engine, 0.0, down) == tick(engine, 29.0, down) == []
        engine.tick(30.0, down)
        (alert,) = engine.take()
        assert alert.text == "sink loki is failed: refused"
        assert tick(engine, 31.0, stats_of(sink_stats("loki"))) == [(RESOLVED, "loki")]

    def test_a_short_trouble_is_none(self):
        engine = engine_of({"type": "sink_down", "for_at_least": 30})
        for at in range(0, 100, 10):
            state = SinkState.DEGRADED if at % 20 else SinkState.ACTIVE
            assert tick(engine, at, stats_of(sink_stats("loki", state))) == []

    def test_a_stopped_sink_is_not_down(self):
        engine = engine_of({"type": "sink_down", "for_at_least": 0})
        assert tick(engine, 0.0, stats_of(sink_stats("loki", SinkState.STOPPED))) == []


class TestDrops:
    def test_what_was_lost_before_the_rule_is_none_of_its_business(self):
        engine = engine_of({"type": "drops", "count": 10, "within": 60})
        lossy = [sink_stats("a", dropped={("INFO", "queue full"): count}) for count in (500, 509, 510)]
        assert tick(engine, 0.0, stats_of(lossy[0])) == tick(engine, 1.0, stats_of(lossy[1])) == []
        assert tick(engine, 2.0, stats_of(lossy[2])) == [(FIRING, "a")]
        assert tick(engine, 70.0, stats_of(lossy[2])) == [(RESOLVED, "a")]

    def test_rejected_entries_and_those_lost_on_the_way_in_count_too(self):
        engine = engine_of({"type": "drops"})
        tick(engine, 0.0, stats_of(sink_stats("a")))
        ingress = stats_of().ingress.__class__(0, 0, 0, {("INFO", "full"): 3}, 0)
        found = tick(engine, 1.0, stats_of(sink_stats("a", rejected=1), ingress=ingress))
        assert sorted(found) == [(FIRING, "a"), (FIRING, "ingress")]

    def test_only_the_named_sinks_count(self):
        engine = engine_of({"type": "drops", "sinks": ["b"]})
        tick(engine, 0.0, stats_of(sink_stats("a")))
        assert tick(engine, 1.0, stats_of(sink_stats("a", rejected=1))) == []


class TestAuditFailure:
    def test_fires_on_a_failure_and_is_over_when_none_came_for_a_while(self):
        engine = engine_of({"type": "audit_failure", "resolve_after": 60, "repeat_every": 0})
        assert tick(engine, 0.0, stats_of(journal=journal_stats())) == []
        failed = stats_of(journal=journal_stats(failures=2, last_error="no space left"))
        engine.tick(1.0, failed)
        (alert,) = engine.take()
        assert (alert.severity, alert.count) == ("critical", 2)
        assert alert.text == "2 failures to make protected entries safe; no space left"
        assert tick(engine, 60.0, failed) == []
        assert tick(engine, 61.0, failed) == [(RESOLVED,)]

    def test_a_journal_in_trouble_and_none_at_all_are_failures(self):
        engine = engine_of({"type": "audit_failure", "resolve_after": 1})
        degraded = stats_of(journal=journal_stats(state=SinkState.DEGRADED))
        assert tick(engine, 0.0, degraded) == [(FIRING,)]
        assert tick(engine, 1.0, stats_of(journal=journal_stats())) == [(RESOLVED,)]
        assert tick(engine, 2.0) == [(FIRING,)]


def test_a_trades_own_fields_group_and_count_as_fields_do():
    engine = engine_of(
        {"type": "threshold", "field": "fee", "above": 1, "group_by": ["symbol"], "log_types": ["trade"]}
    )
    made = list(entry(log_type=TRADE))
    made[12] = (b"", b"", b'{"symbol":"BTC","fee":"1.5"}')
    engine.look(tuple(made), 0.0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert said(engine) == [(FIRING, "BTC")]


def test_the_fingerprint_of_an_exception_groups():
    engine = engine_of({"type": "entry", "group_by": ["fingerprint"]})
    made = list(entry())
    made[12] = (b'{"type":"ValueError","fingerprint":"abc"}', b"", b"")
    engine.look(tuple(made), 0.0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert said(engine) == [(FIRING, "abc")]


def test_a_rule_that_is_retired_ends_what_it_said():
    engine = engine_of({"type": "entry"})
    engine.look(entry(), 0.0)
    engine.take()
    (over,) = engine.retire({}, 5.0)
    assert isinstance(over, Alert)
    assert (over.state, over.seconds) == (RESOLVED, 5.0)
    assert engine.stats()["entry"].state == "quiet"


class TestStorms:
    """A hundred thousand entries a second that all match, of as many groups, cost bounded room and few words."""

    @pytest.mark.parametrize(
        "rule",
        [
            {"type": "entry"},
            {"type": "rate", "count": 2, "within": 60},
            {"type": "error_rate", "above": 0.1, "within": 60, "least_entries": 1},
            {"type": "threshold", "field": "n", "above": -1},
        ],
        ids=lambda rule: rule["type"],
    )
    def test_groups_beyond_the_bound_are_one(self, rule: dict[str, Any]):
        engine = engine_of({"max_groups": 10, "group_by": ["n"], **rule})
        for number in range(2000):
            engine.look(entry(n=number), number / 100_000)
            engine.look(entry(n=number), number / 100_000)
        stats = engine.stats()[rule["type"]]
        assert stats.firing[-1] == OTHERS
        assert len(stats.firing) == stats.fired == len(engine.take()) == 11
        assert stats.suppressed >= 1900

    def test_a_figure_that_goes_to_and_fro_makes_few_words_and_ends_where_it_stands(self):
        engine = engine_of({"type": "threshold", "field": "n", "above": 0})
        for number in range(2001):
            engine.look(entry(n=number % 2), number / 100_000)
        said_first = engine.take()
        assert len(said_first) <= 22
        assert said_first[-1].state == FIRING
        engine.tick(1.0, stats_of())
        (over,) = engine.take()
        assert (over.state, over.at) == (RESOLVED, pytest.approx(0.02))
        assert engine.stats()["threshold"].state == "quiet"

    def test_what_holds_again_before_the_tick_goes_on(self):
        engine = engine_of({"type": "threshold", "field": "n", "above": 0})
        for number in range(2000):
            engine.look(entry(n=number % 2), number / 100_000)
        engine.take()
        engine.tick(1.0, stats_of())
        assert engine.take() == []
        assert engine.stats()["threshold"].state == "firing"
        engine.look(entry(n=0), 5.0)
        assert [each.state for each in engine.take()] == [RESOLVED]
