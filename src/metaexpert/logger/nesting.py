"""How deep log calls stand within one another, in each thread.

A value's own code may log, even the value itself. Its entries arrive too; beyond `MAX_NESTING` calls, a call looks at
nothing but built-in values, so that this ends.
"""

import threading
from typing import Final, final

MAX_NESTING: Final = 3
"""Calls within calls up to which values' own code is run."""


@final
class Nesting(threading.local):
    """Calls of this thread that are looking at values now."""

    depth = 0

    @property
    def too_deep(self) -> bool:
        """Whether the call that looks now must run no value's own code."""
        return self.depth > MAX_NESTING


nesting: Final = Nesting()
