"""What the commands that look after entries on disk share: the configuration, the exit status, the audit line.

Exit status: 0 all that was asked for is done; 1 the configuration or the disk is in the way; 2 wrong usage; 3 something
stays that was to go: refused again, not taken now, or not confirmed; 4 a running process has what was asked for.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from metaexpert.logger import LoggerConfig

DONE: Final = 0
FAULT: Final = 1
LEFT: Final = 3
OWNED: Final = 4

_MODE: Final = 0o600
_PIPED_WIDTH: Final = 240


def loaded(file: Path | None, log_dir: Path | None) -> "LoggerConfig":
    """The effective configuration; what is wrong with it ends the command."""
    from metaexpert.exceptions import ConfigError  # noqa: PLC0415 - the command line imports what it needs when it runs
    from metaexpert.logger import LoggerConfig  # noqa: PLC0415 - as above

    try:
        return LoggerConfig.load(file) if log_dir is None else LoggerConfig.load(file, log_dir=log_dir)
    except ConfigError as error:
        for line in str(error).splitlines():
            tell(f"error: {line}")
        raise SystemExit(FAULT) from None


def tell(text: str) -> None:
    """A line on stderr, beside the result on stdout."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command line speaks


def safe_output() -> None:
    """Print what a terminal's code page lacks as escapes, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; piped, it is as wide as it likes."""
    from rich.console import Console  # noqa: PLC0415 - the command line imports what it needs when it runs
    from rich.markup import escape  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(*columns)
    for row in rows:
        table.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    console = Console() if sys.stdout.isatty() else Console(width=_PIPED_WIDTH)
    console.print(table)


def to_the_second(time: str | None) -> str:
    """A time for people: UTC, without its fraction."""
    return "" if time is None else time[:19].replace("T", " ")


def audit(log_dir: Path, command: str, **facts: Any) -> None:
    """Write down, before it is done, what is about to be changed.

    Raises:
        OSError: it cannot be written; nothing may be changed then.
    """
    import json  # noqa: PLC0415 - as above
    import socket  # noqa: PLC0415 - as above

    from metaexpert.logger.files.names import OPERATIONS  # noqa: PLC0415 - as above

    line = {
        "time": datetime.now(UTC).isoformat(),
        "command": command,
        "user": user_name(),
        "host": socket.gethostname(),
    }
    text = json.dumps(line | {"pid": os.getpid()} | facts) + "\n"
    descriptor = os.open(log_dir / OPERATIONS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _MODE)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def user_name() -> str:
    """Who runs the command."""
    import getpass  # noqa: PLC0415 - as above

    with suppress(OSError, KeyError, ImportError):  # an account without a name, as in containers
        return getpass.getuser()
    return str(getattr(os, "getuid", lambda: "unknown")())


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether to go on: asked on the terminal unless `yes`."""
    import typer  # noqa: PLC0415 - as above

    return yes or typer.confirm(question, err=True)


def size_text(size_bytes: float) -> str:
    """Bytes for people, in binary units."""
    for unit in ("B", "KiB", "MiB"):
        if size_bytes < 1024:  # noqa: PLR2004 - the unit itself
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} GiB"
