"""Captures are read whole, in order, and what is none is refused by file and line."""

from pathlib import Path

import pytest

from metaexpert.demo.capture import CaptureError, read_capture
from metaexpert.demo.frame_source import TimedFrame


def test_connection_lines_and_blank_lines_are_no_frames(tmp_path: Path):
    path = tmp_path / "x.capture"
    path.write_text('wss://x <-> 1.5\nwss://x <- 2.0: {"op":"subscribe"}\n100.5: {"a":1}\n\n102.0: {"b":"c: d"}\n')
    assert read_capture(path) == [TimedFrame(0.0, '{"a":1}'), TimedFrame(1.5, '{"b":"c: d"}')]


def test_frames_come_in_order_of_their_times(tmp_path: Path):
    path = tmp_path / "x.capture"
    path.write_text("11: late\n10: early\n")
    assert [frame.text for frame in read_capture(path)] == ["early", "late"]


@pytest.mark.parametrize("line", ["no frame at all", "x: {}", "12:{}"])
def test_a_malformed_line_is_named(tmp_path: Path, line: str):
    path = tmp_path / "x.capture"
    path.write_text(f"10: fine\n{line}\n")
    with pytest.raises(CaptureError, match=r"x\.capture, line 2: "):
        read_capture(path)


def test_a_capture_without_frames_is_refused(tmp_path: Path):
    path = tmp_path / "x.capture"
    path.write_text("wss://x <-> 1.5\n")
    with pytest.raises(CaptureError, match="no frames"):
        read_capture(path)


def test_a_missing_capture_is_refused(tmp_path: Path):
    with pytest.raises(CaptureError, match="can't read"):
        read_capture(tmp_path / "none.capture")
