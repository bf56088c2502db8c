"""What the host tells for each message: market data came, an order went a step further; a microsecond at most each.

Any thread may call these; they neither log nor raise, and cost the same whether logging runs or not.
"""

from time import monotonic_ns
from typing import Final, final

from metaexpert.logger.measuring.meters import MOST_NAMES, OTHERS, Timer, timer

MARKET_DATA: Final = "market_data."
ORDER: Final = "order."


@final
class _Feed:
    """When data of one symbol came last, and how far apart they come."""

    __slots__ = ("last_ns", "record")

    def __init__(self, intervals: Timer, last_ns: int) -> None:
        self.record = intervals.histogram.record
        self.last_ns = last_ns


_feeds: Final[dict[str, _Feed]] = {}


def market_data(symbol: str) -> None:
    """Market data of `symbol` came: the timer `market_data.<symbol>` counts the time since those before.

    Symbols beyond the first `meters.MOST_NAMES` are not measured.
    """
    now_ns = monotonic_ns()
    try:
        feed = _feeds.get(symbol)
    except TypeError:
        return  # no name
    if feed is None:
        _first(symbol, now_ns)
        return
    feed.record(now_ns - feed.last_ns)
    feed.last_ns = now_ns


def _first(symbol: str, now_ns: int) -> None:
    if _is_name(symbol) and len(_feeds) < MOST_NAMES:
        _feeds.setdefault(symbol, _Feed(timer(MARKET_DATA + symbol), now_ns))


def order_delay(seconds: float, stage: str = "sent") -> None:
    """An order reached `stage` so many seconds after what caused it: counted by the timer `order.<stage>`."""
    timer(ORDER + stage if _is_name(stage) else OTHERS).record(seconds)


def _is_name(value: object) -> bool:
    """Whether it is text, whatever the host's annotations say."""
    return isinstance(value, str)
