"""A sink of the user's own is driven as ours are: queue, batches, retries, accounts."""

import sys
from pathlib import Path

import pytest
from support.fake_sinks import FakeSink
from support.running_logger import logging_to

from metaexpert.exceptions import ConfigError
from metaexpert.logger import Batch, CustomOptions, LoggerConfig, Outcome, Retry, SinkParts, get_logger
from metaexpert.logger.jobs import Worker
from metaexpert.logger.outcome import Delivered

log = get_logger("unit.custom")

MODULE = """
from metaexpert.logger.sinks.memory import MemorySink

def kept_in_memory(parts):
    return MemorySink(parts.json_line, 10)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_sinks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_sinks", raising=False)
    return "my_sinks"


async def test_it_is_given_its_parts_once_and_closed_at_the_end():
    given: list[SinkParts] = []
    sinks: list[FakeSink] = []

    def new_sink(parts: SinkParts) -> FakeSink:
        given.append(parts)
        sinks.append(FakeSink())
        return sinks[-1]

    async with logging_to(CustomOptions(name="mine", level="INFO", new_sink=new_sink)) as runtime:
        log.debug("below its level")
        log.info("one")
        log.trade.order_cancelled(order_id=1, symbol="BTCUSDT")
        assert await runtime.flush()
        stats = runtime.stats().sinks["mine"]
        assert runtime.sinks["mine"] is sinks[0]
        assert given[0].identity is runtime.identity
    (parts,), (sink,) = given, sinks
    assert (parts.name, isinstance(parts.worker(), Worker)) == ("mine", True)
    assert sink.stored[0] == "one"
    assert len(sink.stored) == 2
    assert sink.closed
    assert (stats.type, stats.ledger.delivered, stats.ledger.filtered) == ("custom", 2, 1)


async def test_its_retries_wait_as_its_options_say():
    tries: list[float] = []

    async def answer(_: Batch) -> Outcome:
        tries.append(0.0)
        return Retry("not yet") if len(tries) < 6 else Delivered()

    options = CustomOptions(new_sink=lambda _: FakeSink(answer), backoff_first=0.001, backoff_max=0.002)
    async with logging_to(options) as runtime:
        log.info("one")
        assert await runtime.flush(timeout=5.0)
        assert runtime.stats().sinks["custom"].retries == 5


@pytest.mark.parametrize("by", ["keyword", "environment"])
async def test_it_may_be_named_in_words(by: str, module: str):
    named = {"type": "custom", "name": "mine", "new_sink": f"{module}:kept_in_memory"}
    if by == "keyword":
        options = LoggerConfig(sinks=[named]).sinks[0]  # type: ignore[list-item]  # as a file has it
    else:
        text = str(named).replace("'", '"')
        options = LoggerConfig.load(environ={"METAEXPERT_LOG_SINKS": f"[{text}]"}).sinks[0]
    assert isinstance(options, CustomOptions)
    async with logging_to(options) as runtime:
        log.info("one")
        assert await runtime.flush()
        assert len(runtime.sinks["mine"].lines) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (3, r"CustomOptions\.new_sink = 3: "),
        ("my_sinks", r'must be a function, or its name such as "package\.module:name"'),
        ("my_sinks:nothing", r"cannot be found: .*nothing"),
        ("no_such_module:sink", r"cannot be found: No module named 'no_such_module'"),
        ("not a name:sink", r"cannot be found: "),
        ("sys:path", r"should be callable"),
    ],
)
def test_what_makes_no_sink_is_refused_with_the_reason(value: object, told: str, module: str):
    assert module
    with pytest.raises(ConfigError, match=told):
        CustomOptions(new_sink=value)  # type: ignore[arg-type]
