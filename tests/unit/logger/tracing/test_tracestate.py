"""`tracestate` is passed on in order, within what everybody passes on; a list with a wrong member is left out."""

import pytest

from metaexpert.logger.tracing.tracestate import parse_tracestate

_KEY = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
_VALUE = "".join(map(chr, [*range(0x20, 0x2C), *range(0x2D, 0x3D), *range(0x3E, 0x7F)]))


@pytest.mark.parametrize(
    ("headers", "passed_on"),
    [
        ([], ""),
        ([""], ""),
        (["foo=1"], "foo=1"),
        (["foo=1", ""], "foo=1"),
        (["", "foo=1"], "foo=1"),
        (["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        (["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
        ([" foo=1"], "foo=1"),
        (["\tfoo=1"], "foo=1"),
        (["\t foo=1 \t"], "foo=1"),
        (["foo=1,,bar=2"], "foo=1,bar=2"),
        (["foo=1,foo=1"], "foo=1"),
        (["foo=1,foo=2"], "foo=1"),
        (["foo=1", "foo=2"], "foo=1"),
        ([f"{_KEY}={_VALUE}"], f"{_KEY}={_VALUE}"),
        ([f"{_KEY}@a-z0-9_-*/={_VALUE}"], f"{_KEY}@a-z0-9_-*/={_VALUE}"),
        (["foo@=1,bar=2"], "foo@=1,bar=2"),
        (["foo@@bar=1,bar=2"], "foo@@bar=1,bar=2"),
        (["0foo=1"], "0foo=1"),
        (["z" * 256 + "=1"], "z" * 256 + "=1"),
        (["foo=" + "v" * 256], "foo=" + "v" * 256),
    ],
)
def test_what_is_right_is_passed_on(headers: list[str], passed_on: str):
    assert parse_tracestate(headers) == passed_on


@pytest.mark.parametrize(
    "wrong",
    [
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "@foo=1",
        "_foo=1",
        "foo",
        "foo=",
        "foo=bar=baz",
        "foo=\u00e4",
        "foo=a\x7fb",
        "foo=bar\x1f",
        "z" * 257 + "=1",
        "foo=" + "v" * 257,
    ],
)
def test_one_wrong_member_leaves_all_of_them_out(wrong: str):
    assert parse_tracestate(["a=1", wrong, "b=2"]) == ""


def test_thirty_two_members_are_passed_on_and_no_more():
    members = [f"bar{number:02}={number:02}" for number in range(33)]
    assert parse_tracestate([",".join(members[:32])]) == ",".join(members[:32])
    assert parse_tracestate([",".join(members)]) == ""


def test_a_list_that_is_too_long_loses_its_long_members_and_then_the_last():
    long, short = "long=" + "x" * 200, [f"k{number}={'v' * 40}" for number in range(12)]
    passed_on = parse_tracestate([",".join([long, *short])])
    assert len(passed_on) <= 512
    assert passed_on.split(",") == short[: passed_on.count(",") + 1]
    assert passed_on.count(",") >= 9


def test_what_is_longer_than_any_list_may_be_is_not_even_looked_at():
    class Unread(str):
        __slots__ = ()

        def split(self, *_: object, **__: object) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
            raise AssertionError("looked at")

    largest = ",".join(f"{number:03}{_KEY_OF_251}={_VALUE_OF_256}" for number in range(32))
    assert parse_tracestate([largest]) == ""  # valid, but none of its members is short enough to be passed on
    assert parse_tracestate(["a=1,", Unread("," * 800_000)]) == ""


_KEY_OF_251 = "k" * 251
_VALUE_OF_256 = "v" * 256
