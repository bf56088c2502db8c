"""Secrets in files: what counts as one, and what is said of a file that holds none, never its content."""

import os
from pathlib import Path

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig, LokiOptions
from metaexpert.logger.options.secret_files import MAX_SECRET_BYTES, is_readable_by_everyone, read_secret

SECRET = "hunter2-s3cret"


@pytest.mark.parametrize("content", [b"%b", b"%b\n", b"%b\r\n", b"\xef\xbb\xbf%b\n", b"  %b \n\n"])
def test_white_space_and_a_byte_order_mark_are_no_part_of_it(tmp_path: Path, content: bytes):
    (tmp_path / "secret").write_bytes(content % SECRET.encode())
    assert read_secret("password_file", tmp_path / "secret") == SECRET


def test_a_link_to_it_will_do_as_kubernetes_makes_them(tmp_path: Path):
    (tmp_path / "data").write_text(SECRET)
    (tmp_path / "secret").symlink_to("data")
    assert read_secret("password_file", tmp_path / "secret") == SECRET


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty; write the secret into it"),
        (b" \n", "is empty; write the secret into it"),
        (SECRET.encode() + b"\nsecond", "must not contain control characters within the secret; it is one line"),
        (SECRET.encode() + b"\xff", "is not UTF-8 text; write the secret into it as text"),
        (SECRET.encode() * MAX_SECRET_BYTES, "is larger than 64 KiB and no secret"),
    ],
    ids=["empty", "white space", "two lines", "no text", "large"],
)
def test_a_file_that_holds_none_is_named_and_not_shown(tmp_path: Path, content: bytes, said: str):
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_secret("api_key_file", path)
    assert str(caught.value) == f"api_key_file: the file {str(path)!r} {said}"


def test_what_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"^password_file: the file '.*none' cannot be read: No such file"):
        read_secret("password_file", tmp_path / "none")
    with pytest.raises(ConfigError, match="it is not a regular file"):
        read_secret("password_file", tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="it is not a regular file"):
        read_secret("password_file", tmp_path / "pipe")


@pytest.mark.skipif(os.name != "posix", reason="there are no permission bits here")
def test_whether_everyone_may_read_it(tmp_path: Path):
    path = tmp_path / "secret"
    path.write_text(SECRET)
    path.chmod(0o640)
    assert not is_readable_by_everyone(path)
    path.chmod(0o644)
    assert is_readable_by_everyone(path)


class TestOfAConfiguration:
    def test_loading_tells_of_every_file_that_cannot_be_read(self, tmp_path: Path):
        (tmp_path / "good").write_text(SECRET)
        sinks = (
            LokiOptions(url="http://h", username="u", password_file=tmp_path / "good"),
            LokiOptions(name="b", url="http://h", bearer_token_file=tmp_path / "b"),
            LokiOptions(name="c", url="http://h", header_files={"X-Key": tmp_path / "c"}),
        )
        with pytest.raises(ConfigError) as caught:
            LoggerConfig.load(environ={}, sinks=sinks)
        assert [line.split(" cannot")[0] for line in str(caught.value).splitlines()] == [
            f"LoggerConfig.sinks.1.bearer_token_file: the file {str(tmp_path / 'b')!r}",
            f"LoggerConfig.sinks.2.header_files.X-Key: the file {str(tmp_path / 'c')!r}",
        ]

    def test_one_made_in_code_reads_nothing(self, tmp_path: Path):
        options = LokiOptions(url="http://h", username="u", password_file=tmp_path / "none")
        assert LoggerConfig(sinks=(options,)).sinks[0] == options

    def test_what_a_file_holds_is_nowhere_in_the_configuration(self, tmp_path: Path):
        (tmp_path / "secret").write_text(SECRET)
        made = LoggerConfig.load(
            environ={}, sinks=(LokiOptions(url="http://h", bearer_token_file=tmp_path / "secret"),)
        )
        for shown in (repr(made), made.model_dump_json(), repr(vars(made))):
            assert SECRET not in shown
