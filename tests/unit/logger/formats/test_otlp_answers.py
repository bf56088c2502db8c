"""What receivers say: in protobuf or JSON, whatever they call it, and anything else without an exception."""

import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from support.otlp import partial_success

from metaexpert.logger.formats.otlp_answers import PartialSuccess, read_response, status_message

_MESSAGES = st.text(st.characters(codec="utf-8"))


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1), _MESSAGES)
def test_a_partial_success_is_read_in_both_encodings(rejected: int, message: str):
    response = partial_success(rejected, message)
    expected = PartialSuccess(rejected, message)
    assert read_response(response.SerializeToString()) == expected
    assert read_response(json_format.MessageToJson(response).encode()) == expected


def test_a_negative_number_rejects_nothing():
    assert read_response(partial_success(-1, "odd").SerializeToString()) == PartialSuccess(0, "odd")


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "replace")))
def test_any_body_is_read_or_is_none(body: bytes):
    told = read_response(body)
    assert told is None or (isinstance(told.rejected, int) and isinstance(told.message, str))
    assert isinstance(status_message(body), bytes)


@pytest.mark.parametrize(
    "body", [b'{"partialSuccess":[1]}', b"{", b"nullify", b"\x08", b"\x0a\x02\x08\x80", b"\x08\x01\x0f"]
)
def test_what_is_no_answer_is_none(body: bytes):
    assert read_response(body) is None


def test_unknown_fields_are_passed_over():
    assert read_response(b"\x10\x05" + partial_success(3, "x").SerializeToString()) == PartialSuccess(3, "x")
    assert read_response(b'{"more":1,"partialSuccess":{"rejectedLogRecords":3}}') == PartialSuccess(3)


@settings(deadline=None)
@given(_MESSAGES.filter(bool))
def test_the_message_of_a_status_is_found(message: str):
    status = Status(code=3, message=message)
    assert status_message(status.SerializeToString()) == message.encode()
    assert status_message(json_format.MessageToJson(status).encode()) == message.encode()


@pytest.mark.parametrize("body", [b"", b"plain words", b'{"code":3}', b"[]", b"\x08\x03", b"{"])
def test_another_body_is_its_own_message(body: bytes):
    assert status_message(body) == body
