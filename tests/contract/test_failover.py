"""Several addresses of a collector: a batch goes to one that answers, and a dead one is found again without waiting."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from support.certificates import make_certificates
from support.eventually import eventually
from support.mortal_collector import MortalCollector, collectors
from support.notices import told
from support.running_logger import logging_to, sink_stats
from support.scripted_collector import Received, ScriptedCollector, serving, status

from metaexpert.logger import ElasticsearchOptions, LoggingRuntime, LokiOptions, get_logger

log = get_logger("contract.failover")

type Pair = tuple[MortalCollector, MortalCollector]


@pytest.fixture(params=["loki", "elasticsearch"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest_asyncio.fixture
async def pair(kind: str) -> AsyncIterator[Pair]:
    async with collectors(kind, 2) as (first, second):
        yield first, second


def options(*ways: ScriptedCollector, **more: Any) -> LokiOptions | ElasticsearchOptions:
    """A sink that cuts its batches only on flush, and tries again at once."""
    values: dict[str, Any] = {"batch_max_age": 30.0, "backoff_first": 0.01, "backoff_max": 0.02, "timeout": 20.0}
    values |= {"urls": tuple(way.url for way in ways), "spool": {"enabled": False}, **more}
    first = ways[0]
    return LokiOptions(**values) if getattr(first, "kind", "loki") == "loki" else ElasticsearchOptions(**values)


async def log_some(runtime: LoggingRuntime, count: int = 3) -> None:
    for number in range(count):
        log.info("n %d", number)
    assert await runtime.flush(timeout=20.0)


def states(runtime: LoggingRuntime) -> list[str]:
    return [one.state for one in sink_stats(runtime).endpoints]


class TestChoice:
    async def test_the_preferred_address_gets_everything_on_one_connection(self, pair: Pair):
        async with logging_to(options(*pair)) as runtime:
            for _ in range(4):
                await log_some(runtime)
            first, second = sink_stats(runtime).endpoints
        assert len(pair[0].posts) == 4
        assert len(pair[0].connections) == 1
        assert pair[1].requests == []
        assert (first.url, first.requests, first.failures) == (pair[0].url, 4, 0)
        assert (second.url, second.requests, second.state) == (pair[1].url, 0, "closed")

    async def test_in_turn_where_that_is_asked_for(self, pair: Pair):
        async with logging_to(options(*pair, balance="round_robin")) as runtime:
            for _ in range(6):
                await log_some(runtime)
        assert (len(pair[0].posts), len(pair[1].posts)) == (3, 3)

    async def test_a_name_with_several_addresses_is_tried_at_each(self, pair: Pair, monkeypatch: pytest.MonkeyPatch):
        """By aiohttp, as RFC 8305 says: a dead address behind a name is no failure of the name's."""
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
            if host != "collector.test":
                return real(host, port, *more, **named)
            return real("127.0.0.2", port, *more, **named) + real("127.0.0.1", port, *more, **named)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        named = pair[0].url.replace("127.0.0.1", "collector.test")
        async with logging_to(options(pair[0], urls=(), url=named)) as runtime:
            await log_some(runtime)
            assert sink_stats(runtime).retries == 0


