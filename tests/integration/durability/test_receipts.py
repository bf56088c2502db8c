"""Receipts of a running logger: what they wait for, and what they say when it will not come."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support.eventually import eventually
from support.fake_sinks import FakeSink
from support.programs import run_program
from support.running_logger import logging_to
from support.scripted_collector import Received, ScriptedCollector, serving, status

from metaexpert.exceptions import ReceiptError
from metaexpert.logger import CustomOptions, FileOptions, MemoryOptions, NdjsonOptions, get_logger
from metaexpert.logger.outcome import Delivered

SECONDS = 30.0


def to(tmp_path: Path, *sinks: Any, **config: Any) -> Any:
    return logging_to(*sinks, log_dir=tmp_path / "logs", **config)


class TestOnDisk:
    async def test_every_protected_call_gives_one_that_can_be_awaited(self, tmp_path: Path):
        log = get_logger("receipts.all")
        async with to(tmp_path, FileOptions(path="all.log")) as runtime, asyncio.timeout(SECONDS):
            await log.error("error")
            await log.critical("critical")
            await log.error("exception", exc_info=ValueError("x"))
            await log.trade.order_placed(symbol="BTCUSDT", side="BUY", order_id="1", quantity="1")
            await log.audit("limit changed", actor="operator")
            await asyncio.gather(*[log.error("n %d", number) for number in range(100)])
            stats = runtime.stats().journal
            assert stats is not None
            assert (stats.entries, stats.failures) == (105, 0)
            assert 1 <= stats.syncs <= 105

    async def test_the_same_one_may_be_awaited_again_and_by_several(self, tmp_path: Path):
        log = get_logger("receipts.again")
        async with to(tmp_path, FileOptions(path="all.log")), asyncio.timeout(SECONDS):
            receipt = log.error("x")

            async def wait() -> None:
                await receipt

            await asyncio.gather(*[wait() for _ in range(10)])
            await receipt

    async def test_a_thread_without_a_loop_waits_with_wait(self, tmp_path: Path):
        log = get_logger("receipts.thread")

        def work() -> None:
            log.error("from a thread").wait(SECONDS)

        async with to(tmp_path, FileOptions(path="all.log")):
            await asyncio.wait_for(asyncio.to_thread(work), SECONDS)

    async def test_a_wait_that_is_given_up_harms_nothing(self, tmp_path: Path):
        log = get_logger("receipts.cancelled")
        async with to(tmp_path, FileOptions(path="all.log")), asyncio.timeout(SECONDS):
            receipt = log.error("x")

            async def wait() -> None:
                await receipt

            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await receipt


class TestDelivered:
    async def test_by_file_and_memory(self, tmp_path: Path):
        log = get_logger("receipts.local")
        path = tmp_path / "logs" / "all.log"
        async with to(tmp_path, FileOptions(path="all.log"), MemoryOptions()), asyncio.timeout(SECONDS):
            receipt = log.error("there")
            await receipt.delivered("file")
            assert "there" in path.read_text(encoding="utf-8")
            await receipt.delivered("memory")
            await receipt.delivered("memory")

    async def test_by_a_collector_that_answers_late(self, tmp_path: Path):
        log, may_answer = get_logger("receipts.late"), asyncio.Event()

        async def late(_: web.Request, __: Received) -> web.StreamResponse:
            await may_answer.wait()
            return web.Response(status=200)

        async with (
            serving(ScriptedCollector(late)) as served,
            asyncio.timeout(SECONDS),
            to(tmp_path, NdjsonOptions(url=served.url)),
        ):
            receipt = log.error("x")
            waiting = asyncio.ensure_future(receipt.delivered("ndjson"))
            await eventually(lambda: served.requests)
            await receipt
            assert not waiting.done()
            may_answer.set()
            await waiting

    async def test_refused_it_says_status_and_reason(self, tmp_path: Path):
        log = get_logger("receipts.refused")

        async with (
            serving(ScriptedCollector(status(400, "no such field"))) as served,
            asyncio.timeout(SECONDS),
            to(tmp_path, NdjsonOptions(url=served.url)),
        ):
            receipt = log.error("x")
            with pytest.raises(ReceiptError, match=r"ndjson has not taken the entry: 400 .*no such field"):
                await receipt.delivered("ndjson")
            await receipt

    async def test_by_a_collector_that_was_down_at_first(self, tmp_path: Path):
        log = get_logger("receipts.down")

        async with serving(ScriptedCollector(status(503))) as served, asyncio.timeout(SECONDS):
            options = NdjsonOptions(url=served.url, backoff_first=0.01, backoff_max=0.05)
            async with to(tmp_path, options) as runtime:
                first = log.error("first")
                await eventually(lambda: runtime.stats().sinks["ndjson"].breaker != "closed", SECONDS)
                receipts = [first, *[log.error("n %d", number) for number in range(50)]]
                await eventually(lambda: runtime.stats().sinks["ndjson"].spooled_entries > 0, SECONDS)
                waiting = asyncio.gather(*[receipt.delivered("ndjson") for receipt in receipts])
                assert not waiting.done()
                served.default = status(200)
                await waiting
                bodies = b"".join(each.body for each in served.requests)
                assert all(b'"n %d"' % number in bodies for number in range(50))

    async def test_an_unknown_sink_is_told_with_those_there_are(self, tmp_path: Path):
        async with to(tmp_path, FileOptions(path="all.log"), MemoryOptions()), asyncio.timeout(SECONDS):
            receipt = get_logger("receipts.unknown").error("x")
            with pytest.raises(ReceiptError, match="no sink 'loki'; there are file, memory"):
                await receipt.delivered("loki")

    async def test_a_sink_that_does_not_take_such_entries_is_told(self, tmp_path: Path):
        trades = FileOptions(name="trades", path="trades.log", log_types=("trade",))
        async with to(tmp_path, FileOptions(path="all.log"), trades), asyncio.timeout(SECONDS):
            receipt = get_logger("receipts.other").error("x")
            with pytest.raises(ReceiptError, match="trades has not taken the entry: it does not take such entries"):
                await receipt.delivered("trades")
            await receipt.delivered("file")

    async def test_a_sink_that_is_removed_is_told(self, tmp_path: Path):
        sink = FakeSink()
        sink.may_write.clear()
        custom = CustomOptions(new_sink=lambda _: sink)
        file = FileOptions(path="all.log")
        async with to(tmp_path, file, custom, shutdown_timeout=0.2) as runtime, asyncio.timeout(SECONDS):
            waiting = asyncio.ensure_future(get_logger("receipts.removed").error("x").delivered("custom"))
            await eventually(lambda: sink.batches)
            await runtime.reload(runtime.config.model_copy(update={"sinks": (file,)}))
            with pytest.raises(ReceiptError, match="the sink was removed"):
                await waiting


class TestWithoutAny:
    async def test_never_awaited_nothing_is_kept_of_it(self, tmp_path: Path):
        log = get_logger("receipts.never")
        async with to(tmp_path, FileOptions(path="all.log")) as runtime, asyncio.timeout(SECONDS):
            for number in range(500):
                log.error("n %d", number)
            assert await runtime.flush(SECONDS)
            pipeline = runtime._pipeline
            assert pipeline is not None
            assert pipeline.journal is not None
            promises = pipeline.journal._promises
            assert (promises._syncs, promises._deliveries, len(pipeline.journal.obligations.kept)) == ([], {}, 0)

    async def test_before_logging_is_set_up(self):
        receipt = get_logger("receipts.before").error("x")
        with pytest.raises(ReceiptError, match="not set up"):
            await receipt
        with pytest.raises(ReceiptError, match="not set up"):
            await receipt.delivered("file")
        with pytest.raises(ReceiptError, match="not set up"):
            receipt.wait(SECONDS)

    async def test_with_the_journal_switched_off(self, tmp_path: Path):
        async with to(tmp_path, FileOptions(path="all.log"), journal={"enabled": False}) as runtime:
            with pytest.raises(ReceiptError, match=r"journal\.enabled"):
                await get_logger("receipts.off").error("x")
            assert runtime.stats().journal is None
        assert not (tmp_path / "logs" / "journal").exists()

    async def test_of_a_call_that_a_level_holds_back(self, tmp_path: Path):
        log = get_logger("receipts.held")
        log.setLevel("CRITICAL")
        try:
            async with to(tmp_path, FileOptions(path="all.log")):
                with pytest.raises(ReceiptError, match="held the call back"):
                    await log.error("x")
        finally:
            log.setLevel("NOTSET")


class TestEnd:
    async def test_one_from_before_the_stop_is_kept_after_it(self, tmp_path: Path):
        async with asyncio.timeout(SECONDS):
            async with to(tmp_path, FileOptions(path="all.log")):
                receipt = get_logger("receipts.stop").error("x")
            await receipt
            await receipt.delivered("file")
            with pytest.raises(ReceiptError, match="no sink 'loki'"):
                await receipt.delivered("loki")

    async def test_whoever_waits_through_the_stop_for_a_sink_that_never_took_it_is_told(self, tmp_path: Path):
        sink = FakeSink()
        sink.may_write.clear()
        custom = CustomOptions(new_sink=lambda _: sink)
        async with asyncio.timeout(SECONDS):
            async with to(tmp_path, FileOptions(path="all.log"), custom, shutdown_timeout=0.2):
                receipt = get_logger("receipts.through").error("x")
                waiting = asyncio.ensure_future(receipt.delivered("custom"))
                await eventually(lambda: sink.batches)
            with pytest.raises(ReceiptError, match="the journal keeps 1 entries for the next start"):
                await waiting
            await receipt
            again = FakeSink()
            custom = CustomOptions(new_sink=lambda _: again)
            async with to(tmp_path, FileOptions(path="all.log"), custom) as runtime:
                assert await runtime.flush(SECONDS)
                assert again.stored[0] == "x"
                assert any("recovered 1 entries" in message for message in again.stored[1:])
            assert not list((tmp_path / "logs" / "journal").glob("*"))

    async def test_a_sink_that_takes_part_is_waited_for_apart(self, tmp_path: Path):
        answers = asyncio.Event()

        async def answer(_: Any) -> Delivered:
            await answers.wait()
            return Delivered()

        custom = CustomOptions(new_sink=lambda _: FakeSink(answer))
        async with to(tmp_path, FileOptions(path="all.log"), custom), asyncio.timeout(SECONDS):
            receipt = get_logger("receipts.apart").error("x")
            await receipt.delivered("file")
            waiting = asyncio.ensure_future(receipt.delivered("custom"))
            await asyncio.sleep(0)
            assert not waiting.done()
            answers.set()
            await waiting


def test_across_a_change_of_the_loop(tmp_path: Path):
    code = """
    async def first():
        setup_logging(config())
        receipts.append(log.error("first loop"))

    async def second():
        await receipts[0]
        receipts.append(log.error("second loop"))
        await receipts[1].delivered(next(iter(runtime().stats().sinks)))

    def runtime():
        from metaexpert.logger import at_exit
        return at_exit.remembered().runtime

    async def again():
        async with asyncio.timeout(30):
            await runtime().start()
            await second()
            await runtime().stop()

    receipts = []
    run(first())
    run(again())
    receipts[0].wait(30)
    """
    done = run_program(code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.messages()[:2] == ["first loop", "second loop"]


def test_in_a_program_without_a_loop(tmp_path: Path):
    code = """
    with setup_logging(config()):
        receipt = log.error("here")
        receipt.wait(30)
        receipts = []
        threads = [threading.Thread(target=lambda: receipts.append(log.audit("a", actor="x"))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for receipt in receipts:
            receipt.wait(30)
    assert len(receipts) == 4
    """
    assert run_program(code, tmp_path).well().messages()[0] == "here"
