"""Bytes to the process's stdout and stderr, past the buffers of their Python objects.

A thread that hangs in `sys.stdout.write` keeps that object's lock, for which the interpreter waits at its end, for
ever; and what a failed write left in the buffer is tried once more at exit, which then fails. A plain system call
leaves neither behind, and tells how much of the data was taken.
"""

import errno
import io
import os
import select
import sys
import threading
from typing import Final, Literal, TextIO

type StreamName = Literal["stderr", "stdout"]

_SURE_BYTES: Final = 512
"""What a pipe with room takes without waiting, on every POSIX system (PIPE_BUF)."""

_EXIT_WAIT_MILLISECONDS: Final = 500


def stream_named(name: StreamName) -> TextIO | None:
    """The process's stream as it is now; None when it has none, as under pythonw and some services."""
    return getattr(sys, name)


def descriptor_of(stream: TextIO) -> int | None:
    """The descriptor behind a plain stream; None for one to be written to as an object.

    That is whatever somebody put in its place (a notebook, a test's capture), and a Windows console, which takes text.

    Raises:
        ValueError: the stream is closed.
    """
    if type(stream) is not io.TextIOWrapper or sys.platform == "win32":
        return None
    try:
        return stream.fileno()
    except io.UnsupportedOperation:
        return None


def write_some(descriptor: int, data: memoryview) -> int:
    """Write what the system takes of `data`, waiting for room; how many bytes that were.

    Raises:
        OSError: the reader is gone, or the descriptor is closed.
    """
    while True:
        if not threading.main_thread().is_alive():
            _need_room(descriptor)
            data = data[: select.PIPE_BUF]
        try:
            return os.write(descriptor, data)
        except BlockingIOError:  # somebody made it non-blocking, which holds for all who share the pipe
            _wait_for_room(descriptor)


def encoded(text: str, stream: TextIO) -> bytes:
    """`text` in the stream's encoding; what that lacks is escaped."""
    return text.encode(getattr(stream, "encoding", None) or "utf-8", "backslashreplace")


def _need_room(descriptor: int) -> None:
    """The interpreter ends, and this may be its last thread: a reader who stalls must not hold it.

    Raises:
        TimeoutError: there was no room for a while.
    """
    room = select.poll()
    room.register(descriptor, select.POLLOUT)
    if not room.poll(_EXIT_WAIT_MILLISECONDS):
        raise TimeoutError(errno.ETIMEDOUT, "nobody reads")


def tell(text: str, patience_seconds: float | None = None) -> bool:
    """Write `text` to stderr, if there is one that takes it; whether it did.

    Args:
        text: whole lines.
        patience_seconds: longest wait for a reader who stalls; None for ever, in a thread of one's own.
    """
    stream = stream_named("stderr")
    try:
        return stream is not None and _told(stream, text, patience_seconds)
    except (OSError, ValueError):  # it is closed, or its reader is gone: the counters and states still tell
        return False


def _told(stream: TextIO, text: str, patience_seconds: float | None) -> bool:
    descriptor = descriptor_of(stream)
    if descriptor is None:
        stream.write(text)
        stream.flush()
        return True
    data = memoryview(encoded(text, stream))
    while data:
        if patience_seconds is not None and not _wait_for_room(descriptor, patience_seconds):
            return False
        data = data[write_some(descriptor, data[:_SURE_BYTES]) :]
    return True


def _wait_for_room(descriptor: int, most_seconds: float | None = None) -> bool:
    room = select.poll()
    room.register(descriptor, select.POLLOUT)
    return bool(room.poll(None if most_seconds is None else most_seconds * 1000))
