"""The thread that keeps a runtime's log files: low priority, woken by a rotation, at the start, and at an interval.

It is a daemon: what it is amid when the process ends goes on at the next start. Nothing it does raises into anyone.
"""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, final

from metaexpert.logger.files.keeping.housekeeping import Housekeeper
from metaexpert.logger.files.keeping.kept_logs import KeptLog
from metaexpert.logger.files.keeping.pace import Pace, StoppedError, lower_priority
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.notices import Notices
from metaexpert.logger.retry import SinkState
from metaexpert.logger.stats import HousekeepingStats

_INTERVAL_SECONDS: Final = 60.0
_ASK_AGAIN_SECONDS: Final = 5.0
"""When another process keeps a folder."""

_GAP_SECONDS: Final = 0.25
"""Rest between passes, so that rotations by the hundred cause few."""


@final
class HousekeepingThread:
    """Keeps logs beside the program.

    Args:
        log_dir: where the holds are.
        logs: what to keep; without any there is no thread.
        notices: where trouble is told.
        interval_seconds: time between passes that nothing asked for.
    """

    def __init__(
        self,
        log_dir: Path,
        logs: Sequence[KeptLog],
        notices: Notices,
        *,
        interval_seconds: float = _INTERVAL_SECONDS,
    ) -> None:
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._interval_seconds = interval_seconds
        self._has_work = bool(logs)
        self._thread: threading.Thread | None = None
        self._keeper = Housekeeper(log_dir, logs, notices.say, pace=Pace(self._stop))

    def start(self) -> None:
        """Begin, unless it runs already or there is nothing to keep."""
        if self._thread is None and self._has_work and not self._stop.is_set():
            thread = threading.Thread(target=self._run, name="metaexpert-housekeeping", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # the process ends, or may have no more threads: the next start keeps them
            self._thread = thread

    def wake(self, finished: LogFile | None = None) -> None:  # noqa: ARG002 - as rotations tell of it
        """Have a pass now; from any thread."""
        self._woken.set()

    def go_over_to(self, log_dir: Path, logs: Sequence[KeptLog]) -> None:
        """Keep other logs."""
        self._keeper.go_over_to(log_dir, logs)
        self._has_work = bool(logs)
        self.start()
        self.wake()

    def stop(self) -> None:
        """Have it end soon; does not wait."""
        self._stop.set()
        self._woken.set()

    def join(self, timeout_seconds: float) -> None:
        """Wait until it has ended, but no longer than `timeout_seconds`."""
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    async def ended(self, jobs: Jobs, most_seconds: float) -> bool:
        """Wait `most_seconds` at most until it has ended; whether the calling task was cancelled meanwhile."""
        worker = Worker(jobs, "housekeeping-end")
        try:
            if self.is_running:  # amid a call of the system: what it leaves is gone on with
                await worker.run(self.join, most_seconds)
        except asyncio.CancelledError:
            return True
        finally:
            worker.close()
        return False

    @property
    def is_running(self) -> bool:
        """Whether the thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def stats(self) -> HousekeepingStats:
        """A snapshot."""
        counters = self._keeper.counters
        is_well = counters.last_error is None and not self._keeper.has_leapt
        state = SinkState.ACTIVE if is_well else SinkState.DEGRADED
        return HousekeepingStats(state=state, **asdict(counters))

    def _run(self) -> None:
        lower_priority()
        try:
            while not self._stop.is_set():
                self._woken.clear()
                has_all = self._pass()
                self._woken.wait(self._interval_seconds if has_all else _ASK_AGAIN_SECONDS)
                self._stop.wait(_GAP_SECONDS)
        except StoppedError:
            return

    def _pass(self) -> bool:
        try:
            return self._keeper.keep()
        except StoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours ends neither the thread nor logging
            self._keeper.failed(f"{type(error).__name__}: {error}")
            return True
