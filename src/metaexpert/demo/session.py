"""One run of the demo as its caller sees it: a folder, a console, a report, an exit status."""

import asyncio
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from metaexpert.demo.options import DemoOptions, parse_options
from metaexpert.demo.report import print_report
from metaexpert.demo.scenario import run_demo
from metaexpert.exceptions import MetaExpertError

_PLAIN_WIDTH = 160


class KeepFolderError(MetaExpertError):
    """The folder to keep the log files in can't be used."""


def run(argv: Sequence[str]) -> int:
    """Run the demo; 0 when every check passed, 1 when one failed.

    Raises:
        MetaExpertError: It could not run.
    """
    options = parse_options(argv)
    console = Console()
    if not console.is_terminal or options.plain:
        console = Console(width=_PLAIN_WIDTH, force_terminal=False)
    with _log_folder(options) as folder:
        report = asyncio.run(run_demo(options, folder, console))
    print_report(report, console)
    return 1 if report.failures else 0


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
