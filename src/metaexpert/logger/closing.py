"""Ending what holds something, all at the same time and within a bound."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.notices import Notices


class Closable(Protocol):
    """What holds something until it is closed."""

    async def close(self) -> None:
        """Let go of it."""
        ...


async def close_all(parts: Mapping[str, Closable], most_seconds: float, notices: Notices) -> None:
    """Close them; one that takes longer than `most_seconds` is cancelled, one that fails is told of.

    Raises:
        asyncio.CancelledError: the calling task was cancelled meanwhile; they are closed all the same.
    """
    closing = [asyncio.create_task(_closed(part), name=f"metaexpert-close-{name}") for name, part in parts.items()]
    if not closing:
        return
    cancelled, ended = False, None
    while ended is None:
        try:
            ended = await asyncio.wait(closing, timeout=most_seconds)
        except asyncio.CancelledError:
            cancelled = True  # whoever goes on with these parts does so when they are closed
    done, late = ended
    for task in late:
        task.cancel()
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            notices.say(task.get_name().removeprefix("metaexpert-"), str(error))
    if cancelled:
        raise asyncio.CancelledError


async def _closed(part: Closable) -> None:
    current_fields.set(PIPELINE)
    await part.close()
