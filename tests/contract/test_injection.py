"""No text that is logged drives a terminal, forges a line or turns one around, in whatever format it leaves."""

import asyncio
import logging
import re
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.leaks import all_bytes
from support.running_logger import logging_to
from support.scripted_collector import ScriptedCollector, serving, status

from metaexpert.logger import FileOptions, LokiOptions, NdjsonOptions, OtlpOptions, get_logger, log_context
from metaexpert.logger.formats.controls import harmless, neutralised
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.formats.lines import LineFormat, encoder_of
from metaexpert.logger.formatter import MainFormatter
from metaexpert.logger.identity import Identity
from metaexpert.logger.testing.entries import new_entry

IDENTITY = Identity(service="expert", boot_id="boot", pid=4711, host="box")
FORMATS: tuple[LineFormat, ...] = get_args(LineFormat.__value__)
HARMFUL = "".join(
    map(
        chr,
        (
            *range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A),
        ),
    )
)  # fmt: skip
NEIGHBOURS = 'az\\"=| \xa0\xa2\u0420\u0438\u061b\u061d\u200d\u2010\u2027\u202f\u2065\u206a\u20ac\U0001f4c8'
ALLOWED = "\t\n"
"""Between lines and, in text, within them."""

FORBIDDEN = re.compile(f"[{re.escape(''.join(set(HARMFUL) - set(ALLOWED)))}]")

texts = st.text(st.sampled_from(HARMFUL + NEIGHBOURS), min_size=1, max_size=24)


def failed(text: str) -> Exception:
    """An exception with the text wherever one can have it."""
    local = text
    try:
        raise ValueError(local)  # noqa: TRY301 - with a frame and its variables
    except ValueError as error:
        error.add_note(text)
        return error


@given(texts)
@pytest.mark.parametrize("line_format", FORMATS)
def test_no_format_writes_such_a_character_wherever_it_was(line_format: LineFormat, text: str):
    fields: dict[str, Any] = {f"key {text}": text, "deep": {text: [text]}, "symbol": text, "order_id": text}
    entry = new_entry(text, logger=f"log.{text}", error=failed(text), trade_data={"event": text, text: text}, **fields)
    line = encoder_of(line_format, IDENTITY, "", JsonLines(IDENTITY))(entry)
    assert FORBIDDEN.findall(line.decode()) == []
    if line_format != "text":
        assert b"\n" not in line


@given(texts)
def test_json_says_the_same_as_without_escapes(text: str):
    fields: dict[str, Any] = {text: text}
    entry = new_entry(text, logger=text, **fields)
    found = orjson.loads(JsonLines(IDENTITY)(entry))
    assert (found["message"], found["logger"], found["extra"][text]) == (text, text, text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escapes_change_no_document_but_in_these_characters(text: str):
    document = orjson.dumps({text: [text]})
    written = harmless(document)
    assert orjson.loads(written) == {text: [text]}
    assert FORBIDDEN.findall(written.decode()) == []
    assert (written == document) == (FORBIDDEN.search(document.decode()) is None)
    assert FORBIDDEN.findall(neutralised(text)) == []


@given(texts)
def test_the_formatter_for_handlers_of_others_writes_none_either(text: str):
    record = logging.LogRecord(text, logging.INFO, "path", 1, text, None, None)
    record.__dict__[text] = text
    line = MainFormatter().format(record)
    assert FORBIDDEN.findall(line) == []
    assert "\n" not in line


async def test_none_is_on_disk_or_on_the_wire_and_a_retry_sends_the_same_bytes(tmp_path: Path):
    log = get_logger(f"injection.{HARMFUL}")

    async def fail() -> None:
        with log_context(**{f"ctx{HARMFUL}": HARMFUL}):
            log.bind(**{HARMFUL: HARMFUL}).info("said %s", HARMFUL, **{"field" + HARMFUL: [HARMFUL]})
            log.trade.order_rejected(order_id=HARMFUL, reason=HARMFUL, raw={HARMFUL: HARMFUL})
            try:
                raise failed(HARMFUL)
            except ValueError:
                log.exception(HARMFUL, stack_info=True)
                logging.getLogger(f"theirs.{HARMFUL}").exception(HARMFUL)

    loki, otlp, ndjson = (ScriptedCollector(status(code)) for code in (204, 200, 200))
    async with serving(loki), serving(otlp), serving(ndjson):
        for collector in (loki, otlp, ndjson):
            collector.then(status(503))
        backoff: dict[str, Any] = {"backoff_first": 0.01, "backoff_max": 0.02, "batch_max_age": 30.0}
        runtime = logging_to(
            FileOptions(path=tmp_path / "logs" / "expert.log", json_logging=True),
            FileOptions(path=tmp_path / "logs" / "people.log", json_logging=False, name="people"),
            LokiOptions(url=loki.url, metadata=("order_id", f"ctx{HARMFUL}"), **backoff),
            OtlpOptions(url=otlp.url, protocol="json", **backoff),
            NdjsonOptions(url=ndjson.url, format="ecs", **backoff),
            errors={"locals": True},
        )
        async with runtime:
            await asyncio.create_task(fail(), name=f"task-{HARMFUL}")
            await runtime.flush(5.0)
    assert FORBIDDEN.findall(all_bytes(tmp_path / "logs").decode()) == []
    for collector in (loki, otlp, ndjson):
        bodies = [request.body for request in collector.requests]
        assert bodies[0] == bodies[1]
        assert b"injection." in bodies[0]
        assert FORBIDDEN.findall(b"".join(bodies).decode()) == []
