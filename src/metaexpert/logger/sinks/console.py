"""Lines on stderr or stdout, written in a thread, so that a reader who stalls stops nothing else.

On a plain stream an attempt that failed goes on where it stopped, so that no line is written twice; where the stream
was replaced meanwhile, the new one begins with the first line that did not go out whole.
"""

import os
from collections.abc import Callable
from typing import TextIO, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.text import TextLines
from metaexpert.logger.jobs import Worker
from metaexpert.logger.outcome import Delivered, Outcome, Retry
from metaexpert.logger.streams import StreamName, descriptor_of, encoded, stream_named, write_some


@final
class ConsoleSink:
    """Writes text lines to one of the process's streams, looked up anew for each batch.

    Args:
        stream: which one.
        use_colors: ANSI colours; None for "when it is a terminal and NO_COLOR is not set" (https://no-color.org).
        worker: the thread that writes, closed with the sink.
        encode_line: an entry's line without newline; text when left out.
    """

    def __init__(
        self,
        stream: StreamName,
        worker: Worker,
        *,
        use_colors: bool | None,
        encode_line: Callable[[Capture], bytes] | None = None,
    ) -> None:
        self._stream: StreamName = stream
        self._worker = worker
        self._lines = encode_line or TextLines(use_colors=_is_terminal(stream) if use_colors is None else use_colors)
        self._unfinished: tuple[Batch, _Lines] | None = None

    def encode(self, entry: Capture) -> bytes:
        """The entry's line."""
        return self._lines(entry)

    async def write(self, batch: Batch) -> Outcome:
        """Write the batch's lines; a failed or cancelled attempt is gone on with."""
        if self._unfinished is None or self._unfinished[0] is not batch:
            self._unfinished = (batch, _Lines(batch.parts))
        try:
            await self._worker.run(self._unfinished[1].write, self._stream)
        except (OSError, ValueError) as error:
            return Retry(f"{self._stream}: {error}")
        self._unfinished = None
        return Delivered()

    async def close(self) -> None:
        """Let the thread end; the stream belongs to the process and stays open."""
        self._worker.close()


@final
class _Lines:
    """A batch's lines on their way out; touched only in the sink's thread."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts
        self._file: TextIO | None = None
        self._lines: list[bytes] = []
        self._written_bytes = 0

    def write(self, stream: StreamName) -> None:
        """Write what is left.

        Raises:
            OSError, ValueError: not all was written.
        """
        file = stream_named(stream)
        if file is None:  # there is nobody to read
            return
        if file is not self._file:
            self._begin(file)
        descriptor = descriptor_of(file)
        if descriptor is None:
            self._write_text(file)
        else:
            file.flush()  # what the program printed before comes first
            self._write_bytes(descriptor)

    def _begin(self, file: TextIO) -> None:
        left, gone_bytes = len(self._parts), 0
        for line in self._lines:
            gone_bytes += len(line)
            left -= gone_bytes <= self._written_bytes
        self._parts = self._parts[len(self._parts) - left :]
        self._lines = [encoded(f"{part.decode()}\n", file) for part in self._parts]
        self._file, self._written_bytes = file, 0

    def _write_bytes(self, descriptor: int) -> None:
        data = memoryview(b"".join(self._lines))
        while self._written_bytes < len(data):
            self._written_bytes += write_some(descriptor, data[self._written_bytes :])

    def _write_text(self, file: TextIO) -> None:
        """Write through the object; one that fails half-way does not say how far it came, and may repeat lines."""
        data = b"".join(self._lines)
        if self._written_bytes < len(data):
            file.write(data.decode(getattr(file, "encoding", None) or "utf-8"))
            file.flush()
            self._written_bytes = len(data)


def _is_terminal(stream: StreamName) -> bool:
    file = stream_named(stream)
    return file is not None and file.isatty() and not os.environ.get("NO_COLOR")
