"""aiohttp's requests: the trace goes along, times are counted, failures say what went wrong and show no secret."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from opentelemetry import baggage
from opentelemetry.sdk.trace import TracerProvider

from metaexpert.logger import Logger, current_trace, request_tracing, trace, trace_middleware
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.measuring import meters

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]
type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADER = f"00-{TRACE}-00f067aa0ba902b7-01"

pytestmark = pytest.mark.usefixtures("runtime")
tracer = TracerProvider().get_tracer("tests")


class Server:
    """A real one on loopback; remembers what it was sent."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.answers: list[Handler] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self.answers.pop(0)(request) if self.answers else web.json_response({"well": True})

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


async def asking(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(url):
        pass


@asynccontextmanager
async def serving(*middlewares: Any) -> AsyncGenerator[Server]:
    server = Server()
    app = web.Application(middlewares=list(middlewares))
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def answer(status: int, body: object, **headers: str) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.json_response(body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return handler


def count(name: str) -> int:
    return meters.timer(name).histogram.count


def session(log: Logger, **options: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(trace_configs=[request_tracing(log, exchange="binance", **options)])


class TestPropagation:
    def test_a_request_names_the_trace_it_belongs_to(self, runner: asyncio.Runner, log: Logger):
        async def main() -> None:
            async with serving() as server, session(log) as client:
                with trace(HEADER, "foo=1") as here:
                    await client.get(server.url)
                await client.get(server.url)
            first, second = server.requests
            version, trace_id, span, flags = first.headers["traceparent"].split("-")
            assert (version, trace_id, flags) == ("00", TRACE, "01")
            assert span != here.span_id
            assert first.headers["tracestate"] == "foo=1"
            assert "traceparent" not in second.headers

        runner.run(main())

    def test_opentelemetrys_span_is_its_parent_and_no_baggage_goes_along(self, runner: asyncio.Runner, log: Logger):
        async def main() -> None:
            async with serving() as server, session(log) as client:
                with tracer.start_as_current_span("span") as span, within_baggage():
                    await client.get(server.url)
            (request,) = server.requests
            assert request.headers["traceparent"].split("-")[2] == f"{span.get_span_context().span_id:016x}"
            assert "baggage" not in request.headers

        runner.run(main())

    def test_what_the_request_names_itself_stays(self, runner: asyncio.Runner, log: Logger):
        async def main() -> None:
            async with serving() as server, session(log) as client:
                with trace():
                    await client.get(server.url, headers={"traceparent": HEADER})
            assert server.requests[0].headers.getall("traceparent") == [HEADER]

        runner.run(main())

    def test_it_can_be_kept_from_others(self, runner: asyncio.Runner, log: Logger):
        async def main() -> None:
            async with serving() as server, session(log, propagate=False) as client:
                with trace():
                    await client.get(server.url)
            assert "traceparent" not in server.requests[0].headers

        runner.run(main())


@contextmanager
def within_baggage() -> Generator[None]:
    from opentelemetry import context

    token = context.attach(baggage.set_baggage("account", "s3cr3tV4lu3"))
    try:
        yield
    finally:
        context.detach(token)


class TestServer:
    def test_a_handler_runs_in_the_trace_its_request_names(self, runner: asyncio.Runner, log: Logger, lines: Lines):
        seen: list[str] = []

        async def handler(_request: web.Request) -> web.Response:
            found = current_trace()
            assert found is not None
            seen.append(found.trace_id)
            log.info("handled")
            return web.Response()

        async def main() -> None:
            async with serving(trace_middleware) as server, aiohttp.ClientSession() as client:
                server.answers = [handler] * 3
                await client.get(server.url, headers={"traceparent": HEADER, "baggage": "account=s3cr3tV4lu3"})
                await client.get(server.url, headers={"traceparent": "nonsense"})
                await client.get(server.url, headers=[("traceparent", HEADER), ("traceparent", HEADER)])

        runner.run(main())
        assert seen[0] == TRACE
        assert TRACE not in seen[1:]
        found = lines()
        assert [line["extra"]["trace_id"] for line in found] == seen
        assert "s3cr3tV4lu3" not in orjson.dumps(found).decode()

    def test_both_sides_are_one_trace(self, runner: asyncio.Runner, log: Logger, lines: Lines):
        async def handler(_request: web.Request) -> web.Response:
            log.info("served")
            return web.Response()

        async def main() -> str:
            async with serving(trace_middleware) as server, session(log) as client:
                server.answers = [handler]
                with trace() as here:
                    await client.get(server.url)
                    log.info("asked")
            return here.trace_id

        trace_id = runner.run(main())
        assert {line["message"]: line["extra"]["trace_id"] for line in lines()} == {
            "served": trace_id,
            "asked": trace_id,
        }


class TestTimes:
    def test_each_request_counts_for_its_host_and_its_route(self, runner: asyncio.Runner, log: Logger):
        async def main() -> Server:
            async with serving() as server, session(log) as client:
                for number in (17, 18):
                    async with client.get(
                        f"{server.url}/orders/{number}", params={"signature": "9f3a01bc"}
                    ) as response:
                        await response.read()
                await client.delete(f"{server.url}/orders/17")
            return server

        host = runner.run(main()).host
        assert count(f"api.{host}") == 3
        assert count(f"api.{host} GET /orders/{{id}}") == 2
        assert count(f"api.{host} DELETE /orders/{{id}}") == 1
        assert count(f"api.{host}:first_byte") == 3
        assert count(f"api.{host}:connect") == meters.counter(f"api.{host}:new").value == 1
        assert meters.counter(f"api.{host}:reused").value == 2
        assert not any("signature" in name or "9f3a01bc" in name for name in meters.timers())

    def test_hosts_and_routes_are_bounded(self, runner: asyncio.Runner, log: Logger):
        async def main() -> Server:
            async with serving() as server, session(log) as client:
                for number in range(110):
                    word = "".join(chr(ord("a") + digit) for digit in (number // 26, number % 26))
                    async with client.get(f"{server.url}/kinds/{word}") as response:
                        await response.read()
            return server

        before = len(meters.timers())
        host = runner.run(main()).host
        assert count(f"api.{host}") == 110
        assert len([name for name in meters.timers() if name.startswith(f"api.{host} ")]) <= 100
        assert len(meters.timers()) - before <= 105

    def test_names_resolved_count(self, runner: asyncio.Runner, log: Logger):
        async def main() -> str:
            async with serving() as server, session(log) as client:
                await client.get(server.url.replace("127.0.0.1", "localhost"))
            return server.host.replace("127.0.0.1", "localhost")

        host = runner.run(main())
        assert count(f"api.{host}:dns") == 1


class TestFailures:
    def test_a_refusal_says_all_that_helps_and_no_secret(self, runner: asyncio.Runner, log: Logger, lines: Lines):
        async def main() -> Server:
            async with serving() as server, session(log) as client:
                server.answers = [answer(400, {"code": -1013, "msg": "LOT_SIZE"}, x_mbx_uuid="3f2504e0-4f89")]
                await client.post(
                    f"{server.url}/api/v3/order?apiKey=k3yV4lu3&signature=9f3a01bc",
                    headers={"X-MBX-APIKEY": "k3yV4lu3"},
                    trace_request_ctx={"attempt": 2},
                )
            return server

        server = runner.run(main())
        (line,) = lines()
        extra = line["extra"]
        assert (line["level"], line["message"]) == ("WARNING", "request failed")
        assert extra.pop("latency_ms") > 0
        assert extra == {
            "exchange": "binance",
            "method": "POST",
            "host": server.host,
            "path": "/api/v3/order",
            "route": "/api/v3/order",
            "attempt": 2,
            "status": 400,
            "exchange_code": "-1013",
            "request_id": "3f2504e0-4f89",
        }
        assert meters.counter(f"api.{server.host}:failed").value == 1

    def test_the_body_of_a_refusal_is_still_the_callers(self, runner: asyncio.Runner, log: Logger):
        async def main() -> None:
            async with serving() as server, session(log) as client:
                server.answers = [answer(400, {"code": -1013, "msg": "x"})]
                async with client.get(server.url) as response:
                    assert await response.json() == {"code": -1013, "msg": "x"}

        runner.run(main())

    def test_a_refusal_with_status_200_is_told_when_its_body_is_read(
        self, runner: asyncio.Runner, log: Logger, lines: Lines
    ):
        async def main() -> None:
            async with serving() as server, session(log) as client:
                server.answers = [
                    answer(200, {"retCode": 10001, "retMsg": "x"}),
                    answer(200, {"retCode": 0, "retMsg": ""}),
                ]
                for _ in range(2):
                    async with client.get(server.url) as response:
                        await response.json()

        runner.run(main())
        (line,) = lines()
        assert (line["extra"]["status"], line["extra"]["exchange_code"]) == (200, "10001")

    def test_an_exception_is_told_by_its_kind_without_its_address(
        self, runner: asyncio.Runner, log: Logger, lines: Lines
    ):
        async def main() -> None:
            async with (
                serving() as server,
                session(
                    log,
                ) as client,
            ):
                server.answers = [answer(401, {})]
                with pytest.raises(aiohttp.ClientResponseError):
                    await client.get(f"{server.url}/x?signature=9f3a01bc", raise_for_status=True)
            with socket.socket() as unused:
                unused.bind(("127.0.0.1", 0))
                async with session(log) as client:
                    with pytest.raises(aiohttp.ClientConnectorError):
                        await client.get(f"http://127.0.0.1:{unused.getsockname()[1]}/x?signature=9f3a01bc")

        runner.run(main())
        refused, unreachable = lines()
        assert (refused["extra"]["status"], refused["extra"]["error_type"]) == (401, "ClientResponseError")
        assert unreachable["extra"]["error_type"] == "ClientConnectorError"
        assert "status" not in unreachable["extra"]
        assert "9f3a01bc" not in orjson.dumps([refused, unreachable]).decode()

    def test_a_request_that_aiohttp_sends_again_counts_its_attempts(
        self, runner: asyncio.Runner, log: Logger, lines: Lines
    ):
        async def hang_up(request: web.Request) -> web.Response:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        async def main() -> None:
            async with serving() as server, session(log) as client:
                async with client.get(server.url) as response:
                    await response.read()
                server.answers = [hang_up, answer(500, {})]
                await client.get(server.url)

        runner.run(main())
        (line,) = lines()
        assert (line["extra"]["status"], line["extra"]["attempt"]) == (500, 2)

    def test_a_request_that_is_cancelled_did_not_fail(self, runner: asyncio.Runner, log: Logger, lines: Lines):
        async def main() -> Server:
            arrived, done = asyncio.Event(), asyncio.Event()

            async def hang(_request: web.Request) -> web.Response:
                arrived.set()
                await done.wait()
                return web.Response()

            async with serving() as server, session(log) as client:
                server.answers = [hang]
                task = asyncio.ensure_future(asking(client, server.url))
                await arrived.wait()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                done.set()
            return server

        server = runner.run(main())
        assert lines() == []
        assert meters.counter(f"api.{server.host}:cancelled").value == 1


class TestEntries:
    def test_every_request_is_an_entry_where_it_is_wanted(self, runner: asyncio.Runner, log: Logger, lines: Lines):
        async def main() -> None:
            async with serving() as server, session(log, entries=True) as client:
                with trace() as here:
                    await client.get(f"{server.url}/api?x=1")
                assert server.requests[0].headers["traceparent"].split("-")[1] == here.trace_id
                span.append(server.requests[0].headers["traceparent"].split("-")[2])

        span: list[str] = []
        runner.run(main())
        (line,) = lines()
        assert (line["level"], line["message"], line["extra"]["status"]) == ("DEBUG", "request", 200)
        assert line["extra"]["request_id"] == span[0]

    def test_the_pipelines_own_requests_are_none_of_ours(self, runner: asyncio.Runner, log: Logger, lines: Lines):
        async def main() -> Server:
            async with serving() as server, session(log, entries=True) as client:
                with trace():
                    current_fields.set(PIPELINE)
                    await client.get(server.url)
            return server

        async def in_a_task() -> Server:
            return await asyncio.create_task(main())

        server = runner.run(in_a_task())
        assert count(f"api.{server.host}") == 0
        assert "traceparent" not in server.requests[0].headers
        assert lines() == []

    def test_a_fault_of_tracing_is_counted_and_the_request_goes_on(
        self, runner: asyncio.Runner, log: Logger, monkeypatch: pytest.MonkeyPatch
    ):
        def broken(_path: str) -> str:
            raise ZeroDivisionError

        monkeypatch.setattr("metaexpert.logger.tracing.requests.route_of", broken)
        before = meters.counter("api:tracing_faults").value

        async def main() -> int:
            async with serving() as server, session(log) as client, client.get(server.url) as response:
                return response.status

        assert runner.run(main()) == 200
        assert meters.counter("api:tracing_faults").value > before
