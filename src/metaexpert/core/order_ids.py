"""Ids of orders: the expert's own, which exchanges take as client order ids. Letters and digits, 32 at most (OKX).

After a restart the strategy's orders are told by their prefix from those that somebody else placed in the same account.
"""

import itertools
import zlib
from collections.abc import Iterator
from typing import Final

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_MARK: Final = "mx"


def base36(number: int) -> str:
    """`number`, not negative, in digits and small letters."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if number == 0:
            return digits


class OrderIds(Iterator[str]):
    """Ids of one run, none of which any other run gave.

    Args:
        strategy: names the strategy; the prefix is made of it.
        started_ns: when this run began, UTC nanoseconds.
    """

    def __init__(self, strategy: str, started_ns: int) -> None:
        self.prefix = f"{_MARK}{base36(zlib.crc32(strategy.encode()))}x"
        self._run = base36(started_ns // 1_000_000)
        self._numbers = itertools.count(1)

    def __next__(self) -> str:
        return f"{self.prefix}{self._run}n{base36(next(self._numbers))}"

    def owns(self, order_id: str) -> bool:
        """Whether this strategy gave the id, in this run or a former one."""
        return order_id.startswith(self.prefix)
