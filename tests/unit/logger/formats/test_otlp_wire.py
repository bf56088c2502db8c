"""The wire format by hand is the official package's, byte for byte where that is defined."""

from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValueList
from support.otlp import plain

from metaexpert.logger.formats import otlp_json
from metaexpert.logger.formats.otlp_wire import any_value, key_values, read_fields, read_varint, utf8, varint

_TEXT = st.text(st.characters(codec="utf-8"))
_SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | _TEXT
VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXT, inner, max_size=5),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES)
def test_any_value_is_what_the_official_package_reads(value: Any):
    read = plain(AnyValue.FromString(any_value(value)))
    assert (read, type(read)) == (value, type(value))


@settings(deadline=None)
@given(st.dictionaries(_TEXT, VALUES, max_size=8))
def test_tables_are_what_it_reads_and_what_json_would_be(table: dict[str, Any]):
    read = KeyValueList.FromString(key_values(b"\x0a", table))
    assert {pair.key: plain(pair.value) for pair in read.values} == table
    assert otlp_json._plain(otlp_json.any_value(table)) == table


@settings(deadline=None)
@given(_SCALARS)
def test_scalars_are_its_very_bytes(value: Any):
    official = AnyValue()
    match value:
        case bool():
            official.bool_value = value
        case int():
            official.int_value = value
        case float():
            official.double_value = value
        case str():
            official.string_value = value
        case _:
            pass
    assert any_value(value) == official.SerializeToString()


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1])
def test_integers_over_64_bits_are_text(number: int):
    assert plain(AnyValue.FromString(any_value(number))) == str(number)
    assert otlp_json.any_value(number) == {"stringValue": str(number)}


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_a_varint_is_read_back(number: int, after: bytes):
    encoded = varint(number)
    assert read_varint(encoded + after, 0) == (number, len(encoded))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 11])
def test_what_is_no_varint_is_refused(data: bytes):
    with pytest.raises(ValueError, match="no whole number"):
        read_varint(data, 0)


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1), _TEXT)
def test_the_fields_of_an_official_message_are_read(code: int, message: str):
    encoded = Status(code=code, message=message).SerializeToString()
    expected = ([(1, code)] if code else []) + ([(2, message.encode())] if message else [])
    assert list(read_fields(encoded)) == expected


def test_fields_of_fixed_size_are_read():
    assert list(read_fields(b"\x09" + b"a" * 8 + b"\x15" + b"b" * 4)) == [(1, b"a" * 8), (2, b"b" * 4)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x0a\x05abc", "ends in a field"),
        (b"\x09abc", "ends in a field"),
        (b"\x0b", "wire type"),
        (b"\x02\x00", "0 is no field's number"),
        (b"\x08\x01" * 1001, "more fields"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, words: str):
    with pytest.raises(ValueError, match=words):
        list(read_fields(data))


def test_lone_surrogates_are_sent_readable():
    assert utf8("a\ud800b") == b"a\\ud800b"
