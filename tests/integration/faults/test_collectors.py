"""A collector in every kind of trouble: entries wait, nothing else is harmed, and all arrive once it is mended."""

import gzip
import logging
import socket
from collections.abc import AsyncIterator
from itertools import pairwise, product
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from support.eventually import eventually
from support.faults import Trial, resident_bytes, trial
from support.holding_collector import HoldingCollector, reserved_port, serving_on
from support.scripted_collector import Received, Reply, json_reply, serving, status

from metaexpert.logger import MemorySink, QueueOptions

GIGABYTE = 1024**3
_SPARE_BYTES = 96 * 1024 * 1024
"""Generous for buffers of sockets and allocators; far below what is offered."""


@pytest_asyncio.fixture(params=["loki", "elasticsearch", "otlp", "splunk"])
async def collector(request: pytest.FixtureRequest) -> AsyncIterator[HoldingCollector]:
    async with serving(HoldingCollector(request.param)) as served:
        assert isinstance(served, HoldingCollector)
        yield served


async def outlast(collector: HoldingCollector, reply: Reply, state: str, words: str, **more: Any) -> Trial:
    """Log before, through and after the fault; the sink has to say what it saw, and everything has to arrive once."""
    async with trial(collector.options(**more)) as run:
        run.log()
        assert await run.runtime.flush()
        collector.misbehave(reply)
        run.log()
        await run.shows(state, words)
        await run.healthy_keeps_up()
        run.log()
        collector.mend()
        await run.recovers()
        run.log()
        assert await run.runtime.flush()
    run.assert_all_arrived(collector.held.elements())
    assert run.stats.retries >= 1
    return run


@pytest.mark.parametrize("kind", ["loki", "elasticsearch", "otlp", "splunk"])
async def test_a_collector_that_refuses_connections(kind: str):
    collector = HoldingCollector(kind)
    with reserved_port() as (bound, port):
        async with trial(collector.options(f"http://127.0.0.1:{port}")) as run:
            run.log()
            await run.shows("failed", "cannot connect")
            await run.healthy_keeps_up()
            async with serving_on(bound, collector):
                await run.recovers()
    run.assert_all_arrived(collector.held.elements())


async def test_a_collector_that_resets_connections(collector: HoldingCollector):
    await outlast(collector, collector.reset, "failed", "connection broke")


async def test_a_collector_that_closes_without_an_answer(collector: HoldingCollector):
    await outlast(collector, collector.close, "failed", "connection broke")


async def test_a_collector_that_half_closes(collector: HoldingCollector):
    await outlast(collector, collector.half_close, "failed", "connection broke")


async def test_a_collector_that_hangs(collector: HoldingCollector):
    await outlast(collector, collector.hang, "degraded", "no answer within 0.2 s", timeout=0.2)


async def test_a_collector_that_drips(collector: HoldingCollector):
    """Each byte comes in time; the answer as a whole never does."""
    await outlast(collector, collector.drip, "degraded", "no answer within 0.2 s", timeout=0.2)


async def test_a_collector_that_redirects(collector: HoldingCollector):
    """Not followed, since a POST that is redirected loses its body or its credentials."""
    elsewhere = HoldingCollector(collector.kind)
    async with serving(elsewhere):
        await outlast(collector, status(307, Location=elsewhere.url), "failed", "HTTP 307")
        assert elsewhere.requests == []


async def test_a_collector_that_does_not_speak_http(collector: HoldingCollector):
    run = await outlast(
        collector, collector.raw(b"\x00\xff\x13 nothing\x1b[2J you know\r\n\r\n"), "failed", "connection broke"
    )
    assert (run.stats.last_error or "").isprintable()


async def test_a_collector_whose_answer_is_cut_off(collector: HoldingCollector):
    """A good status and a length, and then less than that."""
    await outlast(collector, collector.half_answer, "failed", "connection broke")


