"""W3C's headers: read and written as the Recommendation says, by the cases of its own test suite."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.tracing.traceparent import (
    RANDOM,
    SAMPLED,
    TraceContext,
    continued,
    new_trace,
    parse_traceparent,
)

TRACE = "12345678901234567890123456789012"
SPAN = "1234567890123456"


class TestValid:
    @pytest.mark.parametrize(
        "header",
        [
            f"00-{TRACE}-{SPAN}-01",
            f" 00-{TRACE}-{SPAN}-01",
            f"\t00-{TRACE}-{SPAN}-01",
            f"00-{TRACE}-{SPAN}-01 ",
            f"00-{TRACE}-{SPAN}-01\t",
            f"\t 00-{TRACE}-{SPAN}-01 \t",
            f"cc-{TRACE}-{SPAN}-01",
            f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
            f"01-{TRACE}-{SPAN}-01-",
        ],
    )
    def test_a_header_names_the_trace_its_parent_and_flags(self, header: str):
        assert parse_traceparent(header) == TraceContext(TRACE, SPAN, SAMPLED)

    def test_what_is_sent_on_has_the_version_that_is_known(self):
        parsed = parse_traceparent(f"cc-{TRACE}-{SPAN}-01-more")
        assert parsed is not None
        assert parsed.traceparent == f"00-{TRACE}-{SPAN}-01"

    @pytest.mark.parametrize(("came", "goes"), [("00", "00"), ("01", "01"), ("03", "03"), ("ff", "03"), ("fc", "00")])
    def test_flags_that_are_not_defined_are_sent_as_zero(self, came: str, goes: str):
        parsed = parse_traceparent(f"00-{TRACE}-{SPAN}-{came}")
        assert parsed is not None
        assert parsed.traceparent.endswith(f"-{goes}")


class TestInvalid:
    @pytest.mark.parametrize(
        "header",
        [
            "",
            f"00-{TRACE}-{SPAN}-01.",
            f"00-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
            f"cc-{TRACE}-{SPAN}-01.what-the-future-will-be-like",
            f"ff-{TRACE}-{SPAN}-01",
            f".0-{TRACE}-{SPAN}-01",
            f"0.-{TRACE}-{SPAN}-01",
            f"000-{TRACE}-{SPAN}-01",
            f"0000-{TRACE}-{SPAN}-01",
            f"0-{TRACE}-{SPAN}-01",
            f"00-{'0' * 32}-{SPAN}-01",
            "00-.2345678901234567890123456789012-1234567890123456-01",
            "00-1234567890123456789012345678901.-1234567890123456-01",
            "00-123456789012345678901234567890123-1234567890123456-01",
            "00-1234567890123456789012345678901-1234567890123456-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE}-.234567890123456-01",
            f"00-{TRACE}-123456789012345.-01",
            f"00-{TRACE}-12345678901234567-01",
            f"00-{TRACE}-123456789012345-01",
            f"00-{TRACE}-{SPAN}-.0",
            f"00-{TRACE}-{SPAN}-0.",
            f"00-{TRACE}-{SPAN}-001",
            f"00-{TRACE}-{SPAN}-1",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            f"00-{TRACE}-00F067AA0BA902B7-01",
            f"0A-{TRACE}-{SPAN}-01",
            f"00-{TRACE}-{SPAN}-01\n",
            f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
            f"00-{TRACE[:-1]}\u0661-{SPAN}-01",  # a digit, but none of hexadecimal's
        ],
    )
    def test_a_header_that_is_wrong_is_none(self, header: str):
        assert parse_traceparent(header) is None

    @given(st.text(max_size=80))
    def test_any_text_parses_to_something_valid_or_to_nothing(self, header: str):
        parsed = parse_traceparent(header)
        assert parsed is None or parse_traceparent(parsed.traceparent) == parsed


class TestContinued:
    def test_a_request_goes_on_with_its_trace_in_a_new_part_of_it(self):
        here = continued([f"00-{TRACE}-{SPAN}-00"], ["foo=1"])
        assert (here.trace_id, here.flags, here.state) == (TRACE, 0, "foo=1")
        assert here.span_id != SPAN

    @pytest.mark.parametrize("headers", [[], ["nonsense"], [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"]])
    def test_none_or_more_than_one_begins_a_trace_and_leaves_the_state(self, headers: list[str]):
        here = continued(headers, ["foo=1"])
        assert here.trace_id != TRACE
        assert here.state == ""

    def test_a_state_that_is_wrong_leaves_the_trace_alone(self):
        assert continued([f"00-{TRACE}-{SPAN}-01"], ["FOO=1"]).trace_id == TRACE


def test_traces_of_our_own_differ_and_are_valid():
    traces = [new_trace() for _ in range(100)]
    assert len({trace.trace_id for trace in traces}) == len({trace.span_id for trace in traces}) == 100
    assert all(parse_traceparent(trace.traceparent) == trace for trace in traces)
    assert all(trace.flags == SAMPLED | RANDOM for trace in traces)


def test_a_part_of_a_trace_differs_in_its_own_id_alone():
    parent = TraceContext(TRACE, SPAN, SAMPLED, "foo=1")
    child = parent.child()
    assert child._replace(span_id=SPAN) == parent
    assert child.span_id != SPAN
    assert child.headers() == {"traceparent": child.traceparent, "tracestate": "foo=1"}
