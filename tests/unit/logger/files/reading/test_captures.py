"""Entries read back encode as the live ones did: the same documents but for what no line tells."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from support.every_kind import captured_entries

from metaexpert.logger.files.reading.captures import capture_of, run_of
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.moments import stamp_ns
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.formats.otlp_json import Json
from metaexpert.logger.formats.otlp_records import Records
from metaexpert.logger.identity import Identity

IDENTITY = Identity(service="expert", boot_id="1a2097fe9ce0bcd01", pid=4711, host="here")


def read_back(line: bytes, source: str = "expert.log") -> LogEntry:
    values: dict[str, Any] = orjson.loads(line) if line.startswith(b"{") else {"timestamp": 5}
    time_ns = stamp_ns(values["timestamp"])
    assert time_ns is not None
    return LogEntry(line, Path(source), time_ns, entry_id=values.get("id"))


def without_qualified_names(record: bytes) -> dict[str, Any]:
    """An open `ScopeLogs` object, without what only the call knows: the whole path and the function's class."""
    scope = orjson.loads(record + b"]}")
    attributes = scope["logRecords"][0]["attributes"]
    scope["logRecords"][0]["attributes"] = [
        each for each in attributes if each["key"] not in {"code.file.path", "code.function.name"}
    ]
    return scope


async def test_documents_of_lines_are_those_of_the_calls():
    live = await captured_entries()
    lines, documents, records = JsonLines(IDENTITY), EcsDocuments(IDENTITY, "test"), Records(IDENTITY, Json())
    assert len(live) > 10
    for capture in live:
        entry = read_back(lines(capture))
        again = capture_of(entry)
        assert run_of(entry) == (IDENTITY.boot_id, IDENTITY.pid)
        assert orjson.loads(lines(again)) == orjson.loads(entry.line)
        assert orjson.loads(documents(again)) == orjson.loads(documents(capture))
        assert without_qualified_names(records(again)) == without_qualified_names(records(capture))


def test_a_text_entry_has_an_id_that_stays_the_same_and_the_process_of_its_file():
    line = b"2026-11-23T17:15:01.123456Z INFO     expert.feed: tick symbol=BTCUSDT"
    entry = read_back(line, "expert.20261123T171500Z-4711-0bcd01.0001.log")
    boot_id, pid = run_of(entry)
    assert (len(boot_id), pid) == (20, 4711)
    assert run_of(read_back(line)) == (boot_id, 0)
    document = orjson.loads(EcsDocuments(IDENTITY)(capture_of(entry)))
    assert document["message"] == "tick"
    assert document["extra"] == {"symbol": "BTCUSDT"}
    assert document["log"]["origin"] == {"file": {"name": "unknown.py", "line": 0}, "function": "unknown"}


@pytest.mark.parametrize(
    "line",
    [
        {"timestamp": "2026-11-23T17:15:01Z"},
        {
            "timestamp": "2026-11-23T17:15:01Z",
            "id": "no number",
            "seq": "x",
            "line": "y",
            "module": 3,
            "function": None,
        },
        {"timestamp": "2026-11-23T17:15:01Z", "extra": [], "trade_data": 3, "exception": "text", "stack_info": {}},
        {
            "timestamp": "2026-11-23T17:15:01Z",
            "exception": {"type": 3},
            "thread": "MainThread",
            "task": 7,
            "process": "p",
        },
    ],
)
def test_lines_of_other_programs_become_documents_too(line: dict[str, Any]):
    capture = capture_of(read_back(orjson.dumps({"timestamp": "2026-11-23T17:15:01Z", **line})))
    assert orjson.loads(EcsDocuments(IDENTITY)(capture))["@timestamp"] == "2026-11-23T17:15:01.000000000Z"
    assert orjson.loads(Records(IDENTITY, Json())(capture) + b"]}")["logRecords"]
