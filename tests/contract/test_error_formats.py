"""What every format says of an exception with causes, members, notes, variables and a request, against what is
published of each; the same where the error is one of many, and where there is more of it than a receiver takes."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from contract.test_line_formats import IDENTITY, LENGTHS, OURS, ecs_types, flattened, is_of, line_of, read_cef
from google.protobuf import json_format
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData, ScopeLogs

from metaexpert.logger.entry import DETAILS, Capture
from metaexpert.logger.faults.frames import LocalLimits
from metaexpert.logger.faults.groups import GroupRules, groups
from metaexpert.logger.faults.telling import ErrorCall, FaultRules, Faults
from metaexpert.logger.formats.lines import LineFormat
from metaexpert.logger.formats.otlp_model import NO_TRACE, brought
from metaexpert.logger.formats.otlp_protobuf import Protobuf
from metaexpert.logger.formats.splunk_events import SplunkEvents
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.testing.entries import new_entry

LOKI_BYTES = 64 * 1024
"""What Loki takes of structured metadata, which attributes become."""


class RefusedError(Exception):
    """As ccxt's are: told by the module it comes from."""

    __module__ = "ccxt.base.errors"


def refuse() -> None:
    raise RefusedError(
        'binance POST https://api.binance.com/api/v3/order 400 {"code":-2010,"msg":"Insufficient funds"}'
    )


def fail(quantity: str, deep: dict[str, int]) -> None:
    try:
        refuse()
    except RefusedError as error:
        raise LookupError(f"no order of {quantity} and {len(deep)}") from error


def failure() -> BaseException:
    try:
        fail("0.5", {"a": 1})
    except LookupError as error:
        error.add_note("the second try")
        return ExceptionGroup("both legs", [error, TimeoutError("no answer\nforged=1 | x")])
    raise AssertionError


def told_by(*, repeated: bool = False) -> dict[str, Any]:
    """What an entry tells of it."""
    groups.forget()
    rules = FaultRules(
        locals=LocalLimits(), group=GroupRules(tracebacks=1) if repeated else None, entry_id="0194f0-{}".format
    )
    faults, frame = Faults(rules), logging.currentframe()
    assert frame is not None
    call = ErrorCall(logging.ERROR, "orders", "general", frame, lambda: "not placed")
    exception, group = faults.told(failure(), call, Redactor())
    if repeated:
        assert group is not None
        group.number = 7
        exception, _ = faults.told(failure(), call, Redactor())
    return orjson.loads(exception)


def entry_with(told: Mapping[str, Any], **fields: Any) -> Capture:
    """An entry that tells this."""
    made = list(new_entry("order not placed", level=logging.ERROR, **fields))
    made[DETAILS] = (orjson.dumps(told), b"", b"")
    return tuple(made)  # type: ignore[return-value]


