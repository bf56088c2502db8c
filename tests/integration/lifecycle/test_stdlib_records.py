"""The records of other people's loggers come in, once, with all they carry; ours go out to other handlers, once."""

import logging
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from support.programs import run_program
from support.running_logger import logging_to

from metaexpert.logger import LoggingRuntime, MemoryOptions, get_logger, log_context
from metaexpert.logger.sinks.memory import MemorySink
from metaexpert.logger.stdlib import RecordBridge

ours = get_logger("records.ours")
theirs = logging.getLogger("records.theirs")


@pytest.fixture
async def runtime() -> AsyncGenerator[LoggingRuntime]:
    async with logging_to(MemoryOptions(max_entries=10_000)) as running:
        yield running


@pytest.fixture(autouse=True)
def as_before() -> Generator[None]:
    yield
    theirs.setLevel(logging.NOTSET)
    theirs.propagate = True
    assert not [handler for handler in logging.root.handlers if isinstance(handler, RecordBridge)]


async def arrived(runtime: LoggingRuntime) -> list[dict[str, Any]]:
    assert await runtime.flush()
    sink = runtime.sinks["memory"]
    assert isinstance(sink, MemorySink)
    return sink.entries


async def only(runtime: LoggingRuntime) -> dict[str, Any]:
    (entry,) = await arrived(runtime)
    return entry


def bridge() -> RecordBridge:
    (found,) = [handler for handler in logging.root.handlers if isinstance(handler, RecordBridge)]
    return found


async def test_a_record_with_all_it_says_of_its_origin(runtime: LoggingRuntime):
    theirs.warning("slow: %s took %.1f s", "GET /", 2.5)
    entry = await only(runtime)
    assert entry["message"] == "slow: GET / took 2.5 s"
    assert (entry["level"], entry["logger"], entry["log_type"]) == ("WARNING", "records.theirs", "general")
    assert entry["module"] == "test_stdlib_records"
    assert entry["function"] == "test_a_record_with_all_it_says_of_its_origin"
    assert entry["line"] > 0
    assert entry["task"]
    assert entry["thread"]


async def test_extra_becomes_fields_and_a_mapping_formats(runtime: LoggingRuntime):
    theirs.info("%(verb)s of %(what)s", {"verb": "GET", "what": "/"}, extra={"venue": "binance", "api_key": "AKIA"})
    entry = await only(runtime)
    assert entry["message"] == "GET of /"
    assert entry["extra"]["venue"] == "binance"
    assert "AKIA" not in str(entry)


async def test_exception_and_stack(runtime: LoggingRuntime):
    try:
        int("no number")
    except ValueError:
        theirs.exception("failed", stack_info=True)
    entry = await only(runtime)
    assert entry["exception"]["type"] == "ValueError"
    assert "test_exception_and_stack" in entry["exception"]["traceback"]
    assert "test_exception_and_stack" in entry["stack_info"]


async def test_arguments_that_do_not_fit_cost_no_entry(runtime: LoggingRuntime):
    # past pytest's own handlers, which make an error of such records
    bridge().handle(logging.LogRecord("odd", logging.INFO, __file__, 1, "%d of %s", ("one",), None))
    bridge().handle(logging.LogRecord("odd", logging.INFO, __file__, 1, ValueError("an object"), (), None))
    first, second = await arrived(runtime)
    assert "%d of %s" in first["message"]
    assert second["message"] == "an object"


async def test_the_context_is_theirs_too(runtime: LoggingRuntime):
    with log_context(strategy=7):
        theirs.info("inside")
    assert (await only(runtime))["extra"] == {"strategy": 7}


async def test_levels_are_stdlibs_under_the_configured_root():
    async with logging_to(MemoryOptions(), log_level="WARNING") as runtime:
        theirs.info("below the root's level")
        theirs.setLevel(logging.DEBUG)
        theirs.debug("by its own")
        assert [entry["message"] for entry in await arrived(runtime)] == ["by its own"]


