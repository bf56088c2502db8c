"""One run of the demo as its caller sees it: a folder, a console, a report, an exit status."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from metaexpert.core.signals import StopSignals
from metaexpert.demo.options import DemoOptions, parse_options
from metaexpert.demo.report import Report, print_report
from metaexpert.demo.scenario import run_demo
from metaexpert.exceptions import MetaExpertError

_PLAIN_WIDTH = 160


class KeepFolderError(MetaExpertError):
    """The folder to keep the log files in can't be used."""


def run(argv: Sequence[str]) -> int:
    """Run the demo; 0 when every check passed, 1 when one failed or the run was broken off.

    Raises:
        MetaExpertError: It could not run.
    """
    options = parse_options(argv)
    console = Console()
    if not console.is_terminal or options.plain:
        console = Console(width=_PLAIN_WIDTH, force_terminal=False)
    main = _Main()
    with StopSignals(main.cancel) as signals, _log_folder(options) as folder:
        report = asyncio.run(main.run(run_demo(options, folder, console)))
    signals.reraise()
    if report is None:
        return 1
    print_report(report, console)
    return 1 if report.failures else 0


class _Main:
    """The main task, to be cancelled by a signal."""

    def __init__(self) -> None:
        self._cancel: Callable[[], object] | None = None

    async def run(self, demo: Coroutine[None, None, Report]) -> Report | None:
        """The demo's report; None when it was cancelled."""
        loop, task = asyncio.get_running_loop(), asyncio.create_task(demo, name="demo")
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        await asyncio.wait({task})
        return None if task.cancelled() else task.result()

    def cancel(self) -> None:
        """Cancel the demo, if it runs."""
        if self._cancel is not None:
            self._cancel()


@contextmanager
def _log_folder(options: DemoOptions) -> Generator[Path]:
    if options.keep is None:
        with tempfile.TemporaryDirectory(prefix="metaexpert-demo-") as folder:
            yield Path(folder)
        return
    try:
        options.keep.mkdir(parents=True, exist_ok=True)
        used = any(options.keep.iterdir())
    except OSError as error:
        raise KeepFolderError(f"--keep {options.keep}: {error.strerror}") from error
    if used:
        raise KeepFolderError(f"--keep {options.keep}: is not empty; name a new folder, all its logs are compared")
    yield options.keep
