"""A progress bar on stderr for work that takes a while: on a terminal alone, and not before half a second has passed.

A thread of its own looks at how far the work is, so that work without results moves it too.
"""

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, final

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_PATIENCE_SECONDS: Final = 0.5
_PACE_SECONDS: Final = 0.1


@final
class Progress:
    """A bar while a block lasts; a context manager.

    Args:
        what: what is done, such as `"reading"`.
        total_bytes: the whole of the work; 0 when it is not known.
        done_bytes: how much of it is done; called in a thread of the bar's own.
        wanted: False for none at all.
    """

    def __init__(self, what: str, total_bytes: int, done_bytes: Callable[[], int], *, wanted: bool = True) -> None:
        self._what = what
        self._total_bytes = total_bytes
        self._done_bytes = done_bytes
        self._stopping = threading.Event()
        shown = wanted and sys.stderr.isatty()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True) if shown else None

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away, if it is there."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        if self._stopping.wait(_PATIENCE_SECONDS):
            return
        with _bar() as bar:
            task = bar.add_task(self._what, total=self._total_bytes or None)
            while True:
                bar.update(task, completed=self._done_bytes(), refresh=True)
                if self._stopping.wait(_PACE_SECONDS):
                    return


def _bar() -> "Bar":
    from rich import progress  # noqa: PLC0415 - the command line imports what it needs when it runs
    from rich.console import Console  # noqa: PLC0415 - as above

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(binary_units=True),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    return progress.Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
