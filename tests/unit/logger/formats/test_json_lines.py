"""JSON lines: the keys of the existing interface, once each, in valid UTF-8 JSON; the same entry, the same bytes."""

import os
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metaexpert.logger import Logger, MemoryOptions
from metaexpert.logger.assembly import json_lines_for
from metaexpert.logger.entry import MONOTONIC_NS, NO_MONOTONIC_NS, SEQ, TIME_NS, Capture, Lane
from metaexpert.logger.formats.json_lines import JsonLines, SharedLines, encode_text
from metaexpert.logger.formats.timestamps import rfc3339
from metaexpert.logger.identity import Identity

type Make = Callable[..., Capture]
type Written = Callable[[Callable[[Logger], object]], Capture]

IDENTITY = Identity(service="expert", boot_id="boot", pid=4711, host="box")
BASE_KEYS = frozenset(
    "timestamp level logger message module function line log_type process id seq monotonic_ns thread".split()  # noqa: SIM905 - one line
)


def encoded(entry: Capture) -> dict[str, Any]:
    return orjson.loads(JsonLines(IDENTITY)(entry))


class TestKeys:
    def test_a_plain_entry_has_exactly_these(self, written: Written, name: str):
        entry = written(lambda log: log.info("hello"))
        line = encoded(entry)
        assert line.keys() == BASE_KEYS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", line["timestamp"])
        assert line["timestamp"] == rfc3339(entry[TIME_NS])
        assert (line["level"], line["logger"], line["message"]) == ("INFO", name, "hello")
        assert (line["log_type"], line["process"], line["thread"]) == ("general", 4711, threading.get_ident())
        assert (line["module"], line["function"]) == ("test_json_lines", "<lambda>")
        assert (line["id"], line["seq"]) == (f"boot-{entry[SEQ]}", entry[SEQ])
        assert line["monotonic_ns"] == entry[MONOTONIC_NS]

    def test_a_call_takes_the_monotonic_time_beside_the_other(self, written: Written):
        began_ns = time.monotonic_ns()
        entries = [written(lambda log: log.info("hello")) for _ in range(3)]
        times = [began_ns, *(entry[MONOTONIC_NS] for entry in entries), time.monotonic_ns()]
        assert times == sorted(times)

    def test_a_monotonic_time_nobody_knows_is_not_written(self, written: Written):
        words = ',"monotonic_ns":0'
        entry = written(lambda log: log.info(words, said=words, monotonic_ns=0))
        line = encoded((*entry[:MONOTONIC_NS], NO_MONOTONIC_NS))
        assert line.keys() == BASE_KEYS - {"monotonic_ns"} | {"extra"}
        assert (line["message"], line["extra"]) == (words, {"said": words, "monotonic_ns": 0})

    def test_fields_trade_data_exception_and_stack_have_their_keys(self, written: Written):
        def fail(log: Logger) -> None:
            try:
                int("wrong")
            except ValueError:
                log.exception("oops", stack_info=True, a=1)

        line = encoded(written(fail))
        assert line.keys() == BASE_KEYS | {"extra", "exception", "stack_info", "severity"}
        assert line["extra"] == {"a": 1}
        assert line["exception"].keys() == {"type", "message", "traceback", "fingerprint"}

    @pytest.mark.parametrize(
        ("level", "severity"), [("info", None), ("warning", None), ("error", "high"), ("critical", "critical")]
    )
    def test_severity_stands_in_lines_from_error_on(self, written: Written, level: str, severity: str | None):
        line = encoded(written(lambda log: getattr(log, level)("told")))
        assert line.get("severity") == severity

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
        again = (*entry,)
        assert again is not entry
        assert JsonLines(IDENTITY)(again) == first

    def test_many_sites_do_not_grow_it_without_bound_nor_mix_up(self, written: Written):
        lines = JsonLines(IDENTITY)
        entry = written(lambda log: log.info("x"))
        for level in range(10_100):
            other = (*entry[:2], level, *entry[3:])
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