@pytest.fixture(params=[False, True], ids=["first", "repeated"])
def told(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    yield told_by(repeated=request.param)
    groups.forget()


def test_the_entry_these_tests_look_at_tells_all_there_is():
    first, repeated = told_by(), told_by(repeated=True)
    assert first.keys() >= {"type", "message", "traceback", "group", "locals", "fingerprint"}
    assert repeated["same_as"] == "0194f0-7"
    assert repeated["seen"] == 2
    assert repeated["fingerprint"] == first["fingerprint"]


# ---- ECS -------------------------------------------------------------------------------------------------------------


def test_ecs_has_the_traceback_with_causes_and_groups_as_python_prints_it(told: dict[str, Any]):
    document = orjson.loads(line_of("ecs", entry_with(told)))
    assert document["error"]["type"] == "ExceptionGroup"
    assert document["error"]["stack_trace"] == told["traceback"]
    assert document["labels"]["error_fingerprint"] == told["fingerprint"]
    if "same_as" in told:
        assert (document["exception"]["same_as"], document["exception"]["seen"]) == ("0194f0-7", 2)
    else:
        assert all(each in told["traceback"] for each in ("direct cause", "Insufficient funds", "the second try"))
        assert document["exception"]["group"] == told["group"]
        assert any("quantity = '0.5'" in each["values"] for each in document["exception"]["locals"])


def test_ecs_of_an_error_keeps_to_the_schema(told: dict[str, Any]):
    known = ecs_types()
    document = orjson.loads(line_of("ecs", entry_with(told, n=1)))
    for name, value in flattened({key: each for key, each in document.items() if key not in OURS}):
        assert name in known, name
        assert is_of(known[name], value), (name, value)


def test_ecs_names_the_code_of_a_refusal():
    coded = {"type": "E", "message": "", "traceback": "", "api_error": {"exchange_code": "-2010", "status": 400}}
    assert orjson.loads(line_of("ecs", entry_with(coded)))["error"]["code"] == "-2010"
    plain = {"type": "E", "message": "", "traceback": "", "api_error": {"status": 503}}
    assert orjson.loads(line_of("ecs", entry_with(plain)))["error"]["code"] == "503"


def test_ecs_makes_no_field_of_a_variables_name():
    """An index has a thousand fields by default; variables of every function would soon take them."""
    document = orjson.loads(line_of("ecs", entry_with(told_by())))
    names = {name for each in document["exception"]["locals"] for name in each}
    assert names == {"frame", "values"}


def test_ecs_keeps_the_tasks_label_beside_the_fingerprint():
    entry = (*entry_with(told_by())[:10], "strategy", *entry_with(told_by())[11:])
    labels = orjson.loads(line_of("ecs", entry))["labels"]  # type: ignore[arg-type]
    assert labels.keys() == {"task", "error_fingerprint"}


# ---- OTLP ------------------------------------------------------------------------------------------------------------


def plain(value: AnyValue) -> Any:
    """An attribute's value as Python has it."""
    match kind := value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [plain(each) for each in value.array_value.values]
        case "kvlist_value":
            return {each.key: plain(each.value) for each in value.kvlist_value.values}
        case _:
            return getattr(value, kind)


def attributes_in_json(entry: Capture) -> dict[str, Any]:
    data = json_format.Parse(line_of("otel", entry), LogsData())
    (record,) = data.resource_logs[0].scope_logs[0].log_records
    return {each.key: plain(each.value) for each in record.attributes}


def attributes_in_protobuf(entry: Capture) -> dict[str, Any]:
    encoding = Protobuf()
    attributes = encoding.attributes(brought(entry)[0])
    part = encoding.part(encoding.scope("orders"), b"uid-1", 1, (attributes, b""), NO_TRACE)
    scope = ScopeLogs.FromString(part)
    return {each.key: plain(each.value) for each in scope.log_records[0].attributes}


@pytest.mark.parametrize("attributes_of", [attributes_in_json, attributes_in_protobuf])
def test_otlp_has_the_conventions_names_and_the_rest_below_our_own(told: dict[str, Any], attributes_of: Any):
    attributes = attributes_of(entry_with(told))
    assert attributes["exception.type"] == "ExceptionGroup"
    assert attributes["exception.stacktrace"] == told["traceback"]
    for key in told.keys() - {"type", "message", "traceback"}:
        assert attributes[f"metaexpert.exception.{key}"] == told[key], key


def test_otlp_gives_a_users_field_of_the_same_name_way_to_the_errors():
    attributes = attributes_in_json(entry_with(told_by(), **{"metaexpert.exception.fingerprint": "mine"}))
    assert attributes["metaexpert.exception.fingerprint"] == told_by()["fingerprint"]
    assert attributes["extra.metaexpert.exception.fingerprint"] == "mine"


def test_otlp_leaves_out_what_is_least_missed_where_a_receiver_has_no_room():
    large = told_by() | {"traceback": "x" * 32_000, "locals": [{"values": {"a": "y" * 9000}}]}
    entry = entry_with(large, book="z" * 22_000)
    attributes = attributes_in_json(entry)
    assert attributes["metaexpert.exception.cut"] == ["locals"]
    assert attributes["metaexpert.exception.fingerprint"] == large["fingerprint"]
    assert attributes["metaexpert.exception.group"] == large["group"]
    assert sum(len(key) + len(orjson.dumps(value)) for key, value in attributes.items()) < LOKI_BYTES


# ---- CEF -------------------------------------------------------------------------------------------------------------

ERROR_LENGTHS = LENGTHS | {"flexString1": 1023, "flexString2": 1023, "cn1": 19} | {
    f"{key}Label": 128 for key in ("flexString1", "flexString2")
} | {"cn1Label": 1023}  # fmt: skip
"""The keys of the dictionary that errors have beside those of all entries."""


def test_cef_names_what_errors_are_joined_by(told: dict[str, Any]):
    _, severity, extension = read_cef(line_of("cef", entry_with(told)).decode())
    assert severity == 8
    labelled = {extension[f"{key}Label"]: extension[key] for key in extension if f"{key}Label" in extension}
    assert labelled["fingerprint"] == told["fingerprint"]
    if "same_as" in told:
        assert (labelled["same_as"], labelled["seen"]) == ("0194f0-7", "2")
    assert orjson.loads(extension["MetaExpertLoggerException"]) == told
    for key, value in extension.items():
        if not key.startswith("MetaExpertLogger"):
            assert len(value) <= ERROR_LENGTHS[key], key


def test_cef_shows_both_ends_of_a_long_traceback():
    long = told_by() | {"traceback": "first cause" + "\n语 frame" * 3000 + "\nlast line"}
    _, _, extension = read_cef(line_of("cef", entry_with(long)).decode())
    assert extension["cs6"].startswith("first cause")
    assert extension["cs6"].endswith("last line")
    assert len(extension["cs6"]) <= 4000


# ---- Splunk ----------------------------------------------------------------------------------------------------------


def test_splunk_nests_the_error_in_the_event_and_indexes_its_fingerprint(told: dict[str, Any]):
    event = orjson.loads(line_of("splunk", entry_with(told)))
    assert event["event"]["exception"] == told
    assert event["fields"]["fingerprint"] == told["fingerprint"]
    assert all(isinstance(value, str) for value in event["fields"].values())


def test_splunk_prefers_a_field_that_is_called_so():
    event = orjson.loads(line_of("splunk", entry_with(told_by(), fingerprint="mine")))
    assert event["fields"]["fingerprint"] == "mine"


# ---- text ------------------------------------------------------------------------------------------------------------


def test_text_shows_causes_members_notes_variables_and_the_request_indented():
    first, *below = line_of("text", entry_with(told_by())).decode().split("\n")
    assert first.endswith("order not placed")
    assert all(line.startswith("    ") for line in below)
    shown = "\n".join(below)
    for said in ("LookupError: no order of 0.5", "direct cause", "the second try", "| TimeoutError: no answer"):
        assert said in shown
    assert "        quantity = '0.5'" in shown
    assert f"      fingerprint: {told_by()['fingerprint']}" in below


def test_text_shows_the_request_and_the_task():
    more = {"api_error": {"method": "POST", "path": "/order"}, "task_stack": ["a.py:1 in run", "a.py:9 in place"]}
    text = line_of("text", entry_with(told_by() | more)).decode()
    assert "\n      request: method=POST path=/order\n" in text
    assert "\n      task: a.py:1 in run > a.py:9 in place\n" in text


# ---- what is read back ----------------------------------------------------------------------------------------------

ODD: dict[str, Any] = {
    "type": None, "message": ["x"], "traceback": {"a": 1}, "causes": "none", "group": 5, "notes": {"\x00": "\u202e"},
    "task_stack": "x\nforged", "locals": [1, {"values": 2}, {"values": {"a\n2026-01-01T00:00:00Z CRITICAL x": None}}],
    "fingerprint": {"a": 1}, "api_error": {"status": [1], "x\n2026-01-01T00:00:00Z CRITICAL y": "\u202e"}, "seen": "x",
    "same_as": 2**63, "else": [None],
}  # fmt: skip
"""What no entry of ours tells, but a file that somebody else wrote may."""


@pytest.mark.parametrize("line_format", ["json", "text", "ecs", "otel", "splunk", "cef"])
def test_any_object_under_exception_is_written_in_every_format(line_format: LineFormat):
    line = line_of(line_format, entry_with(ODD)).decode()
    lines = line.split("\n")
    assert all(each.startswith("    ") for each in lines[1:])
    assert line_format == "text" or len(lines) == 1


def test_a_splunk_event_without_wanted_fields_looks_for_no_fingerprint():
    encode = SplunkEvents(IDENTITY, lambda _: b"{}", indexed_fields=())
    assert orjson.loads(encode(entry_with(told_by())))["fields"].keys() == {"service", "entry_id"}
