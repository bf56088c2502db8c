"""What a reading command prints: bytes to stdout, coloured on a terminal, through a pager when longer than its screen.

Until a screen is full the lines are held back; until the first one is printed a progress bar may stand there instead.
"""

import os
import sys
from contextlib import suppress
from types import TracebackType
from typing import IO, TYPE_CHECKING, Final, Self, cast, final

if TYPE_CHECKING:
    import subprocess

    from metaexpert.cli.logs_progress import Progress

RESET: Final = "\x1b[0m"
_FLUSH_BYTES: Final = 64 * 1024


def colours_wanted(chosen: bool | None, stream: IO[str] | None = None) -> bool:  # noqa: FBT001 - as the option gives it
    """Whether to colour what goes to `stream` (stdout): as chosen, else on a terminal unless NO_COLOR is set."""
    if chosen is not None:
        return chosen
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def is_terminal(stream: IO[str] | None = None) -> bool:
    """Whether `stream` (stdout) is a terminal."""
    return (sys.stdout if stream is None else stream).isatty()


@final
class Output:
    """Stdout while a command runs; a context manager.

    Args:
        paged: whether what is longer than a terminal's screen goes through a pager; not where output has no end.
        progress: what is shown until there is something to print; it is stopped then.
    """

    def __init__(self, *, paged: bool = True, progress: "Progress | None" = None) -> None:
        self._is_seen = is_terminal()
        self._is_paged = paged and self._is_seen
        self._held: list[bytes] = []
        self._held_rows = 0
        self._size_bytes = 0
        self._columns, self._rows = _screen() if self._is_paged else (0, 0)
        self._pager: Pager | None = None
        self._stream: IO[bytes] = _bytes_of_stdout()
        self._progress = progress

    def line(self, text: str) -> None:
        """Print a text and a newline."""
        self.write(f"{text}\n".encode(_encoding(), "backslashreplace"))

    def write(self, data: bytes) -> None:
        """Print bytes that end a line.

        Raises:
            BrokenPipeError: who read the output does not any more.
        """
        self._held.append(data)
        self._size_bytes += len(data)
        if self._is_paged and self._pager is None:
            self._held_rows += _rows_of(data, self._columns)
            if self._held_rows >= self._rows:
                self._begin_pager()
        elif self._size_bytes >= _FLUSH_BYTES or self._is_seen or self._progress is not None:
            self.flush()

    def flush(self) -> None:
        """Bring what is held back to the reader.

        Raises:
            BrokenPipeError: as for `write`.
        """
        self._end_progress()
        data, self._held, self._size_bytes = b"".join(self._held), [], 0
        if data:
            self._stream.write(data)
        self._stream.flush()

    def _begin_pager(self) -> None:
        self._end_progress()
        self._pager = Pager.started()
        self._is_paged = self._pager is not None
        if self._pager is not None:
            self._stream = self._pager.stream
        self.flush()

    def _end_progress(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None or not issubclass(kind, BrokenPipeError):
                self.flush()
        finally:
            if self._pager is not None:
                self._pager.close()


@final
class Pager:
    """The program that shows what is longer than the screen: what PAGER names, else less."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.stream = cast("IO[bytes]", process.stdin)

    @classmethod
    def started(cls) -> Self | None:
        """It, waiting for lines; None where there is none, or none is wanted (an empty PAGER, or cat)."""
        import shlex  # noqa: PLC0415 - the command line imports what it needs when it runs
        import shutil  # noqa: PLC0415 - as above
        import subprocess  # noqa: PLC0415 - as above

        command = shlex.split(os.environ.get("PAGER", "less"))
        if not command or command == ["cat"] or shutil.which(command[0]) is None:
            return None
        environ = {"LESS": "FRX", **os.environ}  # quit if one screen, colours as they are, no second screen
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environ)  # noqa: S603 - the user's own PAGER
        return cls(process)

    def close(self) -> None:
        """Wait until the user has read; Ctrl-C is the pager's own meanwhile."""
        with suppress(BrokenPipeError):
            self.stream.close()
        while True:
            try:
                self._process.wait()
            except KeyboardInterrupt:
                continue
            return


def _bytes_of_stdout() -> IO[bytes]:
    sys.stdout.flush()
    return cast("IO[bytes]", sys.stdout.buffer)


def _encoding() -> str:
    return sys.stdout.encoding or "utf-8"


def _screen() -> tuple[int, int]:
    """Columns and rows of the terminal."""
    import shutil  # noqa: PLC0415 - as above

    size = shutil.get_terminal_size()
    return max(size.columns, 1), max(size.lines, 2)


def _rows_of(data: bytes, columns: int) -> int:
    """About how many rows of the screen these lines take; colours count as if they were seen."""
    return sum(max(1, -(-len(line) // columns)) for line in data.splitlines())