class TestShared:
    MOST = 512
    """Lines it keeps at most."""

    @pytest.fixture
    def lines(self) -> SharedLines:
        return SharedLines(JsonLines(IDENTITY))

    def test_each_entry_is_encoded_once_for_sinks_that_keep_step(self, lines: SharedLines, make_entry: Make):
        for first_seq in range(0, self.MOST, 64):
            entries = [make_entry(seq) for seq in range(first_seq, first_seq + 64)]
            first = [lines(entry) for entry in entries]
            for _ in range(3):
                again = [lines(entry) for entry in entries]
                assert all(one is other for one, other in zip(first, again, strict=True))

    def test_in_the_long_run_few_are_encoded_twice(
        self, monkeypatch: pytest.MonkeyPatch, lines: SharedLines, make_entry: Make
    ):
        encoded: list[int] = []
        plain = lines._lines
        monkeypatch.setattr(lines, "_lines", lambda entry: encoded.append(entry[SEQ]) or plain(entry))
        for first_seq in range(0, 20 * self.MOST, 50):
            entries = [make_entry(seq) for seq in range(first_seq, first_seq + 50)]
            for _ in range(3):
                for entry in entries:
                    lines(entry)
        assert len(encoded) <= 20 * self.MOST * 1.1

    def test_its_lines_are_those_of_the_encoder(self, lines: SharedLines, written: Written):
        for entry in (
            written(lambda log: log.bind(b=2).warning("x", a=1.5)),
            written(lambda log: log.trade.order_cancelled(order_id=1)),
            written(lambda log: log.error("x", exc_info=ValueError("wrong"), stack_info=True)),
        ):
            assert lines(entry) == lines(entry) == JsonLines(IDENTITY)(entry)

    def test_no_entry_gets_the_line_of_another_with_the_same_number(self, lines: SharedLines, make_entry: Make):
        """The numbers are the process's own, but what waits from before a fork or a test may carry the same."""
        one, other = make_entry(7), make_entry(7, Lane.ERROR)
        for entry in (one, other, one, other, other):
            assert lines(entry) == JsonLines(IDENTITY)(entry)
        assert lines(one) != lines(other)

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.integers(1, 700), st.sampled_from(Lane)), max_size=1500))
    def test_whoever_asks_in_whatever_order_gets_the_entrys_own_line(
        self, make_entry: Make, asked: list[tuple[int, Lane]]
    ):
        lines, plain = SharedLines(JsonLines(IDENTITY)), JsonLines(IDENTITY)
        known = {what: make_entry(*what) for what in set(asked)}
        for what in asked:
            assert lines(known[what]) == plain(known[what])

    def test_sinks_far_behind_cost_an_encoding_and_no_memory(self, lines: SharedLines, make_entry: Make):
        entries = [make_entry(seq) for seq in range(20 * self.MOST)]
        first = [lines(entry) for entry in entries]
        assert len(lines._recent) <= self.MOST
        assert [lines(entry) for entry in entries] == first
        assert len(lines._recent) <= self.MOST

    def test_only_where_several_sinks_write_the_same(self, make_entry: Make):
        everything, trades = MemoryOptions(name="all"), MemoryOptions(name="trade", log_types=("trade",))
        errors = MemoryOptions(name="error", level="ERROR")
        entry = make_entry(1)

        def shared(*sinks: MemoryOptions) -> bool:
            lines = json_lines_for(sinks, IDENTITY)
            return lines(entry) is lines(entry)

        assert shared(everything, MemoryOptions(name="too"))
        assert shared(everything, errors, MemoryOptions(name="too", level="WARNING"))
        assert not shared(everything)
        assert not shared(everything, trades, errors)


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
    def test_are_rfc_3339_with_nanoseconds(self, make_entry: Make, time_ns: int, shown: str):
        assert rfc3339(time_ns) == shown
        assert encoded(make_entry(1, time_ns=time_ns))["timestamp"] == shown
