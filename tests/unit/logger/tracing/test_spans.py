"""Entries say which span of OpenTelemetry was active where they were logged; nothing is read of it without its API."""

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from typing import Any, override

import pytest
from opentelemetry import baggage
from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider

from metaexpert.logger import (
    Logger,
    LoggingRuntime,
    RedactionOptions,
    TracingOptions,
    current_trace,
    log_context,
    trace,
)

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]

tracer = TracerProvider().get_tracer("tests")


def ids(span: otel.Span) -> tuple[str, str]:
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def named(line: Line) -> tuple[str, str]:
    return line["extra"]["trace_id"], line["extra"]["span_id"]


def test_an_entry_names_the_span_it_was_logged_in(log: Logger, lines: Lines):
    log.info("outside", a=1)
    with tracer.start_as_current_span("outer") as outer:
        log.info("outer", a=1)
        with tracer.start_as_current_span("inner") as inner:
            log.info("inner")
        log.error("outer again")
    outside, *within = lines()
    assert outside["extra"] == {"a": 1}
    assert [named(line) for line in within] == [ids(outer), ids(inner), ids(outer)]
    assert within[0]["extra"]["a"] == 1
    flags = f"{outer.get_span_context().trace_flags:02x}"
    assert {line["extra"]["trace_flags"] for line in within} == {flags}


def test_every_kind_of_entry_names_it(log: Logger, lines: Lines):
    with tracer.start_as_current_span("span") as span:
        log.trade.order_cancelled(order_id="7")
        log.audit("audited")
        log.warning("%d", 1, exc_info=ValueError("x"))
        log.info("nested", deep={"a": 1})
    assert [named(line) for line in lines()] == [ids(span)] * 4


def test_what_the_program_says_itself_counts(log: Logger, lines: Lines):
    with tracer.start_as_current_span("span") as span:
        log.info("own", trace_id="mine")
        with log_context(span_id="mine too"):
            log.info("context")
        log.info("deeper", upstream={"trace_id": "theirs"})
    own, context, deeper = lines()
    assert own["extra"] == {"trace_id": "mine"}
    assert context["extra"] == {"span_id": "mine too"}
    assert named(deeper) == ids(span)


def test_spans_follow_tasks_and_threads_as_opentelemetry_has_them(runner: asyncio.Runner, log: Logger, lines: Lines):
    async def work() -> None:
        log.info("task")
        await asyncio.to_thread(log.info, "thread")

    async def both() -> None:
        with tracer.start_as_current_span("span"):
            await asyncio.gather(work(), work())

    with tracer.start_as_current_span("around") as around:
        bare = threading.Thread(target=log.info, args=("bare thread",))
        bare.start()
        bare.join()
        runner.run(both(), context=None)
    found = lines()
    assert "extra" not in found[0]
    assert len({named(line) for line in found[1:]}) == 1
    assert named(found[1]) != ids(around)


def test_a_span_that_is_none_costs_no_entry(log: Logger, lines: Lines):
    with otel.use_span(otel.INVALID_SPAN):
        log.info("invalid")
    key = next(iter(otel.set_span_in_context(otel.INVALID_SPAN, otel_context.Context())))
    token = otel_context.attach(otel_context.set_value(key, "no span at all"))
    log.info("nonsense")
    assert current_trace() is None
    otel_context.detach(token)
    assert [line.get("extra") for line in lines()] == [None, None]


def test_it_can_be_switched_off_and_on_while_logging_runs(
    start: Callable[..., LoggingRuntime], runner: asyncio.Runner, log: Logger, lines_of: Callable[[Any], list[Line]]
):
    runtime = start(tracing=TracingOptions(opentelemetry="off"))
    with tracer.start_as_current_span("span"):
        log.info("off")
        runner.run(runtime.reload(runtime.config.model_copy(update={"tracing": TracingOptions()})))
        log.info("on")
    off, on = lines_of(runtime)
    assert "extra" not in off
    assert "trace_id" in on["extra"]


def test_the_rules_of_redaction_hold_for_them(
    start: Callable[..., LoggingRuntime], log: Logger, lines_of: Callable[[Any], list[Line]]
):
    runtime = start(redaction=RedactionOptions(keys=("span_id",)))
    with tracer.start_as_current_span("span") as span:
        log.info("x")
    (line,) = lines_of(runtime)
    assert named(line) == (ids(span)[0], "[REDACTED]")


