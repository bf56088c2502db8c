"""What a target is sent: several alerts in one message, as text and as JSON; pure.

Everything is in one line each, without control characters; users' values were redacted before they came here.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2s
from typing import Any, Final, final

from metaexpert.logger.alerts.alert import Alert, AlertState, Group
from metaexpert.logger.formats.controls import neutralised

_SHOWN_GROUPS: Final = 3
_ID_BYTES: Final = 16
_NS: Final = 1_000_000_000


@final
@dataclass(frozen=True, slots=True)
class Word:
    """An alert with its times by the calendar.

    Attributes:
        alert: what a rule says.
        since_ns: when it began to hold, UTC, nanoseconds since the epoch.
        at_ns: when it is said.
    """

    alert: Alert
    since_ns: int
    at_ns: int

    @property
    def is_over(self) -> bool:
        """Whether it says that something is resolved."""
        return self.alert.state is AlertState.RESOLVED


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent at once.

    Attributes:
        service: whose alerts these are.
        host: where it runs.
        words: the alerts that are told one by one.
        rest: those that are only counted.
        shed: alerts that gave way before they could be sent.
        at_ns: when it was put together, UTC, nanoseconds since the epoch.
        is_test: nothing is the matter: somebody tries out the target.
    """

    service: str
    host: str
    words: tuple[Word, ...]
    rest: tuple[Word, ...] = ()
    shed: int = 0
    at_ns: int = 0
    is_test: bool = False

    @property
    def alerts(self) -> int:
        """How many alerts it speaks of."""
        return len(self.words) + len(self.rest)

    @property
    def is_over(self) -> bool:
        """Whether all it speaks of is resolved."""
        return all(word.is_over for word in (*self.words, *self.rest))

    @property
    def id(self) -> str:
        """The same however often the same is sent, for receivers that drop what comes twice."""
        words = [f"{word.alert.key} {word.alert.state} {word.at_ns}" for word in (*self.words, *self.rest)]
        tried = [str(self.at_ns)] if self.is_test else []
        named = "\x1f".join([self.service, self.host, str(self.shed), *tried, *words])
        return blake2s(named.encode("utf-8", "backslashreplace"), digest_size=_ID_BYTES).hexdigest()

    @property
    def more(self) -> Mapping[str, int]:
        """Alerts that are only counted, by rule."""
        return dict(Counter(word.alert.rule for word in self.rest))


def subject(message: Message) -> str:
    """What it is about, in a line."""
    test = "TEST " if message.is_test else ""
    if message.alerts == 1:
        alert = message.words[0].alert
        return neutralised(f"[{test}{alert.state.upper()}] {message.service}: {alert.rule}{_of(alert.group)}")
    over = sum(word.is_over for word in (*message.words, *message.rest))
    counts = [f"{count} {what}" for count, what in ((message.alerts - over, "firing"), (over, "resolved")) if count]
    rules = list(dict.fromkeys(word.alert.rule for word in message.words))
    more = ", …" if len(rules) > _SHOWN_GROUPS or message.rest else ""
    return neutralised(f"[{test}{', '.join(counts)}] {message.service}: {', '.join(rules[:_SHOWN_GROUPS])}{more}")


def lines(message: Message) -> Iterator[str]:
    """All there is to say, line by line."""
    for word in message.words:
        yield from map(neutralised, _lines_of(word))
    if message.rest:
        told = ", ".join(f"{rule} {count}" for rule, count in message.more.items())
        yield neutralised(f"and {len(message.rest)} more: {told}")
    if message.shed:
        yield f"{message.shed} older alerts gave way before they could be sent; the log has them"


def text(message: Message) -> str:
    """Subject and lines; of one alert the line alone, which says as much."""
    body = "\n".join(lines(message))
    test = "TEST " if message.is_test else ""
    return f"{test}{neutralised(message.service)}: {body}" if message.alerts == 1 else f"{subject(message)}\n{body}"


def as_json(message: Message) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "version": 1,
        "id": message.id,
        "service": message.service,
        "host": message.host,
        "status": "resolved" if message.is_over else "firing",
        "test": message.is_test,
        "sent_at": iso_time(message.at_ns),
        "subject": subject(message),
        "text": text(message),
        "alerts": [fields_of(word) for word in message.words],
        "more": message.more,
        "shed": message.shed,
    }


def fields_of(word: Word) -> dict[str, Any]:
    """One alert, for programs."""
    alert = word.alert
    figures = {"value": alert.value, "limit": alert.limit}
    return {
        "key": alert.key,
        "rule": alert.rule,
        "severity": str(alert.severity),
        "state": str(alert.state),
        "group": dict(alert.group),
        "text": alert.text,
        "count": alert.count,
        "since": iso_time(word.since_ns),
        "at": iso_time(word.at_ns),
        "seconds": round(alert.seconds, 3),
        **{name: value for name, value in figures.items() if value is not None},
        **({"note": alert.note} if alert.note else {}),
    }


def headline(alert: Alert) -> str:
    """What it says, in one line."""
    told = f"{alert.state.upper()} {alert.severity} {alert.rule}{_of(alert.group)}: {alert.text}"
    return (
        told if alert.state is not AlertState.RESOLVED else f"{told}; lasted {duration(alert.seconds)}{_counted(alert)}"
    )


def duration(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def iso_time(time_ns: int) -> str:
    """A UTC time to the second."""
    return datetime.fromtimestamp(time_ns // _NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lines_of(word: Word) -> Sequence[str]:
    alert = word.alert
    found = [headline(alert)]
    if not word.is_over:
        ongoing = f", for {duration(alert.seconds)}" if alert.state is AlertState.REPEATED else ""
        found.append(f"  since {iso_time(word.since_ns)}{ongoing}{_counted(alert)}")
        found += [f"  {line}" for line in alert.note.splitlines()]
    return found


def _counted(alert: Alert) -> str:
    if not alert.count:
        return ""
    return ", seen once" if alert.count == 1 else f", seen {alert.count:,} times"


def _of(group: Group) -> str:
    return f" ({', '.join(f'{name}={value}' for name, value in group)})" if group else ""