class TestFailover:
    async def test_what_a_dead_address_does_not_take_goes_to_the_next_at_once(self, pair: Pair):
        await pair[0].die()
        async with logging_to(options(*pair, backoff_first=60.0, backoff_max=60.0)) as runtime:
            await log_some(runtime)
            stats = sink_stats(runtime)
            assert (stats.retries, stats.ledger.delivered, stats.state, stats.breaker) == (0, 3, "active", "closed")
            assert (stats.endpoints[0].state, stats.endpoints[0].failures) == ("open", 1)
            assert "cannot connect" in (stats.endpoints[0].last_error or "")
            assert f"{pair[0].url} is left alone: cannot connect" in (stats.last_error or "")
            await log_some(runtime)
            assert sink_stats(runtime).endpoints[0].requests == 1, "left alone"
        assert len(pair[1].posts) == 2
        assert len(pair[1].connections) == 1

    async def test_it_is_said_once(self, pair: Pair, capfd: pytest.CaptureFixture[str]):
        await pair[0].die()
        async with logging_to(options(*pair, backoff_first=60.0, backoff_max=60.0)) as runtime:
            for _ in range(3):
                await log_some(runtime)
        said = await told(capfd)
        assert said.count(f"{pair[0].url} is left alone") == 1

    @pytest.mark.parametrize("trouble", ["close", "reset", "garbage", "half_answer", 502, 503, 504])
    async def test_a_trouble_that_is_the_address_is_left_for_the_next_one(self, pair: Pair, trouble: str | int):
        pair[0].misbehave(status(trouble, "down") if isinstance(trouble, int) else getattr(pair[0], trouble))
        async with logging_to(options(*pair, backoff_first=60.0, backoff_max=60.0)) as runtime:
            await log_some(runtime)
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries, len(pair[0].posts)) == (3, 0, 1)
        assert pair[0].posts == pair[1].posts, "the same bytes"

    async def test_an_address_that_hangs_is_left_after_the_timeout(self, pair: Pair):
        pair[0].misbehave(pair[0].hang)
        async with logging_to(options(*pair, timeout=1.0, backoff_first=60.0, backoff_max=60.0)) as runtime:
            await log_some(runtime)
            assert "no answer within 1 s" in (sink_stats(runtime).endpoints[0].last_error or "")

    async def test_one_whose_certificate_does_not_verify_is_left_too(self, pair: Pair, tmp_path: Path):
        certificates = make_certificates(tmp_path)
        async with serving(ScriptedCollector(status(204)), certificates.server_context()) as unknown:
            sink = options(pair[0], urls=(unknown.url, pair[0].url), backoff_first=60.0, backoff_max=60.0)
            async with logging_to(sink) as runtime:
                await log_some(runtime)
                stats = sink_stats(runtime)
        assert unknown.requests == []
        assert (stats.state, stats.endpoints[0].state) == ("active", "open")
        assert "TLS" in (stats.endpoints[0].last_error or "")

    @pytest.mark.parametrize("code", [400, 401, 413, 429, 500])
    async def test_what_an_address_answers_itself_is_no_failure_of_the_address(self, pair: Pair, code: int):
        pair[0].then(status(code, "no"))
        async with logging_to(options(*pair)) as runtime:
            await log_some(runtime)
            assert states(runtime) == ["closed", "closed"]
            assert sink_stats(runtime).endpoints[0].failures == 0
        assert pair[1].requests == []

    async def test_an_answer_that_got_lost_brings_no_second_document(self):
        """Two nodes of one cluster: the first stores and loses its answer, the second finds the ids taken."""
        async with collectors("elasticsearch", 2) as (first, second):
            second.held = first.held

            async def store_and_close(request: web.Request, received: Received) -> web.StreamResponse:
                await first.accept(request, received)
                return await first.close(request, received)

            first.misbehave(store_and_close)
            async with logging_to(options(first, second)) as runtime:
                await log_some(runtime, 5)
                ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.duplicate) == (0, 5)
        assert set(first.held.values()) == {1}

    async def test_a_body_too_large_for_all_of_them_is_cut(self):
        """Each closes the connection under it without a word, and none is dead for it."""
        async with collectors("elasticsearch", 2) as pair:
            for one in pair:

                async def small_only(
                    request: web.Request, received: Received, one: MortalCollector = one
                ) -> web.StreamResponse:
                    small = len(one.arrived(received)) <= 2 if received.method == "POST" else True
                    return await (one.accept if small else one.close)(request, received)

                one.misbehave(small_only)
            async with logging_to(options(*pair)) as runtime:
                await log_some(runtime, 8)
                ledger = sink_stats(runtime).ledger
        assert (ledger.delivered + ledger.duplicate, ledger.rejected) == (8, 0)