class TestContextsOfOpenTelemetry:
    def test_none_is_kept_alive_by_an_entry_logged_in_it(self, log: Logger):
        span = tracer.start_span("span")
        token = otel_context.attach(otel.set_span_in_context(span))
        log.info("within")
        alive = weakref.ref(otel_context.get_current())
        otel_context.detach(token)
        del token
        gc.collect()
        assert alive() is None

    def test_many_one_after_the_other_are_told_apart(self, log: Logger, lines: Lines):
        expected: list[tuple[str, str]] = []
        for _ in range(600):
            with tracer.start_as_current_span("span") as span:
                log.info("within", order_id="A-17")
                expected.append(ids(span))
            log.info("outside")
        found = lines()
        assert [named(line) for line in found[::2]] == expected
        assert not any("extra" in line for line in found[1::2])

    def test_baggage_is_another_context_of_the_same_span(self, log: Logger, lines: Lines):
        with tracer.start_as_current_span("span") as span:
            log.info("before")
            token = otel_context.attach(baggage.set_baggage("account", "main"))
            log.info("with baggage")
            otel_context.detach(token)
        assert [named(line) for line in lines()] == [ids(span)] * 2

    def test_a_span_that_fails_costs_no_entry_and_may_do_better_later(self, log: Logger, lines: Lines):
        class Failing(otel.NonRecordingSpan):
            fails = True

            @override
            def get_span_context(self) -> otel.SpanContext:
                if self.fails:
                    raise RuntimeError("not ready")
                return super().get_span_context()

        span = Failing(tracer.start_span("span").get_span_context())
        with otel.use_span(span):
            log.info("fails")
            span.fails = False
            log.info("does")
        fails, does = lines()
        assert "extra" not in fails
        assert named(does) == ids(span)

    @pytest.mark.parametrize("watchable", [True, False])
    def test_they_may_be_kept_elsewhere_than_in_a_context_variable(
        self,
        start: Callable[..., LoggingRuntime],
        log: Logger,
        lines_of: Callable[[Any], list[Line]],
        monkeypatch: pytest.MonkeyPatch,
        *,
        watchable: bool,
    ):
        class Elsewhere:
            """Where a program keeps contexts that has chosen so; not of a kind that is known."""

            def __init__(self) -> None:
                self.context: dict[str, object] = {}

            def get_current(self) -> dict[str, object]:
                return self.context

        elsewhere = Elsewhere()
        monkeypatch.setattr(otel_context, "_RUNTIME_CONTEXT", elsewhere)
        runtime = start()
        span = tracer.start_span("span", context=otel_context.Context())
        context = otel.set_span_in_context(span, otel_context.Context())
        log.info("outside")
        elsewhere.context = context if watchable else dict(context)
        log.info("within")
        log.info("within, again")
        elsewhere.context = {}
        log.info("outside again")
        outside, within, again, after = lines_of(runtime)
        assert "extra" not in outside
        assert "extra" not in after
        assert [named(within), named(again)] == [ids(span)] * 2

    def test_bound_fields_that_name_a_trace_count_each_time(self, log: Logger, lines: Lines):
        bound = log.bind(trace_id="mine")
        with tracer.start_as_current_span("span"):
            bound.info("one")
            bound.info("two", a=1)
        assert [line["extra"]["trace_id"] for line in lines()] == ["mine"] * 2
        assert all("span_id" not in line["extra"] for line in lines())


class TestWithTracesOfOurOwn:
    def test_a_span_within_a_trace_is_a_part_of_it(self, log: Logger, lines: Lines):
        with trace() as here:
            log.info("ours")
            with tracer.start_as_current_span("span") as span:
                log.info("theirs")
            log.info("ours again")
        assert ids(span)[0] == here.trace_id
        expected = [(here.trace_id, here.span_id), ids(span), (here.trace_id, here.span_id)]
        assert [named(line) for line in lines()] == expected

    def test_a_trace_within_a_span_is_a_part_of_it(self, log: Logger, lines: Lines):
        with tracer.start_as_current_span("span") as span, trace() as here:
            log.info("ours")
        assert here.trace_id == ids(span)[0]
        assert [named(line) for line in lines()] == [(here.trace_id, here.span_id)]

    def test_current_trace_is_the_nearest(self):
        assert current_trace() is None
        with trace() as here, tracer.start_as_current_span("span") as span:
            found = current_trace()
            assert found is not None
            assert (found.trace_id, found.span_id) == ids(span)
            assert found.trace_id == here.trace_id


_LATE_IMPORT = """
import asyncio, json, sys
from metaexpert.logger import LoggerConfig, MemoryOptions, get_logger, setup_logging
from metaexpert.logger.port import port

log = get_logger("late")

async def main():
    config = LoggerConfig(log_to_console=False, log_to_file=False, sinks=(MemoryOptions(),), journal={"enabled": False})
    async with setup_logging(config) as runtime:
        assert "opentelemetry" not in sys.modules
        plain = port.put
        assert plain == runtime._pipeline.ingress.put  # nothing stands before it
        log.info("before")
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        with TracerProvider().get_tracer("late").start_as_current_span("span"):
            log.info("after")
        await runtime.flush()
        found = [entry.get("extra") for entry in runtime.sinks["memory"].entries if entry["logger"] == "late"]
        print(json.dumps(found))
    assert not any(type(finder).__name__ == "ImportWatch" for finder in sys.meta_path)

asyncio.run(main())
"""


def test_the_api_may_be_imported_while_logging_runs_and_costs_nothing_before():
    run = subprocess.run([sys.executable, "-c", _LATE_IMPORT], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("[null, {")
    assert '"trace_id"' in run.stdout


@pytest.mark.parametrize("stops", [True, False])
def test_nothing_waits_for_an_import_when_logging_has_stopped(
    start: Callable[..., LoggingRuntime], runner: asyncio.Runner, stops: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    runtime = start()
    watching = [finder for finder in sys.meta_path if type(finder).__name__ == "ImportWatch"]
    assert len(watching) == 1
    if stops:
        runner.run(runtime.stop())
    else:
        config = runtime.config.model_copy(update={"tracing": TracingOptions(opentelemetry="off")})
        runner.run(runtime.reload(config))
    assert watching[0] not in sys.meta_path


def test_the_finder_behind_the_watch_is_asked_as_ever(
    start: Callable[..., LoggingRuntime], monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []

    class Behind(MetaPathFinder):
        def find_spec(self, fullname: str, *_: object) -> None:
            asked.append(fullname)

    monkeypatch.setattr(sys, "meta_path", [Behind(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    start()
    assert type(sys.meta_path[0]).__name__ == "ImportWatch"
    assert find_spec("opentelemetry.trace") is not None
    assert "opentelemetry.trace" in asked
