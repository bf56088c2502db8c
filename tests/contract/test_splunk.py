"""Splunk's HTTP Event Collector: what is sent, when it counts as delivered, and what every answer means."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from support.eventually import eventually
from support.hec import CHANNEL, EVENT_PATH, TOKEN, HecCollector, acks_asked, events
from support.running_logger import logging_to, sink_stats, unbalanced
from support.scripted_collector import Received, json_reply, serving, status

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggingRuntime, SplunkOptions, get_logger

log = get_logger("contract.splunk")


@pytest_asyncio.fixture
async def splunk() -> AsyncIterator[HecCollector]:
    """Splunk with indexer acknowledgement."""
    async with serving(HecCollector()) as collector:
        assert isinstance(collector, HecCollector)
        yield collector


def options(splunk: HecCollector, **more: Any) -> SplunkOptions:
    """A sink that cuts its batches only on flush, tries again at once and asks often."""
    values: dict[str, Any] = {"batch_max_age": 30.0, "backoff_first": 0.01, "backoff_max": 0.02, "timeout": 5.0}
    values |= {"url": splunk.url, "token": TOKEN, "ack_poll_interval": 0.02, **more}
    return SplunkOptions(**values)


def log_some(count: int, first: int = 0, text: str = "") -> None:
    for number in range(first, first + count):
        log.info("n %d%s", number, text)


def messages(splunk: HecCollector) -> list[str]:
    """The messages in the index, in order."""
    return [event["event"]["message"] for event in splunk.hec.indexed]


def assert_each_once(splunk: HecCollector, runtime: LoggingRuntime, count: int) -> None:
    """The index holds so many entries, each once, and the ledger says the same."""
    assert set(Counter(splunk.hec.ids).values()) == {1}
    assert len(splunk.hec.ids) == count
    assert sink_stats(runtime).ledger.delivered == count
    assert unbalanced(runtime) == []


class TestRequest:
    async def test_events_carry_time_origin_and_indexed_fields(self, splunk: HecCollector):
        made = options(splunk, index="trading", source="ema", sourcetype="expert", fields={"env": "live"})
        async with logging_to(made) as runtime:
            log.info("one", symbol="BTCUSDT", order_id=42, other=[1])
            log.trade.order_placed(order_id=8, symbol="ETHUSDT", side="BUY", quantity="0.1", price="2000.10")
            assert await runtime.flush()
            identity = runtime.identity
        (post,) = splunk.posts
        first, second = events(post)
        assert (post.method, post.path, post.headers["Authorization"]) == ("POST", EVENT_PATH, f"Splunk {TOKEN}")
        assert UUID(post.headers[CHANNEL])
        assert {key: first[key] for key in ("host", "source", "sourcetype", "index")} == {
            "host": identity.host,
            "source": "ema",
            "sourcetype": "expert",
            "index": "trading",
        }
        line = first["event"]
        assert (line["message"], line["extra"]["symbol"], line["level"]) == ("one", "BTCUSDT", "INFO")
        entry_id = f"{identity.boot_id}-{line['seq']}"
        expected = {"service": "tests", "env": "live", "entry_id": entry_id, "symbol": "BTCUSDT", "order_id": "42"}
        assert first["fields"] == expected
        assert second["event"]["trade_data"]["price"] == "2000.10"
        assert (second["fields"]["symbol"], second["fields"]["order_id"]) == ("ETHUSDT", "8")
        assert all(isinstance(value, str) for event in (first, second) for value in event["fields"].values())

    async def test_time_is_in_seconds_with_every_digit_of_the_entrys_own(self, splunk: HecCollector):
        async with logging_to(options(splunk)) as runtime:
            log.info("one")
            assert await runtime.flush()
        (post,) = splunk.posts
        _, _, rest = post.body.partition(b'"time":')
        seconds, _, fraction = rest.partition(b",")[0].partition(b".")
        timestamp = events(post)[0]["event"]["timestamp"]
        assert len(fraction) == 9
        assert timestamp.endswith(f".{fraction.decode()}Z")
        assert datetime.fromtimestamp(int(seconds), UTC).isoformat() == f"{timestamp[:19]}+00:00"

    async def test_what_is_left_out_is_the_tokens_own(self, splunk: HecCollector):
        async with logging_to(options(splunk, indexed_fields=())) as runtime:
            log.info("one", symbol="BTCUSDT")
            assert await runtime.flush()
        (event,) = events(splunk.posts[0])
        assert "index" not in event
        assert (event["source"], event["sourcetype"]) == ("tests", "_json")
        assert event["fields"].keys() == {"service", "entry_id"}

    async def test_any_text_is_a_valid_event(self, splunk: HecCollector):
        odd = 'quote " newline \n return \r separator \u2028 nul \x00 emoji 😀 surrogate \ud800 end'
        async with logging_to(options(splunk)) as runtime:
            log.info(odd, symbol=odd)
            log.info("")
            assert await runtime.flush()
        first, second = splunk.hec.indexed
        assert first["event"]["message"].startswith('quote " newline \n return')
        assert "😀" in first["fields"]["symbol"]
        assert second["event"]["message"] == ""

    async def test_a_large_batch_goes_out_in_requests_of_bounded_size(self, splunk: HecCollector):
        made = options(splunk, request_max_bytes=100_000, gzip_min_bytes=10_000_000)
        async with logging_to(made) as runtime:
            log_some(1000, text="x" * 400)
            assert await runtime.flush()
            assert_each_once(splunk, runtime, 1000)
        assert len(splunk.posts) >= 5
        assert max(len(post.raw) for post in splunk.posts) <= 100_000
        assert messages(splunk) == [f"n {number}{'x' * 400}" for number in range(1000)]

    async def test_the_token_may_stand_in_a_file_and_be_replaced_there(self, splunk: HecCollector, tmp_path: Path):
        file = tmp_path / "token"
        file.write_text(f"{TOKEN}\n", encoding="utf-8")
        async with logging_to(options(splunk, token=None, token_file=file)) as runtime:
            log.info("one")
            assert await runtime.flush()
            splunk.hec.token = "another-token"
            file.write_text("another-token\n", encoding="utf-8")
            log.info("two")
            assert await runtime.flush()
        assert messages(splunk) == ["one", "two"]

    @pytest.mark.parametrize(
        "more",
        [
            {"token": "t0", "token_file": "/nowhere"},
            {"token": "t0", "bearer_token": "b0"},
            {"token_file": "/nowhere", "username": "u"},
        ],
    )
    def test_one_way_to_authenticate_is_enough(self, more: dict[str, str]):
        with pytest.raises(ConfigError, match="only one of token, token_file"):
            SplunkOptions(url="http://127.0.0.1", **more)  # pyright: ignore[reportArgumentType]

    @pytest.mark.parametrize(("given", "meant"), [(True, "on"), (False, "off"), ("auto", "auto")])
    def test_acknowledgement_may_be_said_as_a_boolean(self, given: Any, meant: str):
        assert SplunkOptions(url="http://127.0.0.1", indexer_ack=given).indexer_ack == meant


class TestWithoutAcknowledgement:
    """Status 200 is all that such a token ever says."""

    @pytest.mark.parametrize("indexer_ack", ["auto", "off"])
    async def test_200_is_delivered_and_nobody_asks_for_more(self, splunk: HecCollector, indexer_ack: str):
        splunk.hec.acks = False
        async with logging_to(options(splunk, indexer_ack=indexer_ack)) as runtime:
            log_some(10)
            assert await runtime.flush()
            assert_each_once(splunk, runtime, 10)
        assert splunk.polls == []

    async def test_off_sends_no_channel_so_that_no_ids_pile_up(self, splunk: HecCollector):
        splunk.hec.acks = False
        async with logging_to(options(splunk, indexer_ack="off")) as runtime:
            log.info("one")
            assert await runtime.flush()
        assert CHANNEL not in splunk.posts[0].headers

    async def test_off_where_the_token_wants_it_pauses_and_says_so(self, splunk: HecCollector):
        async with logging_to(options(splunk, indexer_ack="off")) as runtime:
            log.error("one")
            await eventually(lambda: sink_stats(runtime).state == "failed")
            assert "Data channel is missing" in (sink_stats(runtime).last_error or "")
            splunk.hec.acks = False
            assert await runtime.flush()

    async def test_on_sends_nothing_to_a_token_without_it_and_says_why(self, splunk: HecCollector):
        splunk.hec.acks = False
        async with logging_to(options(splunk, indexer_ack="on")) as runtime:
            log.error("one")
            await eventually(lambda: sink_stats(runtime).state == "failed")
            assert "indexer acknowledgement off: enable it in Splunk" in (sink_stats(runtime).last_error or "")
            assert splunk.posts == []
            splunk.hec.acks = True
            assert await runtime.flush()
            assert_each_once(splunk, runtime, 1)

    async def test_on_believes_no_200_without_an_id(self, splunk: HecCollector):
        splunk.then(json_reply({"acks": {"0": False}}), json_reply({"text": "Success", "code": 0}))
        async with logging_to(options(splunk, indexer_ack="on")) as runtime:
            log.info("one")
            assert await runtime.flush()
            assert (sink_stats(runtime).retries, sink_stats(runtime).ledger.delivered) == (1, 1)


class TestAcknowledgement:
    async def test_200_is_not_delivered_until_its_id_is_acknowledged(self, splunk: HecCollector):
        splunk.hec.holds = True
        async with logging_to(options(splunk)) as runtime:
            log_some(10)
            flushing = asyncio.create_task(runtime.flush())
            await eventually(lambda: len(splunk.polls) >= 3)
            ledger = sink_stats(runtime).ledger
            assert (ledger.delivered, ledger.in_flight) == (0, 10)
            splunk.hec.index()
            assert await flushing
            assert_each_once(splunk, runtime, 10)
        assert len(splunk.posts) == 1

    async def test_one_question_asks_for_the_ids_of_all_requests(self, splunk: HecCollector):
        splunk.hec.holds = True
        async with logging_to(options(splunk, request_max_bytes=20_000)) as runtime:
            log_some(200, text="x" * 400)
            flushing = asyncio.create_task(runtime.flush())
            await eventually(lambda: len(splunk.polls) >= 2)
            assert len(splunk.posts) >= 5
            assert all(acks_asked(poll) == [*range(len(splunk.posts))] for poll in splunk.polls)
            splunk.hec.index()
            assert await flushing
            assert_each_once(splunk, runtime, 200)

    async def test_questions_grow_rare_up_to_the_interval(self, splunk: HecCollector):
        splunk.hec.holds = True
        async with logging_to(options(splunk, ack_poll_interval=0.4)) as runtime:
            log.error("one")
            await eventually(lambda: len(splunk.polls) >= 6)
            splunk.hec.index()
            assert await runtime.flush()
        waits = [later.at - earlier.at for earlier, later in pairwise(splunk.polls)]
        assert min(waits[3:]) >= 0.4
        assert len({poll.headers[CHANNEL] for poll in splunk.polls}) == 1

    async def test_what_waits_behind_is_sent_while_this_is_indexed(self, splunk: HecCollector):
        """Else a batch would take as long as Splunk needs to index the one before."""
        splunk.hec.holds = True
        async with logging_to(options(splunk, batch_max_entries=10)) as runtime:
            log_some(30)
            await eventually(lambda: len(splunk.posts) == 3)
            assert sink_stats(runtime).ledger.delivered == 0
            await eventually(lambda: [acks_asked(poll) for poll in splunk.polls][-1:] == [[0, 1, 2]])
            splunk.hec.index()
            assert await runtime.flush()
            assert_each_once(splunk, runtime, 30)
        assert len(splunk.posts) == 3

    async def test_what_waits_behind_is_not_pressed_upon_a_busy_server(self, splunk: HecCollector):
        splunk.hec.holds = True
        async with logging_to(options(splunk, batch_max_entries=10)) as runtime:
            log_some(10)
            await eventually(lambda: splunk.polls)
            splunk.hec.busy = True
            log_some(20, first=10)
            polls = len(splunk.polls)
            await eventually(lambda: len(splunk.polls) >= polls + 5)
            assert len(splunk.posts) == 2
            splunk.hec.busy = False
            splunk.hec.holds = False
            splunk.hec.index()
            assert await runtime.flush()
            assert_each_once(splunk, runtime, 30)

    async def test_an_id_that_is_never_acknowledged_is_sent_again_in_the_same_bytes(self, splunk: HecCollector):
        """A collector that acknowledges and forgets."""
        splunk.hec.holds = True
        async with logging_to(options(splunk, ack_timeout=0.2)) as runtime:
            log_some(10)
            flushing = asyncio.create_task(runtime.flush())
            await eventually(lambda: splunk.hec.waiting == 1)
            splunk.hec.lose()
            splunk.hec.holds = False
            assert await flushing
            assert_each_once(splunk, runtime, 10)
            assert "not acknowledged within 0.2 s" in (sink_stats(runtime).last_error or "")
        first, second = splunk.posts
        assert first.raw == second.raw

    async def test_only_what_is_not_acknowledged_is_sent_again(self, splunk: HecCollector):
        splunk.hec.holds = True
        async with logging_to(options(splunk, request_max_bytes=20_000, ack_timeout=0.3)) as runtime:
            log_some(200, text="x" * 400)
            flushing = asyncio.create_task(runtime.flush())
            await eventually(lambda: splunk.polls)
            posts = len(splunk.posts)
            splunk.hec.lose(1)
            splunk.hec.holds = False
            splunk.hec.index()
            assert await flushing
            assert_each_once(splunk, runtime, 200)
        assert [post.raw for post in splunk.posts[posts:]] == [splunk.posts[1].raw]

    async def test_an_indexer_that_begins_anew_is_sent_what_it_lost(self, splunk: HecCollector):
        """Its ids begin anew too: the id of a new request must not be taken for the lost one's."""
        splunk.hec.holds = True
        async with logging_to(options(splunk, batch_max_entries=10, ack_timeout=30.0)) as runtime:
            log_some(10)
            await eventually(lambda: splunk.hec.waiting == 1)
            splunk.hec.restart()
            splunk.hec.holds = False
            log_some(10, first=10)  # sent ahead, it is given id 0, as the lost one was
            assert await runtime.flush()
            assert_each_once(splunk, runtime, 20)
            assert "ids began anew" in (sink_stats(runtime).last_error or "")
        assert len({post.headers[CHANNEL] for post in splunk.posts}) == 2

    async def test_a_broken_question_is_asked_again_and_nothing_is_sent_twice(self, splunk: HecCollector):
        splunk.hec.holds = True
        async with logging_to(options(splunk)) as runtime:
            log_some(10)
            flushing = asyncio.create_task(runtime.flush())
            await eventually(lambda: splunk.polls)
            splunk.then(splunk.close, status(500, "oops"), status(503, "busy"), splunk.garbage, status(200, "<html>"))
            await eventually(lambda: sink_stats(runtime).retries >= 5)
            splunk.hec.index()
            assert await flushing
            assert_each_once(splunk, runtime, 10)
        assert len(splunk.posts) == 1

    async def test_a_lost_answer_to_a_question_costs_a_repetition_and_no_entry(self, splunk: HecCollector):
        """That an id is acknowledged is told once."""

        async def told_to_nobody(request: web.Request, received: Received) -> web.StreamResponse:
            await splunk.accept(request, received)
            return await splunk.close(request, received)

        splunk.then(splunk.accept, told_to_nobody)
        async with logging_to(options(splunk, ack_timeout=0.2)) as runtime:
            log_some(10)
            assert await runtime.flush()
            assert sink_stats(runtime).ledger.delivered == 10
        assert set(Counter(splunk.hec.ids).values()) == {2}

    @pytest.mark.parametrize("body", [{"text": "ACK is disabled", "code": 14}, {"text": "Invalid channel", "code": 11}])
    async def test_ids_that_nobody_knows_any_more_are_sent_again(self, splunk: HecCollector, body: dict[str, Any]):
        async def forget(request: web.Request, received: Received) -> web.StreamResponse:
            splunk.hec.lose()
            splunk.hec.holds = False
            return await json_reply(body, 400)(request, received)

        splunk.hec.holds = True
        splunk.then(splunk.accept, forget)
        async with logging_to(options(splunk, ack_timeout=30.0)) as runtime:
            log_some(10)
            assert await runtime.flush()
            assert_each_once(splunk, runtime, 10)
        first, second = splunk.posts
        assert first.raw == second.raw
        assert first.headers[CHANNEL] != second.headers[CHANNEL]

    async def test_a_stop_amid_the_wait_keeps_its_deadline(self, splunk: HecCollector):
        """What was not acknowledged does not count as delivered."""
        splunk.hec.holds = True
        async with logging_to(options(splunk), shutdown_timeout=0.3) as runtime:
            log_some(10)
            log.error("and this")
            await eventually(lambda: splunk.hec.waiting)
        ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.balanced) == (0, True)

    @pytest.mark.parametrize("body", [{"ackId": 0}, {"text": "Success", "code": 0, "ackId": "0"}])
    async def test_an_id_may_be_text_and_stand_alone(self, splunk: HecCollector, body: dict[str, Any]):
        splunk.then(json_reply(body), json_reply({"acks": {"0": True}}))
        async with logging_to(options(splunk)) as runtime:
            log.info("one")
            assert await runtime.flush()
            assert sink_stats(runtime).ledger.delivered == 1


