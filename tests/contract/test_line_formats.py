"""Lines in every format, against what is published of each: ECS's field definitions, OTLP's messages, HEC's envelope,
CEF's grammar and dictionary."""

import logging
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from support.running_logger import logging_to

from metaexpert.logger import ConsoleOptions, FileOptions, KeysOptions, MemoryOptions, NdjsonOptions, get_logger
from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.cef import CefLines, extension_text, header_text
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.formats.lines import JsonFormat, LineFormat, encoder_of
from metaexpert.logger.identity import Identity
from metaexpert.logger.testing.entries import new_entry
from metaexpert.logger.testing.hostile import hostile_entries

IDENTITY = Identity(service="ema-cross", boot_id="0194f0c2a1bcdef12", pid=4242, host="bot-7")
ECS_FIELDS = Path(__file__).parent / "schemas" / "ecs-8.11.0.tsv"
FORMATS: tuple[LineFormat, ...] = get_args(LineFormat.__value__)
JSON_FORMATS: tuple[JsonFormat, ...] = get_args(JsonFormat.__value__)

log = get_logger("contract.lines")


def line_of(line_format: LineFormat, entry: Capture, environment: str = "") -> bytes:
    """The entry in a format."""
    return encoder_of(line_format, IDENTITY, environment, JsonLines(IDENTITY))(entry)


def entries() -> list[Capture]:
    """Ordinary ones and odd ones."""
    return [
        new_entry("started", n=1, symbol="BTCUSDT"),
        new_entry("filled", trade_data={"event": "order_filled", "order_id": "42", "price": "1.50", "quantity": "0.1"}),
        new_entry("down", level=logging.CRITICAL, error=ValueError("no price")),
        *(entry for _, entry in hostile_entries()),
    ]


@pytest.mark.parametrize("line_format", FORMATS)
def test_any_entry_is_one_piece_of_utf8_without_what_ends_lines(line_format: LineFormat):
    for entry in entries():
        line = line_of(line_format, entry).decode()
        if line_format == "text":  # tracebacks stand below their line, indented
            line = re.sub("\n    ", "", line)
        assert "\n" not in line
        assert "\r" not in line
        assert "\x00" not in line


@pytest.mark.parametrize("line_format", JSON_FORMATS)
def test_lines_of_json_are_json(line_format: LineFormat):
    for entry in entries():
        assert isinstance(orjson.loads(line_of(line_format, entry)), dict)


# ---- ECS -------------------------------------------------------------------------------------------------------------

OURS = ("extra", "trade_data", "error_context", "exception")
"""Objects of users' fields, and of what the schema does not know of errors: custom, as the schema allows."""


