"""What Splunk's HTTP Event Collector answers, and what each answer means. Pure.

The codes are those of "Troubleshoot HTTP Event Collector" in Splunk's documentation.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from metaexpert.logger.outcome import Rejected, Rejection, Retry
from metaexpert.logger.sinks.http import Answer, NoAnswer, common_outcome

ACCEPTED: Final = frozenset({0, 24, 25})
"""Success; and success where Splunk's queue, or its list of acknowledgements, is nearly full."""
FAULTY_EVENT: Final = frozenset({6, 12, 13, 15})
"""Invalid data format, event field missing or blank, a fault in indexed fields."""
OPERATOR: Final = frozenset({1, 2, 3, 4, 7, 10, 14, 16, 21, 22})
"""Token disabled, missing or invalid, index not allowed for it, channel missing, acknowledgement off."""
UNKNOWN_CHANNEL: Final = 11
ACK_DISABLED: Final = 14

_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request looks valid: stored, where `ack_id` is None, else on its way to the index."""

    ack_id: int | None
    warning: str = ""


def classify(answer: Answer | NoAnswer, sent: int) -> Accepted | Rejected | Rejection | Retry:
    """Splunk's answer to a request of `sent` events: by its own code where there is one, else by status.

    A `Rejection` names the one event that is at fault; what it says of the others is that nothing is known for sure.
    """
    if isinstance(answer, NoAnswer):
        return Retry(answer.reason, pause=answer.pause)
    told = _object_in(answer)
    code = _number(told.get("code"))
    if answer.status == _OK:
        return _accepted(answer, told, code)
    if code in OPERATOR:
        return Retry(f"HTTP {answer.status} {answer.text}", answer.retry_after_seconds, pause=True)
    if code in FAULTY_EVENT or (code is None and answer.refuses_entries):
        return _refused(answer, _number(told.get("invalid-event-number")), sent)
    return common_outcome(answer)


def _refused(answer: Answer, number: int | None, sent: int) -> Rejected | Rejection:
    """The event that is at fault, counted from zero, where Splunk names one."""
    if number is not None and number < sent:
        return Rejection(number, answer.status, answer.text)
    return Rejected(answer.status, answer.text)


def _accepted(answer: Answer, told: dict[str, Any], code: int | None) -> Accepted | Retry:
    ack_id = _number(told.get("ackId"))
    if code not in ACCEPTED and (ack_id is None or code is not None):
        return Retry(f"200 that does not say it was accepted: {answer.text}")
    return Accepted(ack_id, f"HTTP 200 {answer.text}" if code else "")


def _object_in(answer: Answer) -> dict[str, Any]:
    try:
        told = orjson.loads(answer.body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def code_of(answer: Answer | NoAnswer) -> int | None:
    """Splunk's own code, where an answer has one."""
    return None if isinstance(answer, NoAnswer) else _number(_object_in(answer).get("code"))


def acks_in(answer: Answer) -> dict[str, object] | None:
    """Which ids are acknowledged; None when the answer does not say."""
    acks = _object_in(answer).get("acks") if answer.status == _OK else None
    return cast("dict[str, object]", acks) if isinstance(acks, dict) else None


def _number(value: object) -> int | None:
    """A count or code, which some servers write as text; None where there is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
