"""Lines on stderr or stdout, written in a thread, so that a reader who stalls stops nothing else."""

import os
import sys
from typing import Literal, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.text import TextLines
from metaexpert.logger.jobs import Worker
from metaexpert.logger.outcome import Delivered, Outcome, Retry

type StreamName = Literal["stderr", "stdout"]


@final
class ConsoleSink:
    """Writes text lines to one of the process's streams, looked up anew for each batch.

    Args:
        stream: which one.
        use_colors: ANSI colours; None for "when it is a terminal and NO_COLOR is not set" (https://no-color.org).
        worker: the thread that writes, closed with the sink.
    """

    def __init__(self, stream: StreamName, worker: Worker, *, use_colors: bool | None) -> None:
        self._stream: StreamName = stream
        self._worker = worker
        self._lines = TextLines(use_colors=_is_terminal(stream) if use_colors is None else use_colors)

    def encode(self, entry: Capture) -> bytes:
        """The entry's text line."""
        return self._lines(entry)

    async def write(self, batch: Batch) -> Outcome:
        """Write the batch's lines and flush."""
        text = b"\n".join([*batch.parts, b""]).decode()
        try:
            await self._worker.run(_write, self._stream, text)
        except (OSError, ValueError) as error:
            return Retry(f"{self._stream}: {error}")
        return Delivered()

    async def close(self) -> None:
        """Let the thread end; the stream belongs to the process and stays open."""
        self._worker.close()


def _write(stream: StreamName, text: str) -> None:
    file = getattr(sys, stream)
    if file is None:  # pythonw and some services have no streams: there is nobody to read
        return
    encoding = getattr(file, "encoding", None) or "utf-8"
    file.write(text.encode(encoding, "backslashreplace").decode(encoding))
    file.flush()


def _is_terminal(stream: StreamName) -> bool:
    file = getattr(sys, stream)
    return file is not None and file.isatty() and not os.environ.get("NO_COLOR")
