"""The memory sink keeps the last entries, decoded on request."""

from support.running_logger import logging_to

from metaexpert.logger import MemoryOptions, get_logger
from metaexpert.logger.sinks.memory import MemorySink

log = get_logger("unit.memory")


async def test_it_keeps_entries_in_order_also_after_the_stop():
    async with logging_to(MemoryOptions()) as runtime:
        log.info("one", a=1)
        log.error("two")
        sink = runtime.sinks["memory"]
    assert isinstance(sink, MemorySink)
    assert [(entry["message"], entry["level"]) for entry in sink.entries] == [("one", "INFO"), ("two", "ERROR")]
    assert sink.entries[0]["extra"] == {"a": 1}


async def test_older_entries_give_way():
    async with logging_to(MemoryOptions(max_entries=3)) as runtime:
        for number in range(10):
            log.info("n %d", number)
        assert await runtime.flush()
        sink = runtime.sinks["memory"]
    assert isinstance(sink, MemorySink)
    assert [entry["message"] for entry in sink.entries] == ["n 7", "n 8", "n 9"]
