"""What the pipeline says about itself on stderr: rarely, and never in anyone's way.

Notices are written by one short-lived daemon thread, so that a stalled or closed stderr stops nothing and costs no more
than that thread; each subject speaks at most once in `QUIET_SECONDS`, and then says how often it was silent.
"""

import threading
import time
from collections import deque
from typing import Final, final

from metaexpert.logger.formats.controls import neutralised
from metaexpert.logger.streams import tell

QUIET_SECONDS: Final = 10.0
_MOST_LINES: Final = 100
_LAST_PATIENCE_SECONDS: Final = 0.5
"""How long a line of the process's end waits for a reader who stalls; there are few of them."""


@final
class Notices:
    """Rate-limited lines on stderr."""

    def __init__(self) -> None:
        self._next_at: dict[str, float] = {}
        self._silenced: dict[str, int] = {}
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._writing = False
        self.at_end = False
        """The process ends: what is said now is written at once."""
        self._lock = threading.RLock()  # a signal handler may speak while its own thread holds it

    def say(self, subject: str, text: str) -> None:
        """Write one line about `subject`, unless it spoke a moment ago."""
        now = time.monotonic()
        if now < self._next_at.get(subject, 0.0):
            self._silenced[subject] = self._silenced.get(subject, 0) + 1
            return
        self._next_at[subject] = now + QUIET_SECONDS
        silenced = self._silenced.pop(subject, 0)
        more = f" ({silenced} more like this)" if silenced else ""
        self._write(neutralised(f"metaexpert.logger: {subject}: {text}{more}") + "\n")

    def _write(self, line: str) -> None:
        with self._lock:
            self._lines.append(line)
            if self._writing:
                return
            self._writing = True
        if self.at_end:  # before a thread came to it the process would have ended, and CPython 3.12 starts none
            self._drain()
            return
        try:
            threading.Thread(target=self._drain, name="metaexpert-notice", daemon=True).start()
        except RuntimeError:
            self._writing = False  # no thread can be had: the next notice tries again

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._lines:
                    self._writing = False
                    return
                line = self._lines.popleft()
            tell(line, _LAST_PATIENCE_SECONDS if self.at_end else None)
