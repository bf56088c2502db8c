"""What a message says, in words and in JSON."""

from support.alerting import message_of

from metaexpert.logger.alerts.alert import Alert, AlertState, Severity
from metaexpert.logger.alerts.message import Message, Word, as_json, duration, lines, subject, text

SINCE_NS = 1_764_000_000_000_000_000


def word(rule: str = "errors", state: AlertState = AlertState.FIRING, **more: object) -> Word:
    values: dict[str, object] = {
        "rule": rule, "severity": Severity.CRITICAL, "state": state, "group": (("symbol", "BTC"),), "text": "boom",
        "count": 3, "since": 0.0, "at": 95.0,
    }  # fmt: skip
    return Word(Alert(**values | more), SINCE_NS, SINCE_NS + 95_000_000_000)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def said(message: Message) -> str:
    return "\n".join(lines(message))


def test_one_that_fires():
    message = message_of(word(note="call the desk\nthen the broker"))
    assert subject(message) == "[FIRING] desk: errors (symbol=BTC)"
    assert text(message) == (
        "desk: FIRING critical errors (symbol=BTC): boom\n"
        "  since 2025-11-24T16:00:00Z, seen 3 times\n"
        "  call the desk\n"
        "  then the broker"
    )


def test_one_that_is_over_says_how_long_it_lasted_and_how_often_it_was_seen():
    message = message_of(word(state=AlertState.RESOLVED))
    assert text(message) == ("desk: RESOLVED critical errors (symbol=BTC): boom; lasted 1 min 35 s, seen 3 times")
    assert as_json(message)["status"] == "resolved"


def test_several_and_those_only_counted():
    message = message_of(word("a"), word("b", AlertState.RESOLVED), rest=(word("c"), word("c"), word("d")), shed=12)
    assert subject(message) == "[4 firing, 1 resolved] desk: a, b, …"
    assert said(message).endswith(
        "and 3 more: c 2, d 1\n12 older alerts gave way before they could be sent; the log has them"
    )
    document = as_json(message)
    assert (document["more"], document["shed"], document["status"]) == ({"c": 2, "d": 1}, 12, "firing")
    assert [alert["rule"] for alert in document["alerts"]] == ["a", "b"]


def test_a_test_says_that_it_is_one():
    message = message_of(word(), is_test=True)
    assert subject(message).startswith("[TEST FIRING]")
    assert text(message).startswith("TEST desk: ")
    assert as_json(message)["test"] is True


def test_what_users_log_cannot_break_out_of_its_line():
    message = message_of(word(text="a\r\nBcc: all\x1b[2J\u202e", group=(("symbol", "x\ny"),)))
    for shown in (subject(message), *lines(message)):
        assert shown.isprintable()
    assert "a\\r\\nBcc: all\\x1b[2J\\u202e" in text(message)


def test_the_key_joins_what_belongs_together():
    fired, over, other = word(), word(state=AlertState.RESOLVED), word(group=(("symbol", "ETH"),))
    assert fired.alert.key == over.alert.key != other.alert.key


def test_durations_are_as_people_say_them():
    assert [duration(seconds) for seconds in (0.04, 59.9, 61, 3600, 7325)] == [
        "0.0 s",
        "59.9 s",
        "1 min 01 s",
        "1 h 00 min",
        "2 h 02 min",
    ]