async def test_a_collector_whose_answer_is_longer_than_it_says(collector: HoldingCollector):
    """What follows an answer is not taken for the next one."""

    async def reply(request: web.Request, received: Received) -> web.StreamResponse:
        answer = b"HTTP/1.1 503 busy\r\nContent-Length: 4\r\n\r\nbusyHTTP/1.1 204 forged\r\nContent-Length: 0\r\n\r\n"
        return await collector.raw(answer)(request, received)

    await outlast(collector, reply, "failed", "")


@pytest.mark.parametrize(
    ("collector", "code"),
    [*product(["loki", "elasticsearch", "splunk"], [418, 500, 503]), ("otlp", 503)],
    indirect=["collector"],
)
async def test_a_collector_that_answers_garbage(collector: HoldingCollector, code: int):
    run = await outlast(collector, status(code, b"\xff\xfe<html>\x1b[31m\r\nforged"), "failed", f"HTTP {code}")
    assert (run.stats.last_error or "").isprintable()


@pytest.mark.parametrize("code", [418, 500])
async def test_a_collector_that_may_not_be_asked_again(code: int):
    """OTLP forbids it: ordinary entries are given up as it says, those that must not be lost wait nevertheless."""
    async with serving(HoldingCollector("otlp")) as served:
        assert isinstance(served, HoldingCollector)
        served.misbehave(status(code, "broken"))
        async with trial(served.options()) as run:
            run.log()
            await run.shows("failed", f"HTTP {code} broken")
            await run.healthy_keeps_up()
            served.mend()
            await run.recovers()
            run.log()
            assert await run.runtime.flush() is False  # some were given up
        healthy = run.runtime.sinks["healthy"]
        assert isinstance(healthy, MemorySink)
        missing = [entry for entry in healthy.entries if entry["id"] not in served.held]
        assert 1 <= len(missing) == run.stats.ledger.rejected
        assert {entry["log_type"] for entry in missing} == {"general"}
        assert "ERROR" not in {entry["level"] for entry in missing}


@pytest.mark.parametrize("body", [b"", b"\xff\xfe<html>", b'{"items":', b"[]", b'{"errors":false,"items":[]}'])
async def test_a_bulk_answer_that_is_none(body: bytes):
    """Status 200 says nothing in the bulk protocol: an entry counts as stored only by its own result."""
    async with serving(HoldingCollector("elasticsearch")) as served:
        assert isinstance(served, HoldingCollector)
        await outlast(served, status(200, body), "failed", "")


async def test_a_collector_that_answers_a_gigabyte(collector: HoldingCollector):
    before = resident_bytes()
    await outlast(collector, collector.endless(503, GIGABYTE), "failed", "HTTP 503")
    assert resident_bytes() - before < _SPARE_BYTES
    assert collector.sent_bytes < GIGABYTE


async def test_a_collector_whose_answer_unpacks_to_a_gigabyte(collector: HoldingCollector):
    """A megabyte of gzip: not asked for, and unpacked no further than the bound."""
    packed = gzip.compress(bytes(256 * 1024 * 1024), compresslevel=9) * 4
    before = resident_bytes()
    reply = status(503, packed, Content_Encoding="gzip")
    await outlast(collector, reply, "failed", "HTTP 503")
    assert resident_bytes() - before < _SPARE_BYTES


async def test_a_collector_that_stores_a_part():
    """Elasticsearch answers 200 where some items were stored and others were not: only those are sent again."""
    async with serving(HoldingCollector("elasticsearch")) as served:
        assert isinstance(served, HoldingCollector)

        async def every_other(request: web.Request, received: Received) -> web.StreamResponse:
            arrived = served.arrived(received)
            served.held.update(arrived[::2])
            refused = {"type": "es_rejected_execution_exception", "reason": "queue\nis full"}
            items = [
                {"create": {"status": 429, "error": refused} if number % 2 else {"status": 201}}
                for number in range(len(arrived))
            ]
            return await json_reply({"errors": True, "items": items})(request, received)

        async with trial(served.options()) as run:
            run.log()
            assert await run.runtime.flush()
            served.then(*[every_other] * 3)
            run.log()
            await eventually(lambda: run.stats.retries >= 3)
            assert "item status 429: es_rejected_execution_exception: queue is full" in (run.stats.last_error or "")
            await run.healthy_keeps_up()
            await run.recovers()
            run.log()
            assert await run.runtime.flush()
        run.assert_all_arrived(served.held.elements())
        # what was stored beside the refused is not sent again
        assert run.stats.ledger.duplicate == 0


