"""Writing past the objects of stdout and stderr: plain streams by descriptor, all else as objects, with patience."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from metaexpert.logger.streams import descriptor_of, encoded, tell, write_some

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there every stream is written to as an object")


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """The writing end of a pipe that has no room, and blocks."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


class TestDescriptors:
    def test_a_plain_stream_has_one(self, tmp_path: Path):
        with (tmp_path / "out").open("w") as stream:
            assert descriptor_of(stream) == stream.fileno()

    def test_what_only_looks_like_a_stream_has_none(self, tmp_path: Path):
        class Replaced(io.TextIOWrapper):
            """As test runners and notebooks have: its descriptor is not where its text goes."""

        with (tmp_path / "out").open("wb") as binary, Replaced(binary) as stream:
            assert descriptor_of(stream) is None
        assert descriptor_of(io.StringIO()) is None
        assert descriptor_of(io.TextIOWrapper(io.BytesIO())) is None

    def test_a_closed_stream_is_an_error(self, tmp_path: Path):
        stream = (tmp_path / "out").open("w")
        stream.close()
        with pytest.raises(ValueError, match="closed"):
            descriptor_of(stream)


def test_what_the_encoding_lacks_is_escaped():
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert encoded("1 €", ascii_only) == b"1 \\u20ac"
    assert encoded("1 € \ud800", cast("io.TextIOWrapper", io.StringIO())) == b"1 \xe2\x82\xac \\ud800"


def test_a_write_says_how_much_was_taken():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = memoryview(bytes(1024 * 1024))
    assert 0 < write_some(writer, data) < len(data)
    os.close(reader)
    os.close(writer)


class TestTelling:
    def test_it_goes_to_stderr_as_it_is_now(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        with (tmp_path / "err").open("w") as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            assert tell("one €\n", patience_seconds=0.0)
            monkeypatch.setattr(sys, "stderr", replaced := io.StringIO())
            assert tell("two\n")
            monkeypatch.undo()
        assert (tmp_path / "err").read_text(encoding="utf-8") == "one €\n"
        assert replaced.getvalue() == "two\n"

    def test_without_stderr_or_with_a_closed_one_it_says_no(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setattr(sys, "stderr", None)
        assert not tell("lost\n")
        closed = (tmp_path / "err").open("w")
        closed.close()
        monkeypatch.setattr(sys, "stderr", closed)
        assert not tell("lost\n")

    def test_patience_ends(self, monkeypatch: pytest.MonkeyPatch, full_pipe: int):
        with os.fdopen(os.dup(full_pipe), "w") as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            assert not tell("x" * 2000, patience_seconds=0.01)
            monkeypatch.undo()
