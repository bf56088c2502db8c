"""%-args as stdlib applies them; what cannot be formatted arrives with its arguments and the reason."""

from collections.abc import Callable
from decimal import Decimal
from time import process_time
from typing import Any

import pytest

from metaexpert.logger import Logger
from metaexpert.logger.message import format_message

type Lines = Callable[[], list[dict[str, Any]]]


class Moody(str):
    """A text of a kind of its own."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("msg", "args", "text"),
    [
        ("plain", (), "plain"),
        ("100 %", (), "100 %"),
        ("%s", (), "%s"),
        ("{} {braces}", (), "{} {braces}"),
        ("%s at %s", (Decimal("1.50"), 2.5), "1.50 at 2.5"),
        ("%d of %5.1f%%", (3, 99.55), "3 of  99.5%"),
        ("%d", (Decimal("12.9"),), "12"),
        ("%s", ((1, 2),), "(1, 2)"),
        ("%(a)s %(b)d", ({"a": "x", "b": 2},), "x 2"),
        ("%s", ({},), "{}"),
        (b"bytes", (), "b'bytes'"),
        (ValueError("as message"), (), "as message"),
        (ValueError("%s of it"), (1,), "1 of it"),
        (KeyError("k"), (), "'k'"),
        (None, (), "None"),
        ([1, "a"], (), "[1, 'a']"),
        (Moody("%s moody"), (1,), "1 moody"),
    ],
)
def test_formats_as_stdlib_does(msg: object, args: tuple[object, ...], text: str):
    assert format_message(msg, args) == text
    assert type(format_message(msg, args)) is str


@pytest.mark.parametrize(
    ("msg", "args", "told"),
    [
        ("%s %s", (1,), ["TypeError", "1"]),
        ("%s", (1, "two"), ["TypeError", "1", "'two'"]),
        ("%d", ("x",), ["TypeError", "'x'"]),
        ("%(a)s", ({"b": 1},), ["KeyError", "{'b': 1}"]),
        ("%(a)s", ("x",), ["TypeError", "'x'"]),
        ("100 %", (1,), ["ValueError", "1"]),
        ("%y", (1,), ["ValueError", "1"]),
        ("%d", (float("nan"),), ["ValueError", "nan"]),
        ("%d", (10**5000,), ["ValueError", "0x"]),
        ("%d", (Decimal("1E+999999"),), ["TypeError", "1E+999999"]),
    ],
)
def test_what_cannot_be_formatted_is_told_with_its_arguments(msg: str, args: tuple[object, ...], told: list[str]):
    began = process_time()
    text = format_message(msg, args)
    assert process_time() - began < 1
    assert text.startswith(f"{msg} [not formatted: ")
    assert all(part in text for part in told)


def test_an_exception_as_message_keeps_its_traceback_when_asked(log: Logger, lines: Lines):
    try:
        raise ValueError("told")  # noqa: TRY301 - it needs a traceback
    except ValueError as error:
        log.exception(error)  # noqa: TRY401 - as many write it
        log.error(error)  # noqa: TRY400 - likewise
    first, second = lines()
    assert (first["message"], second["message"]) == ("told", "told")
    assert "ValueError: told" in first["exception"]["traceback"]
    assert "exception" not in second