@pytest.mark.parametrize("code", [401, 403])
async def test_wrong_credentials(collector: HoldingCollector, code: int):
    """An operator mends those: the sink has failed at once, waits its longest between attempts, and drops nothing."""
    collector.misbehave(status(code, "who are you?"))
    secret: dict[str, Any] = {"bearer_token": "s3cret-token"}
    if collector.kind == "splunk":  # whose own token is its only way
        secret = {"headers": {"X-Key": "s3cret-token"}}
    async with trial(collector.options(**secret, backoff_max=0.3)) as run:
        run.log()
        await run.shows("failed", f"HTTP {code} who are you?")
        assert "s3cret" not in repr(run.runtime.stats())
        await run.healthy_keeps_up()
        await eventually(lambda: len(collector.requests) >= 3)
        waits = [later.at - earlier.at for earlier, later in pairwise(collector.requests)]
        assert min(waits) >= 0.29
        collector.mend()
        await run.recovers()
    run.assert_all_arrived(collector.held.elements())


async def test_a_dead_collector_and_more_than_its_queue_holds(collector: HoldingCollector):
    """Without a disk queue the policy sheds, lowest first; ledger and gap entry say what, and memory keeps its cap."""
    collector.misbehave(status(503, "down"))
    room = QueueOptions(max_entries=500, max_bytes=1024 * 1024)
    before = resident_bytes()
    async with trial(collector.options(spool={"enabled": False}), room) as run:
        for _ in range(40):
            run.log(250)
            await run.healthy_keeps_up()
            run.assert_within_bounds()
        await run.shows("failed", "HTTP 503 down")
        collector.mend()
        await run.recovers()
        assert await run.runtime.flush() is False  # since the last flush entries were dropped
        run.log()
        assert await run.runtime.flush()
    ledger = run.stats.ledger
    assert ledger.dropped_total > 5000
    assert {reason for _, reason in ledger.dropped} == {"queue full"}
    assert min(ledger.dropped, key=lambda key: logging.getLevelNamesMapping()[key[0]])[0] == "DEBUG"
    assert ledger.gaps >= 1
    run.assert_accounts_are_true(list(collector.held.elements()))
    assert resident_bytes() - before < _SPARE_BYTES


async def test_a_dead_collector_and_more_than_its_queue_holds_but_its_disk_takes(collector: HoldingCollector):
    """Nothing is lost; what is on disk comes back in full, each entry once, and memory keeps its cap all the same."""
    collector.misbehave(status(503, "down"))
    room = QueueOptions(max_entries=500, max_bytes=1024 * 1024)
    before = resident_bytes()
    async with trial(collector.options(), room) as run:
        for _ in range(80):
            await run.runtime.wait_ready()
            run.log(100)  # what there is room for above the high watermark
            await run.healthy_keeps_up()
            run.assert_within_bounds()
        await run.shows("failed", "HTTP 503 down")
        await eventually(lambda: run.stats.spooled_entries > 7000)
        collector.mend()
        await run.recovers()
        run.log()
        assert await run.runtime.flush()
        assert run.stats.spooled_entries == 0
    run.assert_all_arrived(collector.held.elements())
    assert resident_bytes() - before < _SPARE_BYTES


async def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch, collector: HoldingCollector):
    """`.invalid` never does (RFC 2606); then the name is given an address."""
    real = socket.getaddrinfo
    known: list[bool] = []

    def lookup(host: str, *arguments: Any, **more: Any) -> Any:
        if host == "collector.invalid":
            if not known:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return real(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    url = collector.url.replace("127.0.0.1", "collector.invalid")
    async with trial(collector.options(url)) as run:
        run.log()
        await run.shows("failed", "cannot connect")
        assert "collector.invalid" in (run.stats.last_error or "")
        await run.healthy_keeps_up()
        known.append(True)
        await run.recovers()
    run.assert_all_arrived(collector.held.elements())
