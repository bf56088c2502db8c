"""What is told where entries are not safe: the counters, and the program's own hook."""

import threading
import time
from collections.abc import Callable
from typing import Final, final

from metaexpert.logger.journal.counters import JournalCounters
from metaexpert.logger.journal.obligations import Obligations

_HELD_UP_SECONDS: Final = 1.0
"""For so long it is told alike which sinks hold up the journal: to count what they owe takes a while."""

type Hook = Callable[[str, int], object]


@final
class Failures:
    """Tells of one journal's; any thread.

    Args:
        counters: where they are counted.
        obligations: who holds it up.
    """

    def __init__(self, counters: JournalCounters, obligations: Obligations) -> None:
        self._counters = counters
        self._obligations = obligations
        self._hooked = threading.local()
        self._held_up = (float("-inf"), "")

    def tell(self, reason: str, entries: int, hook: Hook | None) -> str:
        """Count and tell that entries are not safe; returns the reason, with who holds the journal up."""
        held_up = self._laggards()
        reason = f"{reason} ({held_up})" if held_up else reason
        self._counters.failures += entries
        self._counters.last_error = reason
        if hook is not None and not getattr(self._hooked, "told", False):
            self._call(hook, reason, entries)
        return reason

    def _call(self, hook: Hook, reason: str, entries: int) -> None:
        self._hooked.told = True  # what the hook logs fails likewise
        try:
            hook(reason, entries)
        except Exception as error:  # noqa: BLE001 - the user's code; a log call does not raise
            self._counters.last_error = f"{reason}; on_audit_failure raised {type(error).__name__}: {error}"
        finally:
            self._hooked.told = False

    def _laggards(self) -> str:
        now, (told_at, told) = time.monotonic(), self._held_up
        if now - told_at < _HELD_UP_SECONDS:
            return told
        told = ", ".join(f"{name} has {count} to settle" for name, count in self._obligations.laggards().items())
        self._held_up = (now, told)
        return told
