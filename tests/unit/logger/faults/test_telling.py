"""What an entry tells of an exception: structure beside the traceback, coroutines, locals, and a reference instead."""

import asyncio
import logging
import sys
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.running_logger import logging_to, unbalanced

from metaexpert.logger import ErrorOptions, FileOptions, LoggerConfig, LoggingRuntime, MemoryOptions, get_logger
from metaexpert.logger.faults.groups import GroupRules, groups
from metaexpert.logger.faults.summaries import SUMMARY_LOGGER
from metaexpert.logger.faults.telling import ErrorCall, FaultRules, Faults
from metaexpert.logger.files.reader import Reader
from metaexpert.logger.files.reading.fingerprints import fingerprint_of
from metaexpert.logger.files.reading.sources import sources_in
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.values import ValueEncoder

SECRET = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3kL5mN7pQ9rS1tU3v"


@pytest.fixture(autouse=True)
def fresh_groups():
    groups.forget()


def fail(number: int = 1) -> None:
    api_secret, note, size = "hunter2", SECRET, number
    raise ValueError(f"order {size} was {len(note) * 0}{api_secret[:0]}refused")


def raised(call: Any = fail, *args: Any) -> BaseException:
    try:
        call(*args)
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


def wrapped() -> None:
    try:
        fail()
    except ValueError as error:
        error.add_note("look here")
        raise LookupError("no order") from error


async def entries(runtime: LoggingRuntime) -> list[dict[str, Any]]:
    assert await runtime.flush()
    sink: Any = runtime.sinks["memory"]
    return list(sink.entries)


async def told(error: BaseException, **errors: Any) -> dict[str, Any]:
    async with logging_to(MemoryOptions(), errors=ErrorOptions(**errors)) as runtime:
        get_logger("app").error("failed", exc_info=error)
        (entry,) = await entries(runtime)
    return entry["exception"]


async def test_causes_contexts_and_notes_stand_beside_the_traceback():
    error = raised(wrapped)
    error.add_note(f"signature={SECRET}")
    exception = await told(error)
    assert exception["causes"] == [{"type": "ValueError", "message": "order 1 was 0refused", "by": "cause"}]
    (note,) = exception["notes"]
    assert SECRET not in note
    assert "look here" in exception["traceback"]
    assert "direct cause" in exception["traceback"]


async def test_members_of_groups_stand_beside_the_traceback():
    inner: Any = BaseExceptionGroup("inner", [raised(), TypeError("two")])
    exception = await told(ExceptionGroup("outer", [inner, *[OSError(n) for n in range(40)]]))
    first, second, *_, last = exception["group"]
    assert first["group"][0] == {"type": "ValueError", "message": "order 1 was 0refused"}
    assert second == {"type": "OSError", "message": "0"}
    assert last == {"cut": 25}
    assert first["group"][1] == {"type": "TypeError", "message": "two"}


async def test_the_coroutines_that_led_to_the_call_are_told():
    async def place() -> None:
        get_logger("app").error("failed", exc_info=raised())

    async def trade() -> None:
        await place()

    async with logging_to(MemoryOptions()) as runtime:
        await asyncio.create_task(trade(), name="trader")
        (entry,) = await entries(runtime)
    assert entry["task"] == "trader"
    assert [each.rpartition(".")[2] for each in entry["exception"]["task_stack"]] == ["trade", "place"]
    assert "task_stack" not in await told(raised(), task_stack=False)


async def test_locals_are_told_where_they_are_wanted_and_no_secret_with_them():
    assert "locals" not in await told(raised())
    exception = await told(raised(), locals=True, locals_frames=2)
    first, second = exception["locals"]
    assert first["function"] == "fail"
    assert first["values"] == {"number": "1", "api_secret": "[REDACTED]", "note": "'[REDACTED]'", "size": "1"}
    assert second["function"] == "raised"
    assert SECRET not in str(exception)


async def test_locals_in_other_peoples_records_too():
    async with logging_to(MemoryOptions(), errors=ErrorOptions(locals=True)) as runtime:
        logging.getLogger("theirs").error("failed", exc_info=raised())
        (entry,) = await entries(runtime)
    assert entry["exception"]["locals"][0]["values"]["size"] == "1"


async def test_a_repr_that_logs_raises_and_changes_things_does_not_matter():
    class Bad:
        def __repr__(self) -> str:
            get_logger("bad").error("from repr")
            raise RuntimeError

    def broken() -> None:
        thing, many = Bad(), [Bad()]
        raise ValueError(len([thing, many]))

    async with logging_to(MemoryOptions(), errors=ErrorOptions(locals=True)) as runtime:
        get_logger("app").error("failed", exc_info=raised(broken))
        (entry,) = await entries(runtime)
    values = entry["exception"]["locals"][0]["values"]
    assert values["thing"].endswith("Bad>")
    assert values["many"].startswith("[<")


