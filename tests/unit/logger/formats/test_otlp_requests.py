"""Requests of parts from whichever run and in whichever encoding: nothing of them changes on the way."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_sinks import capture
from support.otlp import Exported, exported_by, message_of

from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.otlp_json import Json
from metaexpert.logger.formats.otlp_model import resource_attributes
from metaexpert.logger.formats.otlp_protobuf import Protobuf
from metaexpert.logger.formats.otlp_records import Records
from metaexpert.logger.formats.otlp_requests import Request, Requests
from metaexpert.logger.identity import Identity
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.values import ValueEncoder

OWN = Identity(service="tests", boot_id="18f00000000aaaaaa", pid=7, host="here")
EARLIER = Identity(service="tests", boot_id="18e00000000bbbbbb", pid=3, host="here")
ENCODINGS = {"protobuf": Protobuf(), "json": Json()}
NAMES = st.text(st.characters(codec="utf-8"), max_size=200)


@pytest.fixture(params=ENCODINGS)
def encoding(request: pytest.FixtureRequest) -> Protobuf | Json:
    return ENCODINGS[request.param]


def requests(**resource: Any) -> Requests:
    return Requests(OWN.boot_id, resource_attributes(OWN, "", resource))


def read(request: Request) -> list[Exported]:
    return exported_by(message_of(*request))


def entry(seq: int, **fields: Any) -> Capture:
    encoded = ValueEncoder(Redactor()).full(fields)
    made = capture(seq, message=f"n {seq}", logger=f"made.{seq % 2}", time_ns=seq)
    return (*made[:7], encoded, *made[8:])


def test_an_earlier_runs_records_keep_its_instance_and_get_no_process(encoding: Protobuf | Json):
    own, earlier = Records(OWN, encoding), Records(EARLIER, encoding)
    found = read(requests().of([earlier(entry(1)), own(entry(1)), earlier(entry(2))]))
    assert [(record.uid, record.body) for record in found] == [
        (f"{EARLIER.boot_id}-1", "n 1"),
        (f"{EARLIER.boot_id}-2", "n 2"),
        (f"{OWN.boot_id}-1", "n 1"),
    ]
    of_earlier, _, of_own = (record.resource for record in found)
    assert of_own == {
        "service.name": "tests",
        "service.instance.id": OWN.boot_id,
        "host.name": "here",
        "process.pid": 7,
    }
    assert of_earlier == {"service.name": "tests", "service.instance.id": EARLIER.boot_id, "host.name": "here"}


def test_an_instance_that_the_user_names_is_that_of_all_runs(encoding: Protobuf | Json):
    (found,) = read(requests(**{"service.instance.id": "ema-1"}).of([Records(EARLIER, encoding)(entry(1))]))
    assert found.resource["service.instance.id"] == "ema-1"


def test_an_id_that_is_no_hex_is_found_too(encoding: Protobuf | Json):
    (found,) = read(requests().of([Records(replace(EARLIER, boot_id="odd id ü-x"), encoding)(entry(1))]))
    assert found.uid == "odd id ü-x-1"
    assert found.resource["service.instance.id"] == "odd id ü-x"


@settings(deadline=None)
@given(st.dictionaries(NAMES, NAMES | st.integers(-(2**70), 2**70) | st.floats() | st.none(), max_size=5), NAMES)
def test_both_encodings_say_the_same(fields: dict[str, Any], text: str):
    made = entry(5, **{f"f{name}": value for name, value in fields.items()}, nested=[{"a": text}, [1.5, None, True]])
    protobuf, in_json = (read(requests().of([Records(OWN, each)(made)])) for each in ENCODINGS.values())
    assert protobuf == in_json


def test_parts_of_both_encodings_go_as_protobuf():
    """After a change of `protocol` the disk queue holds the other encoding."""
    ids = {"trace_id": "5b8efff798038103d269b633813fc60c", "span_id": "eee19b7ec3c1b174", "trace_flags": 1}
    fields = {"symbol": "BTCUSDT", "nested": {"a": [1, None, 2.5, "x", {"b": False}]}, "huge": 2**80, **ids}
    made = [entry(1, **fields), entry(2)]
    in_json, in_protobuf = ([Records(EARLIER, each)(one) for one in made] for each in (Json(), Protobuf()))
    mixed = requests().of([in_json[0], in_protobuf[1]])
    assert mixed.content_type == "application/x-protobuf"
    assert read(mixed) == read(requests().of(in_json)) == read(requests().of(in_protobuf))


def test_a_sites_pieces_are_those_of_its_level_and_logger(encoding: Protobuf | Json):
    records = Records(OWN, encoding)
    made = [capture(seq, level, logger=name) for seq, (level, name) in enumerate(((20, "a"), (40, "a"), (40, "b")))]
    found = read(requests().of([records(one) for one in [*made, *made]]))
    told = [(record.severity, record.scope, record.body) for record in found]
    assert told == [*[(9, "a", "m0"), (17, "a", "m1")] * 2, *[(17, "b", "m2")] * 2]


def test_a_clock_before_1970_is_no_time(encoding: Protobuf | Json):
    (found,) = read(requests().of([Records(OWN, encoding)(capture(1, time_ns=-5))]))
    assert (found.time_ns, found.observed_ns) == (0, 0)


def test_levels_below_all_are_of_no_severity(encoding: Protobuf | Json):
    (found,) = read(requests().of([Records(OWN, encoding)(capture(1, logging.NOTSET))]))
    assert (found.severity, found.severity_text) == (0, "NOTSET")
