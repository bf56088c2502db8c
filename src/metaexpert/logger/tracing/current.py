"""The trace the code runs in: begun by `trace()`, carried by tasks and threads started there, shown by every entry."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from metaexpert.logger.context import bound_context
from metaexpert.logger.port import port
from metaexpert.logger.tracing.spans import active_span, enter
from metaexpert.logger.tracing.traceparent import TraceContext, continued, new_trace

_begun: Final[ContextVar[TraceContext | None]] = ContextVar("metaexpert_trace", default=None)


def begun_trace() -> TraceContext | None:
    """The trace that `trace()` began or went on with, whatever OpenTelemetry says."""
    return _begun.get()


def current_trace() -> TraceContext | None:
    """The trace the code runs in: that of OpenTelemetry's active span, else that of `trace()`; None in neither."""
    return active_span() or _begun.get()


def sending_trace() -> TraceContext | None:
    """What a request is sent from: OpenTelemetry's span, which is the request's parent, else a new part of ours."""
    span, begun = active_span(), _begun.get()
    if span is not None and (begun is None or span.span_id != begun.span_id):
        return span
    return None if begun is None else begun.child()


@contextmanager
def trace(traceparent: str | None = None, tracestate: str = "") -> Generator[TraceContext]:
    """Let every entry of this block, and of tasks and threads started in it, belong to one part of a trace.

    Without arguments it is a new part of the trace the code runs in, or of a new one. Requests whose session has
    `request_tracing` carry it on, and spans of OpenTelemetry that begin within are parts of it.

    Args:
        traceparent: the header of a request or message this work answers (W3C Trace Context); a new trace begins where
            it names none.
        tracestate: the header that came with it.
    """
    if traceparent is not None:
        here = continued([traceparent], [tracestate])
    else:
        around = current_trace()
        here = new_trace() if around is None else around.child()
    with within(here):
        yield here


@contextmanager
def within(here: TraceContext) -> Generator[None]:
    """Run the block at this place of a trace."""
    token = _begun.set(here)
    leave = enter(here)
    try:
        with bound_context(here.fields, port.encoder.items):
            yield
    finally:
        if leave is not None:
            leave()
        _begun.reset(token)