class TestAnswers:
    @pytest.mark.parametrize("code", [24, 25])
    async def test_a_warning_with_200_is_delivered_and_told(self, splunk: HecCollector, code: int):
        """Sending again what was accepted would only fill the queue that is nearly full."""
        splunk.then(json_reply({"text": "queue is approaching capacity", "code": code}))
        async with logging_to(options(splunk)) as runtime:
            log.info("one")
            assert await runtime.flush()
            stats = sink_stats(runtime)
        assert (stats.ledger.delivered, stats.retries, len(splunk.posts)) == (1, 0, 1)
        assert "approaching capacity" in (stats.last_error or "")

    @pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"[]", b'{"status":"ok"}', b'{"text":"x","code":9}'])
    async def test_200_that_does_not_say_so_is_not_delivered(self, splunk: HecCollector, body: bytes):
        splunk.then(status(200, body))
        async with logging_to(options(splunk)) as runtime:
            log.info("one")
            assert await runtime.flush()
            assert sink_stats(runtime).retries == 1
            assert_each_once(splunk, runtime, 1)

    @pytest.mark.parametrize(
        ("http", "code"), [(503, 9), (500, 8), (503, 18), (503, 19), (503, 20), (503, 23), (429, 26), (429, 27)]
    )
    async def test_a_busy_server_is_sent_the_same_bytes_again(self, splunk: HecCollector, http: int, code: int):
        busy = json_reply({"text": "Server is busy", "code": code}, http)
        splunk.then(busy, busy)
        async with logging_to(options(splunk)) as runtime:
            log_some(10)
            assert await runtime.flush()
            assert sink_stats(runtime).retries == 2
            assert_each_once(splunk, runtime, 10)
        assert len({post.raw for post in splunk.posts}) == 1

    async def test_a_server_busy_amid_a_batch_gets_the_rest_only(self, splunk: HecCollector):
        """What it accepted before is asked for, not sent twice."""
        splunk.hec.holds = True
        splunk.then(splunk.accept, splunk.accept, status(503, b'{"text":"Server is busy","code":9}'))
        async with logging_to(options(splunk, request_max_bytes=20_000)) as runtime:
            log_some(200, text="x" * 400)
            flushing = asyncio.create_task(runtime.flush())
            await eventually(lambda: sink_stats(runtime).retries >= 1)
            splunk.hec.holds = False
            splunk.hec.index()
            assert await flushing
            assert_each_once(splunk, runtime, 200)

    async def test_retry_after_is_heeded(self, splunk: HecCollector):
        splunk.then(status(503, b'{"text":"Server is busy","code":9}', Retry_After="1"))
        async with logging_to(options(splunk)) as runtime:
            log.error("now")
            await eventually(lambda: len(splunk.posts) == 2)
            assert await runtime.flush()
        first, second = splunk.posts
        assert second.at - first.at >= 1.0

    @pytest.mark.parametrize("code", [6, 12, 13, 15])
    async def test_the_event_that_is_named_is_rejected_and_all_others_arrive(self, splunk: HecCollector, code: int):
        """Splunk has indexed what stands before it; others that speak its protocol have not, so it is sent again."""
        bad = {"n 3", "n 7", "n 19"}
        splunk.hec.faulty = lambda event: code if event["event"]["message"] in bad else None
        async with logging_to(options(splunk)) as runtime:
            log_some(20)
            assert not await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected, ledger.balanced) == (17, 3, True)
        assert set(messages(splunk)) == {f"n {number}" for number in range(20)} - bad
        # each is indexed twice at most: with the bad one behind it, and without
        assert max(Counter(splunk.hec.ids).values()) == 2

    async def test_a_receiver_that_stores_nothing_of_such_a_request_loses_nothing(self, splunk: HecCollector):
        """The OpenTelemetry Collector's receiver takes all of a request or nothing, and names the event too."""

        async def all_or_nothing(request: web.Request, received: Received) -> web.StreamResponse:
            sent = events(received) if received.path == EVENT_PATH else []
            found = [number for number, event in enumerate(sent) if event["event"]["message"] == "n 3"]
            if found:
                body = {"text": "Error in handling indexed fields", "code": 15, "invalid-event-number": found[0]}
                return await json_reply(body, 400)(request, received)
            return await splunk.accept(request, received)

        splunk.default = all_or_nothing
        async with logging_to(options(splunk)) as runtime:
            log_some(20)
            assert not await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected) == (19, 1)
        assert sorted(Counter(messages(splunk)).values()) == [1] * 19

    @pytest.mark.parametrize(
        "body", [b'{"text":"Invalid data format","code":6}', b'{"code":6,"invalid-event-number":99}', b"bad gzip"]
    )
    async def test_a_refused_request_that_names_no_event_is_cut_until_it_stands_alone(
        self, splunk: HecCollector, body: bytes
    ):
        async def reply(request: web.Request, received: Received) -> web.StreamResponse:
            if received.path == EVENT_PATH and any(event["event"]["message"] == "n 5" for event in events(received)):
                return await status(400, body)(request, received)
            return await splunk.accept(request, received)

        splunk.default = reply
        async with logging_to(options(splunk)) as runtime:
            log_some(16)
            assert not await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected) == (15, 1)
        assert messages(splunk) == [f"n {number}" for number in range(16) if number != 5]

    async def test_a_request_that_is_too_large_is_halved(self, splunk: HecCollector):
        splunk.hec.max_content_length = 5000
        async with logging_to(options(splunk, gzip_min_bytes=10_000_000)) as runtime:
            log_some(100)
            log.info("x" * 6000)
            assert not await runtime.flush()
            ledger = sink_stats(runtime).ledger
        assert (ledger.delivered, ledger.rejected) == (100, 1)
        assert messages(splunk) == [f"n {number}" for number in range(100)]

    @pytest.mark.parametrize(
        ("http", "body"),
        [
            (401, {"text": "Token is required", "code": 2}),
            (401, {"text": "Invalid authorization", "code": 3}),
            (403, {"text": "Token disabled", "code": 1}),
            (403, {"text": "Invalid token", "code": 4}),
            (400, {"text": "Incorrect index", "code": 7, "invalid-event-number": 0}),
            (400, {"text": "Data channel is missing", "code": 10}),
            (404, {"text": "The requested URL was not found on this server.", "code": 404}),
        ],
    )
    async def test_what_an_operator_must_mend_pauses_and_drops_nothing(
        self, splunk: HecCollector, http: int, body: dict[str, Any]
    ):
        splunk.default = json_reply(body, http)
        async with logging_to(options(splunk, backoff_max=0.05)) as runtime:
            log_some(10)
            assert not await runtime.flush(timeout=0.3)
            stats = sink_stats(runtime)
            assert (stats.state, stats.ledger.in_flight, stats.ledger.rejected) == ("failed", 10, 0)
            assert body["text"] in (stats.last_error or "")
            assert TOKEN not in repr(runtime.stats())
            splunk.default = splunk.accept
            assert await runtime.flush()
            assert_each_once(splunk, runtime, 10)

    async def test_a_token_that_an_answer_repeats_is_shown_nowhere(self, splunk: HecCollector):
        splunk.then(*[status(403, orjson.dumps({"text": f"Invalid token {TOKEN}", "code": 4}))] * 2)
        async with logging_to(options(splunk)) as runtime:
            log.info("one")
            assert await runtime.flush()
            shown = repr(runtime.stats())
        assert TOKEN not in shown
        assert "Invalid token (hidden)" in shown