async def test_one_that_is_seen_again_refers_to_the_first_and_a_summary_counts():
    async with logging_to(MemoryOptions(), errors=ErrorOptions(group_tracebacks=2)) as runtime:
        for number in range(240):
            get_logger("app").error("failed", exc_info=raised(fail, number), number=number)
        before = await entries(runtime)
        await runtime.stop()
        sink: Any = runtime.sinks["memory"]
        after: list[dict[str, Any]] = list(sink.entries)
        figures: Any = runtime.stats().companions["errors"]
        assert unbalanced(runtime) == []
    assert [entry["extra"]["number"] for entry in before] == list(range(240))
    assert [("same_as" in entry["exception"]) for entry in before] == [False, False] + [True] * 238
    assert {entry["exception"].get("same_as") for entry in before[2:]} == {before[0]["id"]}
    assert len({entry["exception"]["fingerprint"] for entry in before}) == 1
    last = before[-1]["exception"]
    assert (last["seen"], last["message"]) == (240, "order 239 was 0refused")
    assert last["traceback"].startswith("Traceback (most recent call last): …[that of ")
    assert f'\n  File "{__file__}", line ' in last["traceback"]
    assert last["traceback"].endswith(", in fail\nValueError: order 239 was 0refused\n")
    assert before[0]["id"] in last["traceback"]
    (summary,) = after[240:]
    assert (summary["logger"], summary["level"]) == (SUMMARY_LOGGER, "WARNING")
    assert "ValueError in test_telling.fail seen 240 times, first " in summary["message"]
    assert summary["extra"]["tracebacks_left_out"] == 238
    assert summary["extra"]["fingerprint"] == last["fingerprint"]
    assert figures.left_out >= 238


async def test_every_traceback_is_shown_where_nothing_is_grouped_and_below_error():
    async with logging_to(MemoryOptions(), errors=ErrorOptions(group=0)) as runtime:
        for _ in range(10):
            get_logger("app").error("failed", exc_info=raised())
        assert all("same_as" not in each["exception"] for each in await entries(runtime))
    async with logging_to(MemoryOptions(), errors=ErrorOptions(group_tracebacks=1)) as runtime:
        for _ in range(10):
            get_logger("app").warning("failed", exc_info=raised())
        assert all("same_as" not in each["exception"] for each in await entries(runtime))


async def test_what_sinks_tell_apart_is_not_grouped_together():
    async with logging_to(MemoryOptions(), errors=ErrorOptions(group_tracebacks=1)) as runtime:
        error = raised()
        get_logger("app").error("failed", exc_info=error)
        get_logger("app").critical("failed", exc_info=error)
        get_logger("other").error("failed", exc_info=error)
        get_logger("app").error("failed", exc_info=raised(wrapped))
        assert all("same_as" not in each["exception"] for each in await entries(runtime))


async def test_an_entry_that_a_filter_refused_stands_for_none():
    log = get_logger("filtered.errors")
    refusing = [True]
    log.addFilter(lambda _record: not refusing[0])
    async with logging_to(MemoryOptions(), errors=ErrorOptions(group_tracebacks=1)) as runtime:
        log.error("failed", exc_info=raised())
        refusing[0] = False
        log.error("failed", exc_info=raised())
        log.error("failed", exc_info=raised())
        second, third = await entries(runtime)
    assert "same_as" not in second["exception"]
    assert third["exception"]["same_as"] == second["id"]


def test_no_entry_refers_to_one_of_another_run():
    call = ErrorCall(logging.ERROR, "app", "general", sys._getframe(), lambda: "failed")  # pyright: ignore[reportPrivateUsage]
    encoder = ValueEncoder(Redactor())
    for run in ("one", "two"):
        faults = Faults(FaultRules(group=GroupRules(tracebacks=1), entry_id=partial("{}-{}".format, run)))
        first, group = faults.told(raised(), call, encoder)
        assert b"same_as" not in first
        assert group is not None
        group.told_by(7)
        second, group = faults.told(raised(), call, encoder)
        assert orjson.loads(second)["same_as"] == f"{run}-7"
        assert group is None


async def test_options_are_read_anew():
    sink = MemoryOptions()
    async with logging_to(sink) as runtime:
        await runtime.reload(
            LoggerConfig(log_to_console=False, log_to_file=False, sinks=(sink,), errors=ErrorOptions(locals=True))
        )
        get_logger("app").error("failed", exc_info=raised())
        entry = (await entries(runtime))[-1]
    assert entry["exception"]["locals"]


async def test_an_exception_whose_own_code_fails_is_told_of():
    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

        def __getattribute__(self, name: str) -> Any:
            if name == "__notes__":
                raise RuntimeError(name)
            return super().__getattribute__(name)

    exception = await told(HostileError(), locals=True)
    assert exception["type"].endswith("HostileError")
    assert "RuntimeError" in exception["message"]


def text_in(folder: Path) -> str:
    return next(folder.glob("app.2*.log")).read_text()


@pytest.mark.parametrize("times", [1, 5])
async def test_text_lines_show_locals_and_are_read_back_with_the_same_fingerprint(tmp_path: Path, times: int):
    errors = ErrorOptions(locals=True, locals_frames=1)
    async with logging_to(
        FileOptions(path=Path("app.log"), json_logging=False), log_dir=tmp_path, errors=errors
    ) as runtime:
        for number in range(times):
            get_logger("app").error("failed", exc_info=raised(fail, number))
        assert await runtime.flush()
    text = text_in(tmp_path)
    assert text.count("\n        api_secret = [REDACTED]\n") == min(times, 3)
    found = [fingerprint_of(entry) for entry in Reader(sources_in([tmp_path]))]
    found = [each for each in found if each.kind == "ValueError"]
    assert len(found) == times
    assert {each.place for each in found} == {"test_telling.fail"}
    assert len({each.digest for each in found}) == 1


class False_(Exception):  # noqa: N801, N818 - its name is what it is
    """An exception that is false, as a list of failures may be while it is empty."""

    def __bool__(self) -> bool:
        return False


async def test_an_exception_that_is_false_is_a_cause_all_the_same():
    log = get_logger("false")
    async with logging_to(MemoryOptions()) as runtime:
        try:
            try:
                raise False_("first")  # noqa: TRY301 - to be the cause of the other
            except False_ as error:
                raise ValueError("then") from error
        except ValueError:
            log.exception("failed")
        (entry,) = await entries(runtime)
    (cause,) = entry["exception"]["causes"]
    assert (cause["message"], cause["by"]) == ("first", "cause")
