"""What the pipeline says about itself on stderr: rarely, and never in anyone's way.

A notice is written by a short-lived daemon thread, so that a stalled or closed stderr stops nothing; each subject
speaks at most once in `QUIET_SECONDS`, and then says how often it was silent.
"""

import sys
import threading
import time
from typing import Final, final

QUIET_SECONDS: Final = 10.0


@final
class Notices:
    """Rate-limited lines on stderr."""

    def __init__(self) -> None:
        self._next_at: dict[str, float] = {}
        self._silenced: dict[str, int] = {}
        self._writer: threading.Thread | None = None

    def say(self, subject: str, text: str) -> None:
        """Write one line about `subject`, unless it spoke a moment ago."""
        now = time.monotonic()
        if now < self._next_at.get(subject, 0.0):
            self._silenced[subject] = self._silenced.get(subject, 0) + 1
            return
        self._next_at[subject] = now + QUIET_SECONDS
        silenced = self._silenced.pop(subject, 0)
        more = f" ({silenced} more like this)" if silenced else ""
        self._write(f"metaexpert.logger: {subject}: {text}{more}\n")

    def _write(self, line: str) -> None:
        if self._writer is not None and self._writer.is_alive():
            return  # stderr stalls: one thread waits for its reader, and no more; counters and states still tell
        writer = threading.Thread(target=_write, args=(line,), name="metaexpert-notice", daemon=True)
        try:
            writer.start()
        except RuntimeError:
            return  # no thread can be had, as at the interpreter's end
        self._writer = writer


def _write(line: str) -> None:
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # stderr is closed or absent: the counters and states still tell
