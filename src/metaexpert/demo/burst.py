"""Many entries within a second, from several coroutines that leave the loop to others in between.

Mostly DEBUG, some INFO and a few WARNING entries; a trade and an ERROR entry now and then, which must not be lost. It
goes slower where the machine is too busy for so many in a second: it shows that nothing is lost, and no full way in.
"""

import asyncio
from collections.abc import Callable

from metaexpert.logger import get_logger

COROUTINES = 5
CHUNK_ENTRIES = 50
BURST_SECONDS = 1.0
LOGGER = "demo.burst"
# every so many-th entry of a coroutine is of this kind
_TRADE_EVERY = 500
_ERROR_EVERY = 5000
_WARNING_EVERY = 5000
_INFO_EVERY = 10
_MIN_PAUSE_SECONDS = 0.001
_LOOK_EVERY_CHUNKS = 8
_MOST_WAITING = 10_000
"""Entries in the way in beyond which the burst waits; it has room for more."""
_WAIT_SECONDS = 0.005

log = get_logger(LOGGER)


async def burst(entries: int, waiting: Callable[[], int]) -> None:
    """Log `entries` entries, evenly over `BURST_SECONDS`.

    Args:
        entries: How many.
        waiting: How many entries of anybody's wait in the way in.
    """
    share, rest = divmod(entries, COROUTINES)
    async with asyncio.TaskGroup() as group:
        for number in range(COROUTINES):
            group.create_task(_one(number, share + (number < rest), waiting), name=f"burst-{number}")


async def _one(number: int, entries: int, waiting: Callable[[], int]) -> None:
    clock = asyncio.get_running_loop().time
    started_at = clock()
    for chunk, first in enumerate(range(0, entries, CHUNK_ENTRIES)):
        while chunk % _LOOK_EVERY_CHUNKS == 0 and waiting() > _MOST_WAITING:  # noqa: ASYNC110 - a figure is looked at
            await asyncio.sleep(_WAIT_SECONDS)
        for index in range(first, min(first + CHUNK_ENTRIES, entries)):
            _log(number, index)
        due_at = started_at + BURST_SECONDS * (first + CHUNK_ENTRIES) / entries
        await asyncio.sleep(max(due_at - clock(), _MIN_PAUSE_SECONDS))


def _log(number: int, index: int) -> None:
    if index % _TRADE_EVERY == 1:
        order_id = f"burst-{number}-{index}"
        log.trade.order_placed(order_id=order_id, symbol="BURSTUSDT", side="BUY", quantity="1", price="1.5")
    elif index % _ERROR_EVERY == 2:  # noqa: PLR2004  beside the trades
        log.error("burst", coroutine=number, index=index)
    elif index % _WARNING_EVERY == 3:  # noqa: PLR2004  beside the errors
        log.warning("burst", coroutine=number, index=index)
    elif index % _INFO_EVERY == 0:
        log.info("burst", coroutine=number, index=index)
    else:
        log.debug("burst", coroutine=number, index=index)
