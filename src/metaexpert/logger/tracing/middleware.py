"""The receiving side: an aiohttp server's handlers run in the trace their request belongs to."""

from typing import TYPE_CHECKING

from metaexpert.logger.tracing.current import within
from metaexpert.logger.tracing.spans import active_span
from metaexpert.logger.tracing.traceparent import continued

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.web import Request, StreamResponse


async def trace_middleware(
    request: "Request", handler: "Callable[[Request], Awaitable[StreamResponse]]"
) -> "StreamResponse":
    """Run a handler in the trace that `traceparent` and `tracestate` of its request name, else in a new one.

    Where OpenTelemetry's own middleware has begun a span already, that one counts. No other header is read, `baggage`
    neither.

    ```python
    app = web.Application(middlewares=[trace_middleware])
    ```
    """
    if active_span() is not None:
        return await handler(request)
    headers = request.headers
    with within(continued(headers.getall("traceparent", []), headers.getall("tracestate", []))):
        return await handler(request)


# as `aiohttp.web.middleware` marks one; importing aiohttp.web for that would cost those who serve nothing
setattr(trace_middleware, "__middleware_version__", 1)  # noqa: B010 - pyright knows no such attribute