class TestReturn:
    async def test_a_dead_address_that_comes_back_is_found_by_a_probe_and_preferred_again(self, pair: Pair):
        first, second = pair
        async with logging_to(options(*pair)) as runtime:
            await log_some(runtime)
            await first.die()
            await log_some(runtime)
            assert len(second.posts) == 1
            await first.live()
            await eventually(lambda: states(runtime) == ["closed", "closed"])
            await log_some(runtime)
        assert (len(first.posts), len(second.posts)) == (2, 1)
        assert first.probes == 1
        assert all(request.raw == b"" for request in first.requests if request.method == "GET")

    async def test_no_entry_waits_for_a_probe(self, pair: Pair):
        first, _ = pair
        first.misbehave(first.close)
        async with logging_to(options(*pair, timeout=600.0)) as runtime:
            await log_some(runtime)
            first.misbehave(first.hang)
            await eventually(lambda: first.probes > 0 and states(runtime)[0] == "half-open")
            for _ in range(5):
                await log_some(runtime)
            assert sink_stats(runtime).ledger.delivered == 18

    async def test_a_stop_ends_the_probe_under_way(self, pair: Pair):
        first, _ = pair
        first.misbehave(first.close)
        async with logging_to(options(*pair, timeout=600.0)) as runtime:
            await log_some(runtime)
            first.misbehave(first.hang)
            await eventually(lambda: states(runtime)[0] == "half-open")
        assert not [task for task in asyncio.all_tasks() if "probe" in task.get_name()]

    async def test_a_probe_that_somebody_cancels_is_begun_again(self, pair: Pair):
        first, _ = pair
        first.misbehave(first.close)
        async with logging_to(options(*pair, timeout=600.0)) as runtime:
            await log_some(runtime)
            first.misbehave(first.hang)
            await eventually(lambda: states(runtime)[0] == "half-open")
            (probe,) = [task for task in asyncio.all_tasks() if "probe" in task.get_name()]
            first.mend()
            probe.cancel()
            await eventually(lambda: states(runtime) == ["closed", "closed"])

    async def test_one_that_answers_probes_and_no_requests_is_left_for_longer_each_time(self, pair: Pair):
        first, _ = pair

        async def probes_only(request: web.Request, received: Received) -> web.StreamResponse:
            return await status(200 if received.method == "GET" else 503)(request, received)

        first.misbehave(probes_only)
        async with logging_to(options(*pair)) as runtime:
            for _ in range(4):
                await log_some(runtime)
                await eventually(lambda: states(runtime) == ["closed", "closed"])
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries) == (12, 0)
        assert stats.endpoints[0].failures == 4


class TestAllDead:
    async def test_the_sink_is_down_and_its_entries_wait_until_one_comes_back(self, pair: Pair):
        first, second = pair
        await first.die()
        await second.die()
        async with logging_to(options(*pair)) as runtime:
            for number in range(3):
                log.info("n %d", number)
            assert not await runtime.flush(timeout=0.05)
            await eventually(lambda: sink_stats(runtime).state == "failed", seconds=60.0)
            stats = sink_stats(runtime)
            assert stats.breaker in {"open", "half-open"}
            assert (stats.ledger.in_flight, stats.ledger.dropped_total) == (3, 0)
            for one in pair:
                assert f"127.0.0.1:{one.port}: cannot connect" in (stats.last_error or "")
            await second.live()
            assert await runtime.flush(timeout=20.0)
            stats = sink_stats(runtime)
            assert (stats.ledger.delivered, stats.breaker, stats.state) == (3, "closed", "active")
        assert (len(first.posts), len(second.posts)) == (0, 1)

    async def test_one_that_needs_an_operator_makes_no_pause_while_another_may_mend_itself(
        self, pair: Pair, tmp_path: Path
    ):
        certificates = make_certificates(tmp_path)
        await pair[0].die()
        async with serving(ScriptedCollector(status(204)), certificates.server_context()) as unknown:
            sink = options(pair[0], urls=(unknown.url, pair[0].url), backoff_first=0.01, backoff_max=600.0)
            async with logging_to(sink) as runtime:
                log.error("now")
                await eventually(lambda: sink_stats(runtime).retries >= 2)
                await pair[0].live()
                assert await runtime.flush(timeout=20.0)
