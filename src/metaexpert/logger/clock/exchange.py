"""What exchanges' clocks say of ours, where the host asks them for their time anyway."""

from collections import deque
from typing import Final

from metaexpert.logger.clock.quality import Quality, Reading
from metaexpert.logger.clock.readings import read_clocks

_KEPT: Final = 16
"""Times of one exchange among which the one with the shortest way counts."""
_MOST_EXCHANGES: Final = 64
_DRIFT_PPM: Final = 500
"""How far a clock may go wrong since it was compared; what kernels allow."""
_MILLISECOND_NS: Final = 1_000_000

_MOST_TRIP_NS: Final = 3600 * 1_000_000_000
_MOST_NS: Final = 2**63
"""No time of a year that can be is further from 1970."""

type _Compared = tuple[int, int, int]  # half the round trip, UTC minus a steady clock, when on that; nanoseconds

_compared: Final[dict[str, deque[_Compared]]] = {}


def exchange_time(exchange: str, server_ms: float, round_trip_seconds: float) -> None:
    """An exchange told its time, in an answer that has just come; any thread may call this, and it never raises.

    Args:
        exchange: its name.
        server_ms: the time it told, milliseconds since 1970.
        round_trip_seconds: from the question to its answer, by a clock that nobody sets.
    """
    try:
        half_ns = int(round_trip_seconds * 5e8)
        utc_ns = int(server_ms * _MILLISECOND_NS) + half_ns
        known = exchange in _compared
    except (TypeError, ValueError, ArithmeticError):
        return
    if not (0 <= half_ns <= _MOST_TRIP_NS and abs(utc_ns) < _MOST_NS):
        return
    if known or (isinstance(exchange, str) and len(_compared) < _MOST_EXCHANGES):  # pyright: ignore[reportUnnecessaryIsInstance] - the host's own value
        now_ns = read_clocks().steady_ns
        _compared.setdefault(exchange, deque(maxlen=_KEPT)).append((half_ns, utc_ns - now_ns, now_ns))


def exchange_qualities(now: Reading | None = None) -> list[Quality]:
    """What each exchange's best answer says: half its round trip, a millisecond's rounding, and drift since then.

    The clock as it is now is compared, with what a steady one makes of the exchange's time: answers of before a jump
    tell of the clock after it.

    Args:
        now: the present.
    """
    present = read_clocks() if now is None else now
    return [_best(name, list(answers), present) for name, answers in _compared.copy().items()]


def _best(exchange: str, answers: list[_Compared], now: Reading) -> Quality:
    now_ns = now.steady_ns

    def bound_of(answer: _Compared) -> int:
        half_ns, _, at_ns = answer
        return half_ns + _MILLISECOND_NS + max(0, now_ns - at_ns) * _DRIFT_PPM // 1_000_000

    best = min(answers, key=bound_of)
    detail = f"best of {len(answers)}, by the exchange's own clock"
    offset_ns = best[1] + now_ns - now.utc_ns
    return Quality(source=f"exchange {exchange}", offset_ns=offset_ns, bound_ns=bound_of(best), detail=detail)