def ecs_types() -> dict[str, str]:
    """The official fields, by name."""
    lines = ECS_FIELDS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def flattened(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each value with its dotted name."""
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in (*OURS, "labels"):
            yield from flattened(value, f"{name}.")
        else:
            yield name, value


def is_of(kind: str, value: Any) -> bool:
    """Whether a value may stand in a field of this type."""
    match kind:
        case "date":
            return datetime.fromisoformat(value).tzinfo is not None
        case "long":
            return type(value) is int and -(2**63) <= value < 2**63
        case "object":
            return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
        case _:
            return isinstance(value, str)


def test_documents_have_fields_of_the_schema_alone_with_its_types():
    known = ecs_types()
    assert len(known) > 50
    for entry in entries():
        document = orjson.loads(line_of("ecs", entry, "live"))
        assert document["ecs"]["version"] == "8.11.0"
        assert document["service"]["environment"] == "live"
        for name, value in flattened(document):
            if name not in OURS:
                assert name in known, f"ECS has no field {name}"
                assert is_of(known[name], value), (name, value)
            else:
                assert isinstance(value, dict)


# ---- OTLP ------------------------------------------------------------------------------------------------------------


def test_each_line_of_otlp_is_logs_data_as_the_protocol_buffers_have_it():
    for entry in entries():
        line = line_of("otel", entry, "live")
        data = json_format.Parse(line, LogsData())
        assert json_format.Parse(line, ExportLogsServiceRequest()).resource_logs == data.resource_logs
        (resource,) = data.resource_logs
        (scope,) = resource.scope_logs
        (record,) = scope.log_records
        assert record.time_unix_nano == entry[1]
        told = {each.key: each.value for each in resource.resource.attributes}
        assert told["service.name"].string_value == "ema-cross"
        assert told["deployment.environment.name"].string_value == "live"
        assert told["process.pid"].int_value == 4242
        (uid,) = [each.value.string_value for each in record.attributes if each.key == "log.record.uid"]
        assert uid == IDENTITY.entry_id(entry[0])


# ---- Splunk ----------------------------------------------------------------------------------------------------------

HEC_KEYS = {"time", "host", "source", "sourcetype", "index", "event", "fields"}
"""Splunk, "Format events for HTTP Event Collector": event metadata."""


def test_events_are_envelopes_of_the_collector_with_flat_fields():
    for entry in entries():
        line = line_of("splunk", entry)
        event = orjson.loads(line)
        assert event.keys() <= HEC_KEYS
        assert event["event"] == orjson.loads(JsonLines(IDENTITY)(entry))
        assert all(isinstance(value, str) for value in event["fields"].values())
        assert (event["host"], event["source"], event["sourcetype"]) == ("bot-7", "ema-cross", "_json")
        assert b'"time":%d.%09d,' % divmod(entry[1], 10**9) in line


# ---- CEF -------------------------------------------------------------------------------------------------------------

LENGTHS = {
    "rt": 20, "dvchost": 255, "dvcpid": 10, "deviceProcessName": 1023, "externalId": 40, "cat": 1023, "msg": 1023,
    "act": 63, "outcome": 63, "reason": 1023, "suser": 1023,
    **{f"cs{number}": 4000 for number in range(1, 7)}, **{f"cs{number}Label": 1023 for number in range(1, 7)},
    **{f"cfp{number}": 120 for number in range(1, 5)}, **{f"cfp{number}Label": 1023 for number in range(1, 5)},
}  # fmt: skip
"""The keys we use, and how long their values may be, as the standard's extension dictionary has them."""

_HEADER = re.compile(r"CEF:(?P<version>[01])" + r"\|((?:[^|\\\n\r]|\\[|\\])*)" * 5 + r"\|(10|[0-9])\|(.*)", re.DOTALL)
_KEY = re.compile(r"(?:^| )([A-Za-z0-9_.]+)=")


def read_cef(line: str) -> tuple[list[str], int, dict[str, str]]:
    """Header fields, severity and extension; AssertionError where a line breaks the grammar."""
    found = _HEADER.fullmatch(line)
    assert found, line[:200]
    *header, severity, extension = found.groups()[1:]
    return [re.sub(r"\\([|\\])", r"\1", each) for each in header], int(severity), read_extension(extension)


def read_extension(text: str) -> dict[str, str]:
    """Keys and values; a value ends where the next key, an equals sign that is not escaped behind it, begins."""
    bare = re.sub(r"\\.", "..", text)  # what is escaped is no delimiter
    begins = list(_KEY.finditer(bare))
    assert begins, text[:200]
    assert begins[0].start() == 0
    ends = [*(each.start() for each in begins[1:]), len(text)]
    pairs = [(each[1], text[each.end() : end]) for each, end in zip(begins, ends, strict=True)]
    assert len(dict(pairs)) == len(pairs), "a key stands twice"
    return {key: plain_value(value) for key, value in pairs}


def plain_value(value: str) -> str:
    """A value without its escapes."""
    assert re.fullmatch(r"(?:[^\\=\n\r]|\\[\\=nr])*", value), value[:200]
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), value)


