"""Saves an expert's state while it runs: before each live order, and about every second while something changes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from metaexpert.core.state import StateFile, encoded
from metaexpert.exceptions import MetaExpertError
from metaexpert.logger import get_logger

_EVERY_SECONDS: Final = 1.0

log = get_logger(__name__)


class Keeper:
    """Keeps one state.

    Args:
        file: where; None to keep nothing.
        state: gives it as it is now.
    """

    def __init__(self, file: StateFile | None, state: Callable[[], Mapping[str, Any]]) -> None:
        self._file = file
        self._state = state
        self._saved = b""
        self._one_at_a_time = asyncio.Lock()

    async def save(self) -> None:
        """Bring the state to disk, unless it is there already; the writing itself is a thread's.

        Raises:
            StateError: it cannot be written.
        """
        if self._file is None:
            return
        async with self._one_at_a_time:
            content = encoded(self._state())
            if content != self._saved:
                await asyncio.to_thread(self._file.save, content)
                self._saved = content

    async def run(self) -> None:
        """Save what changes, until cancelled; what cannot be saved is said, and tried again."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await self.save()
            except MetaExpertError:
                log.exception("state not saved")
