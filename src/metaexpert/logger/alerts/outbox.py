"""What waits for a target: one word for each alert, grouped, limited in rate and number; pure, the times are given.

A newer word about the same alert takes the place of one that was not sent, so that a target hears the latest after an
outage and nothing twice. Rules share the room fairly: one that says much takes no other's place.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final, final

from metaexpert.logger.alerts.message import Message, Word

_MINUTE_SECONDS: Final = 60.0

type Compose = Callable[[tuple[Word, ...], tuple[Word, ...], int], Message]
"""Makes a message of the words told one by one, those only counted, and how many were shed."""


@final
class Outbox:
    """The words that wait for one target.

    Args:
        group_seconds: how long a word waits for others.
        per_minute: messages a minute at most.
        max_alerts: words a message tells one by one.
        max_pending: words that wait at most.

    Attributes:
        shed: words that gave way and were not told of.
        shed_total: words that gave way.
        merged: words that a newer one about the same alert replaced.
    """

    def __init__(self, *, group_seconds: float, per_minute: int, max_alerts: int, max_pending: int) -> None:
        self._group_seconds = group_seconds
        self._per_minute = per_minute
        self._max_alerts = max_alerts
        self._max_pending = max_pending
        self._waiting: dict[str, Word] = {}
        self._first_at = 0.0
        self._sent: deque[float] = deque(maxlen=per_minute)
        self.shed = self.shed_total = self.merged = 0

    def take_over(self, other: "Outbox") -> None:
        """Go on with what waits in another, and with what it has sent."""
        self._waiting, self._first_at = dict(other._waiting), other._first_at  # noqa: SLF001 - of this class
        self._sent = deque(other._sent, maxlen=self._per_minute)  # noqa: SLF001 - of this class
        self.shed, self.shed_total, self.merged = other.shed, other.shed_total, other.merged
        self._make_room()

    def put(self, word: Word, now: float) -> None:
        """Have it wait, in place of an older word about the same alert."""
        if not self._waiting:
            self._first_at = now
        key = word.alert.key
        if self._waiting.pop(key, None) is not None:
            self.merged += 1
        self._waiting[key] = word
        self._make_room()

    def due_in(self, now: float) -> float | None:
        """Seconds until a message may go; None when nothing waits."""
        if not self._waiting and not self.shed:
            return None
        wait = self._first_at + self._group_seconds - now
        if len(self._sent) == self._per_minute:
            wait = max(wait, self._sent[0] + _MINUTE_SECONDS - now)
        return max(0.0, wait)

    def compose(self, make: Compose) -> Message:
        """The message that may go now: the gravest first, those of one severity in the order they came."""
        words = _in_turn(self._waiting.values())
        return make(tuple(words[: self._max_alerts]), tuple(words[self._max_alerts :]), self.shed)

    def settled(self, message: Message, now: float) -> None:
        """The message was sent, or will never be; what came meanwhile waits on."""
        self._sent.append(now)
        for word in (*message.words, *message.rest):
            key = word.alert.key
            if self._waiting.get(key) is word:
                del self._waiting[key]
        self.shed -= message.shed
        self._first_at = now

    def __len__(self) -> int:
        return len(self._waiting)

    def _make_room(self) -> None:
        if len(self._waiting) <= self._max_pending:
            return
        rules = Counter(word.alert.rule for word in self._waiting.values())
        while len(self._waiting) > self._max_pending:
            rule = rules.most_common(1)[0][0]
            del self._waiting[next(key for key, word in self._waiting.items() if word.alert.rule == rule)]
            rules[rule] -= 1
            self.shed += 1
            self.shed_total += 1


def _in_turn(words: Iterable[Word]) -> list[Word]:
    """The gravest first; of those alike each rule's first one, then each rule's second, in the order they came."""
    turns: Counter[tuple[bool, int, str]] = Counter()
    ranked: list[tuple[bool, int, int, int, Word]] = []
    for number, word in enumerate(words):
        rank = (word.is_over, -word.alert.severity.level)
        turn = turns[(*rank, word.alert.rule)]
        turns[(*rank, word.alert.rule)] += 1
        ranked.append((*rank, turn, number, word))
    return [each[-1] for each in sorted(ranked, key=lambda each: each[:-1])]