async def test_a_record_made_elsewhere(runtime: LoggingRuntime):
    record = logging.LogRecord("far.away", logging.ERROR, "/far/module.py", 12, "from %s", ("afar",), None, "distant")
    record.created = 1_700_000_000.5
    theirs.handle(record)
    entry = await only(runtime)
    assert (entry["logger"], entry["message"]) == ("far.away", "from afar")
    assert (entry["module"], entry["function"], entry["line"]) == ("module", "distant", 12)
    assert entry["timestamp"].startswith("2023-11-14T22:13:20.5")


async def test_what_does_not_propagate_is_not_taken(runtime: LoggingRuntime):
    theirs.propagate = False
    theirs.addHandler(logging.NullHandler())
    try:
        theirs.warning("kept to themselves")
    finally:
        theirs.handlers.clear()
    ours.info("only ours")
    assert (await only(runtime))["message"] == "only ours"


async def test_neither_comes_twice_beside_a_handler_on_the_root(
    runtime: LoggingRuntime, caplog: pytest.LogCaptureFixture
):
    ours.warning("ours")
    theirs.warning("theirs")
    assert [entry["message"] for entry in await arrived(runtime)] == ["ours", "theirs"]
    assert [record.getMessage() for record in caplog.records] == ["ours", "theirs"]


async def test_somebodys_patch_of_call_handlers_gets_each_once(
    runtime: LoggingRuntime, monkeypatch: pytest.MonkeyPatch
):
    """As sentry's integration does: its function stands in the place of stdlib's and calls that too."""
    seen: list[str] = []
    real: Callable[..., None] = logging.Logger.callHandlers

    def patched(self: logging.Logger, record: logging.LogRecord) -> None:
        seen.append(record.getMessage())
        real(self, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", patched)
    ours.error("ours")
    ours.bind(a=1).error("bound")
    theirs.error("theirs")
    assert seen == ["ours", "bound", "theirs"]
    assert [entry["message"] for entry in await arrived(runtime)] == seen


@pytest.mark.parametrize("first", ["patched before the import", "patched afterwards"])
def test_whenever_that_patch_comes(tmp_path: Path, first: str):
    code = """
    import logging, sys

    seen = []
    def patch():
        real = logging.Logger.callHandlers
        def patched(self, record):
            seen.append(record.getMessage())
            real(self, record)
        logging.Logger.callHandlers = patched

    if sys.argv[1] == "patched before the import":
        patch()
    from metaexpert.logger import LoggerConfig, get_logger, setup_logging
    if sys.argv[1] != "patched before the import":
        patch()
    with setup_logging(LoggerConfig(log_to_console=False)):
        get_logger("ours").error("ours")
        logging.getLogger("theirs").error("theirs")
    assert seen == ["ours", "theirs"], seen
    """
    run_program(code, tmp_path, first, beginning="").well()


async def test_a_handlers_emit_called_by_hand(runtime: LoggingRuntime):
    bridge().emit(logging.LogRecord("queued", logging.INFO, __file__, 1, "by a QueueListener", (), None))
    bridge().handle(logging.LogRecord("queued", logging.INFO, __file__, 1, "again", (), None))
    assert [entry["message"] for entry in await arrived(runtime)] == ["by a QueueListener", "again"]


async def test_hostile_records_raise_nothing(runtime: LoggingRuntime):
    class Rude:
        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

    cyclic: list[object] = []
    cyclic.append(cyclic)
    rude = logging.LogRecord("odd", logging.INFO, __file__, 1, "%s", (Rude(),), None)
    rude.__dict__.update(rude=Rude(), cyclic=cyclic)
    bridge().handle(rude)
    bare = logging.LogRecord("odd", logging.INFO, "", 0, "x", (), None)
    bare.__dict__.update(pathname="", funcName=None, lineno=0, thread=None)
    bridge().handle(bare)
    first, second = await arrived(runtime)
    assert "Rude" in str(first)
    assert second["message"] == "x"


async def test_it_can_be_left_out():
    async with logging_to(MemoryOptions(), capture={"stdlib": False}) as runtime:
        theirs.warning("not taken")
        ours.info("ours")
        assert [entry["message"] for entry in await arrived(runtime)] == ["ours"]


async def test_an_error_of_theirs_ends_the_linger(runtime: LoggingRuntime):
    """Hurried as ours are: taken by the dispatcher in its next turn."""
    theirs.error("now")
    assert (await only(runtime))["message"] == "now"
