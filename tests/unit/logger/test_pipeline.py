"""The pipeline upon one loop after another: pausing, abandoning and applying keep every entry and every account."""

import asyncio
from collections.abc import Callable

import pytest
from support.eventually import eventually
from support.fake_sinks import FakeSink, captures

from metaexpert.exceptions import ConfigError
from metaexpert.logger import CustomOptions, LoggerConfig, MemoryOptions
from metaexpert.logger.assembly import SinkAssembly
from metaexpert.logger.batch import Batch
from metaexpert.logger.identity import Identity
from metaexpert.logger.notices import Notices
from metaexpert.logger.outcome import Delivered, Outcome
from metaexpert.logger.pipeline import Pipeline

QUIET = {"log_to_console": False, "log_to_file": False, "shutdown_timeout": 1.0}


def config(*sinks: object, **more: object) -> LoggerConfig:
    return LoggerConfig.model_validate({**QUIET, "sinks": sinks, **more})


def fast(name: str, **more: object) -> MemoryOptions:
    return MemoryOptions.model_validate({"name": name, **more})


@pytest.fixture
def new(fakes: dict[str, FakeSink]) -> Callable[..., Pipeline]:
    """A pipeline whose sinks are fakes where the test named one."""
    del fakes  # in place by now

    def made(*sinks: object, **more: object) -> Pipeline:
        return Pipeline(config(*sinks, **more), Identity(service="tests"), Notices())

    return made


def put(pipeline: Pipeline, *seqs: int) -> None:
    for each in captures(seqs):
        pipeline.ingress.put(each)


def texts(*seqs: int) -> list[str]:
    return [f"m{seq}" for seq in seqs]


def balanced(pipeline: Pipeline) -> bool:
    return all(sink.ledger.balanced for sink in pipeline.stats().sinks.values())


class TestLoops:
    def test_paused_on_one_loop_it_goes_on_upon_another(self, new: Callable[..., Pipeline], fakes: dict[str, FakeSink]):
        sink = fakes["a"] = FakeSink()
        pipeline = new(fast("a"))

        async def first() -> None:
            pipeline.start(alone=False)
            put(pipeline, 1, 2, 3)
            await pipeline.pause()
            put(pipeline, 4)
            assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("metaexpert-")]

        async def second() -> None:
            pipeline.start(alone=False)
            put(pipeline, 5)
            assert await pipeline.flush(5.0)
            await pipeline.stop()

        asyncio.run(first())
        asyncio.run(second())
        assert sink.stored == texts(1, 2, 3, 4, 5)
        assert sink.closed
        assert balanced(pipeline)

    def test_a_pause_lets_the_write_under_way_end_and_sends_nothing_twice(
        self, new: Callable[..., Pipeline], fakes: dict[str, FakeSink]
    ):
        sink = fakes["a"] = FakeSink()
        pipeline = new(fast("a"))

        async def first() -> None:
            sink.may_write.clear()
            pipeline.start(alone=False)
            put(pipeline, 1)
            await eventually(lambda: sink.batches)
            put(pipeline, 2, 3)
            pausing = asyncio.create_task(pipeline.pause())
            await asyncio.sleep(0.02)
            assert not pausing.done()
            sink.may_write.set()
            await pausing

        async def second() -> None:
            pipeline.start(alone=False)
            assert await pipeline.flush(5.0)
            await pipeline.stop()

        asyncio.run(first())
        sink.may_write = asyncio.Event()
        sink.may_write.set()
        asyncio.run(second())
        assert sink.stored == texts(1, 2, 3)
        assert [text for batch in sink.batches for text in batch] == texts(1, 2, 3)

    def test_abandoned_with_a_closed_loop_what_was_being_written_is_sent_again(
        self, new: Callable[..., Pipeline], fakes: dict[str, FakeSink]
    ):
        sink = fakes["a"] = FakeSink()
        pipeline = new(fast("a"))

        async def first() -> None:
            sink.may_write.clear()
            pipeline.start(alone=False)
            put(pipeline, 1, 2)
            await eventually(lambda: sink.batches)
            put(pipeline, 3)

        async def second() -> None:
            pipeline.abandon()
            pipeline.start(alone=False)
            assert await pipeline.flush(5.0)
            await pipeline.stop()

        loop = asyncio.new_event_loop()
        loop.run_until_complete(first())
        loop.close()
        sink.may_write = asyncio.Event()
        sink.may_write.set()
        asyncio.run(second())
        assert sink.stored == texts(1, 2, 3)
        assert balanced(pipeline)

    async def test_left_to_a_child_it_writes_nothing_and_is_ended_by_anybody(
        self, new: Callable[..., Pipeline], fakes: dict[str, FakeSink]
    ):
        sink = fakes["a"] = FakeSink()
        pipeline = new(fast("a"))
        pipeline.start(alone=False)
        pipeline.leave_to_child()
        put(pipeline, 1)
        tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith("metaexpert-")]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert sink.batches == []
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("metaexpert-")]


