"""A bad network before each kind of collector: whatever it does to connections, every entry arrives once it is well."""

from collections.abc import AsyncIterator
from typing import Any, override

import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from support.eventually import eventually
from support.faults import Trial, trial
from support.holding_collector import QUICK, HoldingCollector
from support.scripted_collector import Received, serving, status
from support.toxics import (
    Bandwidth,
    CutAnswer,
    CutRequest,
    HalfOpen,
    Latency,
    Reset,
    SlowClose,
    Toxic,
    ToxicProxy,
    proxying,
)

from metaexpert.logger import NdjsonOptions

KINDS = ("loki", "elasticsearch", "otlp", "splunk", "ndjson")
_PATIENT: dict[str, Any] = {"timeout": 20.0}


class _NdjsonCollector(HoldingCollector):
    """Ignores a batch whose key it has seen."""

    def __init__(self) -> None:
        super().__init__("ndjson")
        self._keys: set[str] = set()

    @override
    def options(self, url: str = "", **more: Any) -> Any:
        return NdjsonOptions(**{**QUICK, "url": url or self.url, **more})

    @override
    def arrived(self, received: Received) -> list[str]:
        return [orjson.loads(line)["id"] for line in received.body.splitlines()]

    @override
    async def accept(self, request: web.Request, received: Received) -> web.StreamResponse:
        key = received.headers["Idempotency-Key"]
        if key not in self._keys:
            self._keys.add(key)
            self.held.update(self.arrived(received))
        return await status(200)(request, received)


@pytest_asyncio.fixture(params=KINDS)
async def collector(request: pytest.FixtureRequest) -> AsyncIterator[HoldingCollector]:
    made = _NdjsonCollector() if request.param == "ndjson" else HoldingCollector(request.param)
    async with serving(made):
        yield made


@pytest_asyncio.fixture
async def proxy(collector: HoldingCollector) -> AsyncIterator[ToxicProxy]:
    async with proxying(collector.url) as made:
        yield made


def through(collector: HoldingCollector, proxy: ToxicProxy, **more: Any) -> Any:
    """A sink that sends through the proxy; what Splunk does not acknowledge is sent again soon."""
    soon = {"ack_timeout": 0.5} if collector.kind == "splunk" else {}
    return collector.options(proxy.url, **soon, **more)


async def outlast(collector: HoldingCollector, proxy: ToxicProxy, toxic: Toxic, words: str, **more: Any) -> Trial:
    """Log before, under and after a toxic that lets nothing through; the sink says so, and everything arrives once."""
    async with trial(through(collector, proxy, **more)) as run:
        run.log()
        assert await run.runtime.flush()
        proxy.toxic = toxic
        run.log()
        await run.shows("failed", words)
        await run.healthy_keeps_up()
        run.log()
        proxy.toxic = None
        await run.recovers()
        run.log()
        assert await run.runtime.flush()
    run.assert_all_arrived(collector.held.elements())
    assert run.stats.retries >= 1
    return run


async def test_a_network_that_resets_connections(collector: HoldingCollector, proxy: ToxicProxy):
    await outlast(collector, proxy, Reset(), "connection broke")


async def test_a_network_that_is_half_open(collector: HoldingCollector, proxy: ToxicProxy):
    """Connections are accepted, as by a load balancer whose server is gone, and nothing ever comes back."""
    await outlast(collector, proxy, HalfOpen(), "no answer within 0.2 s", timeout=0.2)


async def test_a_network_that_cuts_requests_in_the_middle(collector: HoldingCollector, proxy: ToxicProxy):
    await outlast(collector, proxy, CutRequest(100), "connection broke")


async def test_a_network_that_cuts_answers_in_the_middle(collector: HoldingCollector, proxy: ToxicProxy):
    """What was asked for is done, and nobody hears of it."""
    await outlast(collector, proxy, CutAnswer(20), "connection broke")


async def test_a_network_that_closes_slowly(collector: HoldingCollector, proxy: ToxicProxy):
    """All of an answer but its last byte, and then silence for longer than the sink waits."""
    toxic = SlowClose(30.0)
    await outlast(collector, proxy, toxic, "no answer within 0.2 s", timeout=0.2)


@pytest.mark.parametrize("toxic", [Latency(0.05), Bandwidth(200_000)])
async def test_a_network_that_is_slow(collector: HoldingCollector, proxy: ToxicProxy, toxic: Toxic):
    """Nothing fails: entries arrive later."""
    proxy.toxic = toxic
    async with trial(through(collector, proxy, **_PATIENT)) as run:
        for _ in range(3):
            run.log()
            await run.healthy_keeps_up()
        assert await run.runtime.flush(timeout=20.0)
        assert (run.stats.state, run.stats.retries) == ("active", 0)
    run.assert_all_arrived(collector.held.elements())


async def test_a_network_that_comes_and_goes(collector: HoldingCollector, proxy: ToxicProxy):
    """One fault after another, with hardly a moment between them."""
    toxics: list[Toxic] = [Reset(), CutRequest(300), CutAnswer(5), HalfOpen(), Latency(0.01), SlowClose(30.0)]
    async with trial(through(collector, proxy, timeout=0.3)) as run:
        for toxic in toxics:
            proxy.toxic = toxic
            accepted = proxy.connections
            run.log()
            if not isinstance(toxic, Latency):
                await eventually(lambda accepted=accepted: proxy.connections > accepted, what=str(toxic))
            proxy.toxic = None
            run.log(10)
        await run.recovers()
        assert await run.runtime.flush()
    run.assert_all_arrived(collector.held.elements())
