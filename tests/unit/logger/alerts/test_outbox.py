"""What waits for a target: bounded, one word for each alert, grouped and limited in rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.alerting import message_of

from metaexpert.logger.alerts.alert import Alert, AlertState, Severity
from metaexpert.logger.alerts.message import Message, Word
from metaexpert.logger.alerts.outbox import Outbox


def word(rule: str = "r", state: AlertState = AlertState.FIRING, severity: Severity = Severity.ERROR) -> Word:
    alert = Alert(rule=rule, severity=severity, state=state, group=(), text="t", count=1, since=0.0, at=0.0)
    return Word(alert, 0, 0)


def compose(words: tuple[Word, ...], rest: tuple[Word, ...], shed: int) -> Message:
    return message_of(*words, rest=rest, shed=shed)


def outbox(**limits: float) -> Outbox:
    return Outbox(**{"group_seconds": 1.0, "per_minute": 2, "max_alerts": 2, "max_pending": 5} | limits)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_word_waits_for_company():
    box = outbox()
    assert box.due_in(0.0) is None
    box.put(word("a"), 10.0)
    box.put(word("b"), 10.9)
    assert box.due_in(10.9) == pytest.approx(0.1)
    assert [each.alert.rule for each in box.compose(compose).words] == ["a", "b"]


def test_a_newer_word_about_the_same_takes_the_place_of_one_not_sent():
    box = outbox()
    box.put(word("a"), 0.0)
    over = word("a", AlertState.RESOLVED)
    box.put(over, 5.0)
    assert box.compose(compose).words == (over,)
    assert box.merged == 1


def test_the_gravest_come_first_and_the_rest_is_counted():
    box = outbox()
    for name, severity in (
        ("a", Severity.INFO),
        ("b", Severity.CRITICAL),
        ("c", Severity.ERROR),
        ("d", Severity.ERROR),
    ):
        box.put(word(name, severity=severity), 0.0)
    message = box.compose(compose)
    assert [each.alert.rule for each in message.words] == ["b", "c"]
    assert message.more == {"d": 1, "a": 1}


def test_no_more_messages_a_minute_than_allowed():
    box = outbox()
    for at in (0.0, 10.0):
        box.put(word(), at)
        box.settled(box.compose(compose), at)
    box.put(word(), 20.0)
    assert box.due_in(30.0) == pytest.approx(30.0)  # the first of two is a minute ago then
    assert box.due_in(60.0) == 0.0


def test_the_oldest_give_way_and_the_next_message_says_how_many():
    box = outbox()
    for name in "abcdefg":
        box.put(word(name), 0.0)
    message = box.compose(compose)
    assert (message.shed, box.shed_total, len(box)) == (2, 2, 5)
    box.settled(message, 1.0)
    assert (box.shed, box.shed_total, len(box)) == (0, 2, 0)


def test_what_came_while_a_message_was_under_way_waits_on():
    box = outbox()
    box.put(word("a"), 0.0)
    message = box.compose(compose)
    newer = word("a", AlertState.RESOLVED)
    box.put(newer, 1.0)
    box.settled(message, 2.0)
    assert box.compose(compose).words == (newer,)


def test_another_outbox_goes_on_with_what_waits_within_its_own_bounds():
    box, other = outbox(max_pending=1), outbox()
    for name in "abc":
        other.put(word(name), 0.0)
    box.take_over(other)
    assert [each.alert.rule for each in box.compose(compose).words] == ["c"]
    assert box.shed == 2


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["put", "send", "fail"]))))
def test_every_alert_is_sent_merged_or_shed_and_none_twice(steps: list[tuple[str, str]]):
    box, put, sent, now = outbox(per_minute=1000), 0, 0, 0.0
    for rule, what in steps:
        now += 1.0
        if what == "put":
            box.put(word(rule), now)
            put += 1
        elif len(box):
            message = box.compose(compose)
            if what == "send":
                box.settled(message, now)
                sent += message.alerts
        assert put == sent + box.merged + box.shed_total + len(box)
        assert len(box) <= 5


def word_about(rule: str, number: int) -> Word:
    alert = Alert(
        rule=rule, severity=Severity.ERROR, state=AlertState.FIRING, group=(("n", str(number)),), text="t", count=1,
        since=0.0, at=0.0,
    )  # fmt: skip
    return Word(alert, 0, 0)


def test_a_rule_that_says_much_neither_sheds_nor_hides_what_another_says():
    box = outbox(max_alerts=3)
    box.put(word_about("quiet", 0), 0.0)
    for number in range(100):
        box.put(word_about("noisy", number), 0.0)
    box.put(word_about("late", 0), 0.0)
    message = box.compose(compose)
    assert [each.alert.rule for each in message.words] == ["quiet", "noisy", "late"]
    assert message.more == {"noisy": 2}
    assert box.shed_total == 97
