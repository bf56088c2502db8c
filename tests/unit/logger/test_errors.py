"""Exceptions as entries carry them: type, message, the whole traceback with causes, notes and groups, bounded."""

import sys
from typing import override

import orjson
import pytest

from metaexpert.logger.errors import encode_exception, encode_stack, exception_of


def fail_with(error: BaseException, cause: BaseException | None) -> None:
    raise error from cause


def raised[E: BaseException](error: E, cause: BaseException | None = None) -> E:
    with pytest.raises(type(error)):
        fail_with(error, cause)
    return error


class TestExceptionOf:
    def test_takes_stdlibs_forms(self):
        error = raised(ValueError("x"))
        assert exception_of(error) is error
        assert exception_of((ValueError, error, error.__traceback__)) is error
        try:
            raise error
        except ValueError:
            assert exception_of(True) is error
            assert exception_of(1) is error
            assert exception_of("yes") is error

    @pytest.mark.parametrize("exc_info", [None, False, 0, (), True, (None, None, None)])
    def test_no_exception_is_none(self, exc_info: object):
        assert exception_of(exc_info) is None


class TestEncodeException:
    def told(self, error: BaseException) -> dict[str, str]:
        return orjson.loads(encode_exception(error, str))

    def test_has_type_message_and_traceback(self):
        told = self.told(raised(KeyError("gone")))
        assert (told["type"], told["message"]) == ("KeyError", "'gone'")
        assert told["traceback"].startswith("Traceback (most recent call last)")
        assert told["traceback"].rstrip().endswith("KeyError: 'gone'")

    def test_shows_causes_contexts_and_notes(self):
        error = raised(ValueError("outer"), raised(OSError("inner")))
        error.add_note("look here")
        traceback = self.told(error)["traceback"]
        assert "OSError: inner" in traceback
        assert "direct cause" in traceback
        assert "look here" in traceback

    def test_shows_each_exception_of_a_group(self):
        group = ExceptionGroup("several", [raised(ValueError("one")), raised(TypeError("two"))])
        told = self.told(raised(group))
        assert told["type"] == "ExceptionGroup"
        assert "ValueError: one" in told["traceback"]
        assert "TypeError: two" in told["traceback"]

    def test_a_cycle_of_causes_ends(self):
        first, second = raised(ValueError("1")), raised(ValueError("2"))
        first.__cause__, second.__cause__ = second, first
        assert "ValueError: 2" in self.told(first)["traceback"]

    def test_one_that_cannot_be_shown_is_told_of(self):
        class HostileError(Exception):
            @override
            def __str__(self) -> str:
                raise RuntimeError("no")

        told = self.told(raised(HostileError()))
        assert told["type"].endswith("HostileError")
        assert "RuntimeError" in told["message"]

    def test_is_bounded(self):
        def deep(level: int) -> None:
            if level == 0:
                raise ValueError("a" * 100_000)
            exec(f"def f{level}(go):\n    go({level - 1})\nf{level}(go)", {"go": deep})  # noqa: S102 - frames that differ

        with pytest.raises(ValueError, match="a") as caught:
            deep(150)
        encoded = encode_exception(caught.value, str)
        assert len(encoded) < 64 * 1024
        assert "cut" in self.told(caught.value)["message"]

    def test_lone_surrogates_can_be_read(self):
        assert "ud800" in self.told(raised(ValueError("\ud800")))["message"]

    def test_an_interruption_is_encoded_too(self):
        assert self.told(raised(KeyboardInterrupt()))["type"] == "KeyboardInterrupt"


def test_a_stack_ends_in_the_given_frame():
    stack = orjson.loads(encode_stack(sys._getframe(), str))
    assert stack.startswith("Stack (most recent call last):\n")
    assert "in test_a_stack_ends_in_the_given_frame" in stack.splitlines()[-2]
