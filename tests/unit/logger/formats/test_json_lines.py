"""JSON lines: the keys of the existing interface, once each, in valid UTF-8 JSON; the same entry, the same bytes."""

import os
import re
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metaexpert.logger import Logger
from metaexpert.logger.entry import LogEntry
from metaexpert.logger.formats.json_lines import JsonLines, encode_text
from metaexpert.logger.formats.timestamps import rfc3339
from metaexpert.logger.identity import Identity

type Written = Callable[[Callable[[Logger], object]], LogEntry]

IDENTITY = Identity(service="expert", boot_id="boot", pid=4711, host="box")
BASE_KEYS = frozenset(
    "timestamp level logger message module function line log_type process id seq thread".split()  # noqa: SIM905 - one line
)


def encoded(entry: LogEntry) -> dict[str, Any]:
    return orjson.loads(JsonLines(IDENTITY)(entry))


class TestKeys:
    def test_a_plain_entry_has_exactly_these(self, written: Written, name: str):
        entry = written(lambda log: log.info("hello"))
        line = encoded(entry)
        assert line.keys() == BASE_KEYS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", line["timestamp"])
        assert line["timestamp"] == rfc3339(entry.time_ns)
        assert (line["level"], line["logger"], line["message"]) == ("INFO", name, "hello")
        assert (line["log_type"], line["process"], line["thread"]) == ("general", 4711, threading.get_ident())
        assert (line["module"], line["function"]) == ("test_json_lines", "<lambda>")
        assert (line["id"], line["seq"]) == (f"boot-{entry.seq}", entry.seq)

    def test_fields_trade_data_exception_and_stack_have_their_keys(self, written: Written):
        def fail(log: Logger) -> None:
            try:
                int("wrong")
            except ValueError:
                log.exception("oops", stack_info=True, a=1)

        line = encoded(written(fail))
        assert line.keys() == BASE_KEYS | {"extra", "exception", "stack_info"}
        assert line["extra"] == {"a": 1}
        assert line["exception"].keys() == {"type", "message", "traceback"}

    def test_a_trade_entry_has_its_data(self, written: Written):
        line = encoded(written(lambda log: log.trade.order_cancelled(order_id=1)))
        assert line.keys() == BASE_KEYS | {"trade_data"}
        assert line["log_type"] == "trade"

    def test_bound_fields_stand_under_extra(self, written: Written):
        assert encoded(written(lambda log: log.bind(a=1).info("x")))["extra"] == {"a": 1}

    def test_process_is_this_process_by_default(self, written: Written):
        line = orjson.loads(JsonLines(Identity(service="expert"))(written(lambda log: log.info("x"))))
        assert line["process"] == os.getpid()


class TestBytes:
    @pytest.mark.parametrize(
        "message", ["two\nlines", "carriage\r", "nul\0", 'quote"back\\slash', "\x1b[31m", "語🎉", "\ud800"]
    )
    def test_one_entry_is_one_line_of_utf8(self, written: Written, message: str):
        line = JsonLines(IDENTITY)(written(lambda log: log.info(message, **{message: message})))
        assert b"\n" not in line
        assert b"\r" not in line
        assert b"\x1b" not in line
        shown = message.encode("utf-8", "backslashreplace").decode()
        assert orjson.loads(line.decode("utf-8"))["message"] == shown

    @pytest.mark.parametrize("name", ['quo"te', "new\nline", "語", "\ud800"])
    def test_a_logger_may_have_any_name(self, name: str, lines: Callable[[], list[dict[str, Any]]]):
        from metaexpert.logger import get_logger

        get_logger(name).info("x")
        assert lines()[0]["logger"] == name.encode("utf-8", "backslashreplace").decode()

    def test_the_same_entry_gives_the_same_bytes_each_time_and_everywhere(self, written: Written):
        entry = written(lambda log: log.bind(b=2).warning("x", a=1.5))
        first = JsonLines(IDENTITY)(entry)
        assert JsonLines(IDENTITY)(entry) == first
        again = LogEntry(entry.capture, entry.lane)
        assert JsonLines(IDENTITY)(again) == first

    def test_many_sites_do_not_grow_it_without_bound_nor_mix_up(self, written: Written):
        lines = JsonLines(IDENTITY)
        entry = written(lambda log: log.info("x"))
        for level in range(10_100):
            other = LogEntry((*entry.capture[:2], level, *entry.capture[3:]), entry.lane)
            assert b'"level":"INFO"' not in lines(other) or level == 20
        assert orjson.loads(lines(entry))["level"] == "INFO"

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(message=st.text(), key=st.text(), value=st.text())
    def test_any_text_comes_back_as_it_was(self, written: Written, message: str, key: str, value: str):
        entry = written(lambda log: log.info(message, extra={f"k{key}": value}))
        line = encoded(entry)
        assert line["message"] == message
        assert list(line["extra"]) == [f"k{key}"]
        assert line["extra"][f"k{key}"] in {value, "[REDACTED]"}

    @given(st.text(st.characters(categories=["L", "Cs", "Cc"])))
    def test_encode_text_always_gives_json(self, text: str):
        assert orjson.loads(encode_text(text)) == text.encode("utf-8", "backslashreplace").decode()


class TestTimestamps:
    @pytest.mark.parametrize(
        ("time_ns", "shown"),
        [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (1_709_164_799_999_999_999, "2024-02-28T23:59:59.999999999Z"),
            (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000000000Z"),
            (4_102_444_800_000_000_010, "2100-01-01T00:00:00.000000010Z"),
        ],
    )
    def test_are_rfc_3339_with_nanoseconds(self, make_entry: Callable[..., LogEntry], time_ns: int, shown: str):
        assert rfc3339(time_ns) == shown
        assert encoded(make_entry(1, time_ns=time_ns))["timestamp"] == shown