def test_events_keep_the_grammar_and_the_dictionary_of_cef():
    for entry in entries():
        header, severity, extension = read_cef(line_of("cef", entry).decode())
        vendor, product, _, signature, name = header
        assert (vendor, product) == ("MetaExpert", "Logger")
        assert signature.startswith(entry[11])
        assert name
        assert len(name) <= 512
        assert 0 <= severity <= 10
        for key, value in extension.items():
            if not key.startswith("MetaExpertLogger"):
                assert len(value) <= LENGTHS[key], key
        assert {f"{key}Label" for key in extension if re.fullmatch(r"c(s|fp)\d", key)} <= extension.keys()
        assert extension["externalId"] == IDENTITY.entry_id(entry[0])
        assert extension["rt"] == str(entry[1] // 10**6)
        assert (extension["dvchost"], extension["dvcpid"]) == ("bot-7", "4242")
        for key, value in extension.items():
            if key in {"MetaExpertLoggerExtra", "MetaExpertLoggerTradeData", "MetaExpertLoggerException"}:
                orjson.loads(value)


def test_a_trade_can_be_looked_for_by_what_the_dictionary_has_for_it():
    trade = {"event": "order_filled", "order_id": "42", "symbol": "BTCUSDT", "price": "64000.10", "quantity": "0.1"}
    entry = new_entry("order_filled 0.1", trade_data={**trade, "status": "FILLED", "actor": "desk"})
    header, severity, extension = read_cef(line_of("cef", entry).decode())
    assert header[3:] == ["trade.order_filled", "order filled"]
    assert severity == 3
    labelled = {extension[f"{key}Label"]: extension[key] for key in extension if f"{key}Label" in extension}
    assert labelled["order_id"] == "42"
    assert labelled["symbol"] == "BTCUSDT"
    assert (labelled["price"], labelled["quantity"]) == ("64000.10", "0.1")
    assert (extension["act"], extension["outcome"], extension["suser"]) == ("order_filled", "FILLED", "desk")
    assert orjson.loads(extension["MetaExpertLoggerTradeData"])["price"] == "64000.10"


def test_severities_of_cef_rise_with_levels():
    levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    assert [read_cef(line_of("cef", new_entry("x", level=level)).decode())[1] for level in levels] == [1, 3, 6, 8, 10]


def test_what_the_dictionary_has_no_room_for_is_kept_whole_elsewhere():
    _, _, extension = read_cef(CefLines(IDENTITY)(new_entry("x" * 5000)).decode())
    assert len(extension["msg"]) == 1023
    assert extension["MetaExpertLoggerMessage"] == "x" * 5000


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_comes_back_out_of_header_and_extension(text: str):
    controls = "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
    shown = re.sub(controls, lambda found: found.group().encode("unicode_escape").decode(), text)
    line = f"CEF:0|a|b|c|{header_text(text)}|n|3|first={extension_text(text)} second={extension_text(text)}"
    header, _, extension = read_cef(line)
    assert extension == {"first": shown, "second": shown}
    assert header[3] == shown.replace("\n", " ").replace("\r", " ")


# ---- in sinks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line_format", FORMATS)
async def test_a_file_has_the_lines_of_its_format(tmp_path: Path, line_format: LineFormat):
    file = FileOptions(path="all.log", format=line_format, environment="live")
    async with logging_to(file, MemoryOptions(), log_dir=tmp_path) as runtime:
        log.info("first", n=1)
        log.trade.order_placed(order_id="1", symbol="BTCUSDT", side="BUY", quantity="0.1", price="1.50")
        assert await runtime.flush()
    lines = (tmp_path / "all.log").read_bytes().splitlines()
    assert len(lines) == 2
    beginnings = {"json": b'{"timestamp"', "text": b"2", "ecs": b'{"@timestamp"', "otel": b'{"resourceLogs"'}
    beginnings |= {"splunk": b'{"host"', "cef": b"CEF:0|MetaExpert|Logger|"}
    assert all(line.startswith(beginnings[line_format]) for line in lines)
    if line_format in {"ecs", "otel"}:
        assert all(b"live" in line for line in lines)


async def test_the_console_writes_the_format_it_is_told(capfd: pytest.CaptureFixture[str], tmp_path: Path):
    async with logging_to(ConsoleOptions(format="ecs", stream="stdout"), log_dir=tmp_path) as runtime:
        log.info("first")
        assert await runtime.flush()
    (line,) = capfd.readouterr().out.splitlines()
    assert orjson.loads(line)["message"] == "first"


@pytest.mark.parametrize("line_format", FORMATS)
async def test_what_a_sink_leaves_out_is_in_no_format(tmp_path: Path, line_format: LineFormat):
    keys = KeysOptions(exclude=("extra.account",))
    async with logging_to(FileOptions(path="all.log", format=line_format, keys=keys), log_dir=tmp_path) as runtime:
        log.info("first", account="DE12-hidden", n=1)
        assert await runtime.flush()
    text = (tmp_path / "all.log").read_text(encoding="utf-8")
    assert "DE12-hidden" not in text
    assert "first" in text


def test_ndjson_takes_formats_of_json_alone():
    assert NdjsonOptions(url="http://127.0.0.1:1", format="otel").format == "otel"
    with pytest.raises(Exception, match="format"):
        NdjsonOptions.model_validate({"url": "http://127.0.0.1:1", "format": "cef"})
