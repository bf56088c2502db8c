"""Which frames are shown, and in which coroutines a task is."""

import asyncio
import json
import sys
from typing import Any

import pytest

from metaexpert.logger.errors import traceback_of
from metaexpert.logger.faults.fingerprint import raised_at
from metaexpert.logger.faults.frames import LocalLimits, coroutines_of_task, raised_in, shown_locals
from metaexpert.logger.redaction import Redactor


def inner(depth: int) -> None:
    quantity = depth * 2
    if depth:
        inner(depth - 1)
    raise ValueError(f"no {quantity}")


def wrapped() -> None:
    symbol = "BTC"
    try:
        inner(0)
    except ValueError as error:
        raise LookupError(symbol) from error


def in_library() -> None:
    document = "{"
    json.loads(document)


async def failing(number: int) -> None:
    await asyncio.sleep(0)
    raise ValueError(number)


async def in_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(failing(1))
        group.create_task(failing(2))


def caught(call: Any, *args: Any) -> BaseException:
    try:
        call(*args)
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


def told(error: BaseException, **limits: int) -> list[dict[str, Any]]:
    return shown_locals(error, Redactor(), LocalLimits(**limits))


def test_the_innermost_frames_come_first_and_no_more_than_wanted():
    frames = told(caught(inner, 5), frames=2)
    assert [each["values"]["depth"] for each in frames] == ["0", "1"]
    assert frames[0]["values"]["quantity"] == "0"


def test_frames_of_the_first_cause_come_before_those_of_what_came_of_it():
    frames = told(caught(wrapped))
    assert [each["function"] for each in frames[:2]] == ["inner", "wrapped"]
    assert frames[1]["values"]["symbol"] == "'BTC'"


def test_user_code_comes_before_the_library():
    frames = told(caught(in_library), frames=2)
    assert [each["function"] for each in frames] == ["in_library", "caught"]
    assert frames[0]["values"]["document"] == "'{'"


def test_members_of_a_group_show_theirs():
    frames = told(caught(asyncio.run, in_group()), frames=2)
    assert [(each["function"], each["values"]) for each in frames] == [
        ("failing", {"number": "1"}),
        ("failing", {"number": "2"}),
    ]


def test_the_number_of_variables_is_bounded():
    names = {f"v{n}": n for n in range(50)}
    frames = told(caught(exec, "raise ValueError", {}, names), frames=1, values=3)
    assert list(frames[0]["values"]) == ["v0", "v1", "v2", "…"]


def test_somebodys_own_mapping_of_variables_is_left_alone():
    class Loud(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            raise KeyError(key)

    frames = told(caught(exec, "raise ValueError", {}, Loud(a=1)), frames=1)
    assert frames[0]["values"] == {}


@pytest.mark.parametrize("call", [inner, wrapped, in_library, lambda: asyncio.run(in_group())])
def test_the_place_is_the_one_that_the_printed_traceback_ends_with(call: Any):
    error = caught(call, *([2] if call is inner else []))
    assert raised_in(error) == raised_at(traceback_of(error, str)) != ""


def test_an_exception_without_a_traceback_is_placed_where_its_cause_is():
    error = LookupError("x")
    error.__cause__ = caught(inner, 0)
    assert raised_in(error) == raised_at(traceback_of(error, str)) == "test_frames.inner"
    assert raised_in(ValueError()) == raised_at(traceback_of(ValueError(), str)) == ""


async def outermost() -> list[str]:
    return await middle()


async def middle() -> list[str]:
    return helper()


def helper() -> list[str]:
    return coroutines_of_task(sys._getframe())  # pyright: ignore[reportPrivateUsage]


async def test_the_coroutines_of_a_task_lead_to_the_call():
    found = await asyncio.create_task(outermost())
    assert [each.rpartition(" in ")[2] for each in found] == ["outermost", "middle"]
    assert all(__file__ in each for each in found)


def test_there_are_none_outside_of_a_task():
    assert helper() == []
