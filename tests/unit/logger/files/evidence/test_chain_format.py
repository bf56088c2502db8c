"""A line of a chain is read back as it was written, and any other way to write it is refused."""

import hmac
from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.files.evidence.chain_format import (
    DIGEST_BYTES,
    NOTHING,
    FormatError,
    Record,
    digests_of,
    shortened,
    written,
)

KEY = bytes(range(32))


@given(
    values=st.dictionaries(
        st.text(max_size=5).filter(lambda name: name != "kind"),
        st.integers(0, 2**53) | st.text(max_size=20),
        max_size=4,
    ),
    previous=st.binary(min_size=32, max_size=32),
    lines=st.lists(st.binary(max_size=30), max_size=4),
    key=st.none() | st.just(KEY),
)
def test_a_line_is_read_back(values: dict[str, int | str], previous: bytes, lines: list[bytes], key: bytes | None):
    digests = digests_of(lines)
    line, head = written({"kind": "lines", **values}, previous, key, digests)
    record = Record.parsed(line)
    assert record.kind == "lines"
    assert record.head == head
    assert record.values == {"kind": "lines", **values}
    assert record.follows(previous, digests)
    assert not record.follows(previous, digests + NOTHING)
    assert record.is_signed_by(KEY) is (key is not None)


def test_head_and_mac_are_what_the_page_about_the_format_says():
    digests = sha256(b"one").digest() + sha256(b"two").digest()
    line, head = written({"kind": "lines", "count": 2}, NOTHING, KEY, digests)
    body = b'{"kind":"lines","count":2'
    assert head == sha256(bytes(32) + sha256(body).digest() + digests).digest()
    mac = hmac.new(KEY, head, "sha256").hexdigest()
    assert line.decode() == f'{body.decode()},"head":"{head.hex()}","mac":"{mac}"}}\n'
    assert shortened(digests) == b64encode(digests[:8] + digests[32:40]).decode()


HEAD = b"ab" * 32


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b'{"kind":"lines"}\n',
        b'{"kind":"lines","head":"' + HEAD + b'"}',
        b'{"kind":"lines","head":"' + HEAD.upper() + b'"}\n',
        b'{"kind":"lines","head":"' + HEAD[:-2] + b'  "}\n',
        b'{"kind":"lines","head":"' + HEAD[:-1] + b'"}\n',
        b'{"kind":"lines","head":"' + HEAD + b'","mac":"' + HEAD[:-1] + b'g"}\n',
        b'{"kind":"lines","head":"' + HEAD + b'","mac" :"' + HEAD + b'"}\n',
        b'{"kind":5,"head":"' + HEAD + b'"}\n',
        b'["kind","head":"' + HEAD + b'"}\n',
        b',"head":"' + HEAD + b'"}\n',
    ],
)
def test_what_is_no_line_of_a_chain_is_refused(line: bytes):
    with pytest.raises(FormatError):
        Record.parsed(line)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"count": 1, "digests": "AAAA"}, "as many digests"),
        ({"count": 1, "digests": "####"}, "base64"),
        ({"count": True, "digests": b64encode(bytes(DIGEST_BYTES)).decode()}, "count is no number"),
        ({"count": -1, "digests": ""}, "count is no number"),
        ({"count": 1, "digests": 7}, "digests is no text"),
        ({"digests": ""}, "count is no number"),
    ],
)
def test_values_of_another_kind_are_refused(value: dict[str, object], problem: str):
    record = Record.parsed(written({"kind": "lines", **value}, NOTHING, None)[0])
    with pytest.raises(FormatError, match=problem):
        record.digests()
