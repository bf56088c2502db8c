"""What exchanges' clocks say of ours, where the host asks them for their time anyway."""

from collections import deque
from time import monotonic_ns, time_ns
from typing import Final

from metaexpert.logger.clock.quality import Quality

_KEPT: Final = 16
"""Times of one exchange among which the one with the shortest way counts."""
_MOST_EXCHANGES: Final = 64
_DRIFT_PPM: Final = 500
"""How far a clock may go wrong since it was compared; what kernels allow."""
_MILLISECOND_NS: Final = 1_000_000

type _Compared = tuple[int, int, int]  # half the round trip, offset, when on a steady clock; nanoseconds

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
        offset_ns = int(server_ms * _MILLISECOND_NS) + half_ns - time_ns()
    except (TypeError, ValueError, OverflowError):
        return
    if half_ns >= 0 and (exchange in _compared or len(_compared) < _MOST_EXCHANGES):
        _compared.setdefault(exchange, deque(maxlen=_KEPT)).append((half_ns, offset_ns, monotonic_ns()))


def exchange_qualities(steady_ns: int | None = None) -> list[Quality]:
    """What each exchange's best answer says: half its round trip, a millisecond's rounding, and drift since then.

    Args:
        steady_ns: the present, as `time.monotonic_ns` tells it.
    """
    now_ns = monotonic_ns() if steady_ns is None else steady_ns
    return [_best(name, list(answers), now_ns) for name, answers in _compared.copy().items()]


def _best(exchange: str, answers: list[_Compared], now_ns: int) -> Quality:
    def bound_of(answer: _Compared) -> int:
        half_ns, _, at_ns = answer
        return half_ns + _MILLISECOND_NS + (now_ns - at_ns) * _DRIFT_PPM // 1_000_000

    best = min(answers, key=bound_of)
    detail = f"best of {len(answers)}, by the exchange's own clock"
    return Quality(source=f"exchange {exchange}", offset_ns=best[1], bound_ns=bound_of(best), detail=detail)
