"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Callable

_POLL_SECONDS = 0.005


async def eventually(condition: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """Wait until `condition` holds.

    Raises:
        AssertionError: it did not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or condition}")
        await asyncio.sleep(_POLL_SECONDS)
