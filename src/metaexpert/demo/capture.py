"""Reads captures of exchange traffic: one frame a line, `UNIX_SECONDS.FRACTION: JSON-FRAME`.

Lines that start with `wss://` are the connection's own and are skipped, as blank lines are. A line of any other form
is an error that names file and line.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from metaexpert.demo.frame_source import TimedFrame
from metaexpert.exceptions import MetaExpertError

_LINE = re.compile(r"(\d+(?:\.\d*)?): (.+)")


class CaptureError(MetaExpertError):
    """A capture file can't be read, or holds no frames."""


def read_capture(path: Path) -> list[TimedFrame]:
    """All frames of a capture, in order of their times.

    Raises:
        CaptureError: The file can't be read, a line is malformed, or there are no frames.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CaptureError(f"can't read the capture {path}: {error}") from error
    frames = sorted(_parse(path, lines), key=lambda frame: frame.offset_seconds)
    if not frames:
        raise CaptureError(f"{path} holds no frames; a line is 'UNIX_SECONDS: JSON-FRAME'")
    first = frames[0].offset_seconds
    return [TimedFrame(frame.offset_seconds - first, frame.text) for frame in frames]


def _parse(path: Path, lines: list[str]) -> Iterator[TimedFrame]:
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(("wss://", "ws://")):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise CaptureError(f"{path}, line {number}: not 'UNIX_SECONDS: JSON-FRAME' but {line[:60]!r}")
        yield TimedFrame(float(match[1]), match[2])