class TestApply:
    async def test_a_sink_that_cannot_be_made_changes_nothing(self, new: Callable[..., Pipeline]):
        pipeline = new(fast("a"))
        pipeline.start(alone=False)
        before, sinks = pipeline.config, dict(pipeline.sinks)

        def refuse(_: object) -> FakeSink:
            raise ConfigError("cannot be made")

        with pytest.raises(ConfigError):
            await pipeline.apply(config(fast("b"), CustomOptions(name="c", new_sink=refuse)))
        assert pipeline.config is before
        assert dict(pipeline.sinks) == sinks
        put(pipeline, 1)
        assert await pipeline.flush(5.0)
        await pipeline.stop()

    async def test_entries_of_a_changed_sink_go_to_the_new_one_in_order(
        self, new: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
    ):
        made: list[FakeSink] = []

        def sink(_: SinkAssembly, __: object) -> FakeSink:
            made.append(FakeSink())
            return made[-1]

        monkeypatch.setattr(SinkAssembly, "sink", sink)
        pipeline = new(fast("a", max_entries=1000))
        pipeline.start(alone=False)
        made[0].may_write.clear()
        put(pipeline, *range(300))
        await eventually(lambda: made[0].batches)
        await pipeline.apply(config(fast("a", max_entries=2000)))
        put(pipeline, *range(300, 310))
        assert await pipeline.flush(5.0)
        assert made[0].closed
        assert made[0].stored == []
        assert made[1].stored == texts(*range(310))
        ledger = pipeline.stats().sinks["a"].ledger
        assert (ledger.routed, ledger.delivered, ledger.balanced) == (310, 310, True)
        await pipeline.stop()

    async def test_a_removed_sink_that_hangs_is_given_up_at_the_deadline_and_counted(
        self, new: Callable[..., Pipeline], fakes: dict[str, FakeSink]
    ):
        sink = fakes["gone"] = FakeSink()
        sink.may_write.clear()
        pipeline = new(fast("kept"), fast("gone"), shutdown_timeout=0.1)
        pipeline.start(alone=False)
        put(pipeline, 1, 2, 3)
        await eventually(lambda: sink.batches)
        await pipeline.apply(config(fast("kept"), shutdown_timeout=0.1))
        gone = pipeline.stats().sinks["gone"]
        assert gone.state == "stopped"
        assert gone.ledger.dropped == {("INFO", "shutdown"): 3}
        assert gone.ledger.balanced
        assert await pipeline.drained(5.0)
        await pipeline.stop()
        assert balanced(pipeline)

    async def test_a_name_that_comes_back_begins_with_accounts_of_its_own(
        self, new: Callable[..., Pipeline], fakes: dict[str, FakeSink]
    ):
        fakes["b"] = FakeSink()
        pipeline = new(fast("a"), fast("b"))
        pipeline.start(alone=False)
        put(pipeline, 1)
        assert await pipeline.flush(5.0)
        await pipeline.apply(config(fast("a")))
        assert pipeline.stats().sinks["b"].ledger.delivered == 1
        await pipeline.apply(config(fast("a"), fast("b")))
        assert pipeline.stats().sinks["b"].ledger.delivered == 0
        await pipeline.stop()

    async def test_the_write_of_a_removed_sink_that_answers_late_counts(
        self, new: Callable[..., Pipeline], fakes: dict[str, FakeSink]
    ):
        async def late(_: Batch) -> Outcome:
            await asyncio.sleep(0.05)
            return Delivered()

        sink = fakes["gone"] = FakeSink(late)
        pipeline = new(fast("gone"), fast("kept"))
        pipeline.start(alone=False)
        put(pipeline, 1, 2, 3)
        await eventually(lambda: sink.batches)
        put(pipeline, 4)
        await pipeline.dispatcher.taken()
        await pipeline.apply(config(fast("kept")))
        assert sink.stored == texts(1, 2, 3, 4)
        assert pipeline.stats().sinks["gone"].ledger.delivered == 4
        await pipeline.stop()
