"""Fields that follow the code: bind, log_context, their nesting and who wins; and values computed only when needed."""

import asyncio
import copy
import logging
import pickle
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest

from metaexpert.logger import BoundLogger, Logger, get_logger, lazy, log_context
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.port import port

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]


def through_pickle(one: Logger) -> Logger:
    return pickle.loads(pickle.dumps(one))  # noqa: S301 - our own bytes


class TestBind:
    def test_bound_fields_are_on_each_entry(self, lines: Lines, log: Logger):
        bound = log.bind(symbol="BTC", n=1)
        bound.info("one")
        bound.warning("two", side="BUY")
        log.info("three")
        assert [entry.get("extra") for entry in lines()] == [
            {"symbol": "BTC", "n": 1},
            {"symbol": "BTC", "n": 1, "side": "BUY"},
            None,
        ]

    def test_bind_of_bind_adds_and_replaces_and_leaves_the_first_alone(self, lines: Lines, log: Logger):
        first = log.bind(a=1, b=1)
        second = first.bind(b=2, c=2)
        second.info("x")
        first.info("x")
        assert [entry["extra"] for entry in lines()] == [{"a": 1, "b": 2, "c": 2}, {"a": 1, "b": 1}]

    def test_bind_of_nothing_adds_nothing(self, lines: Lines, log: Logger):
        log.bind().info("x")
        assert "extra" not in lines()[0]

    def test_the_call_wins_over_bind_and_each_key_comes_once(self, lines: Lines, log: Logger):
        log.bind(a="bind", b="bind").info("x", a="call")
        assert lines()[0]["extra"] == {"a": "call", "b": "bind"}

    def test_extra_wins_over_bind_too(self, lines: Lines, log: Logger):
        log.bind(a="bind", b="bind").info("x", extra={"a": "extra"})
        assert lines()[0]["extra"] == {"a": "extra", "b": "bind"}

    def test_a_bound_field_may_be_called_msg(self, lines: Lines, log: Logger):
        log.bind(msg="m", exc_info="not stdlib's here").info("x")
        found = lines()[0]
        assert (found["message"], found["extra"]) == ("x", {"msg": "m", "exc_info": "not stdlib's here"})

    def test_values_are_those_of_the_bind(self, lines: Lines, log: Logger):
        book = [1]
        bound = log.bind(book=book)
        book.append(2)
        bound.info("x")
        assert lines()[0]["extra"] == {"book": [1]}

    def test_a_bound_logger_is_a_logger_of_the_same_name(self, lines: Lines, log: Logger):
        bound = log.bind(a=1)
        assert isinstance(bound, Logger)
        assert isinstance(bound, logging.Logger)
        assert bound.name == log.name
        assert get_logger(log.name) is log
        bound.info("x")
        assert lines()[0]["logger"] == log.name


class TestBoundLoggerShares:
    def test_levels_both_ways(self, lines: Lines, log: Logger):
        bound = log.bind(a=1)
        bound.info("1")
        log.setLevel(logging.ERROR)
        bound.info("no")
        log.info("no")
        bound.setLevel(logging.DEBUG)
        bound.debug("2")
        log.debug("3")
        assert [entry["message"] for entry in lines()] == ["1", "2", "3"]
        assert log.level == bound.level == logging.DEBUG

    def test_handlers_and_propagation(self, log: Logger):
        bound = log.bind(a=1)
        handler = logging.NullHandler()
        log.addHandler(handler)
        bound.propagate = False
        assert bound.handlers == [handler]
        assert log.propagate is False
        bound.removeHandler(handler)
        assert log.handlers == []

    def test_disabled(self, lines: Lines, log: Logger):
        bound = log.bind(a=1)
        log.disabled = True
        bound.error("no")
        bound.disabled = False
        log.error("yes")
        assert [entry["message"] for entry in lines()] == ["yes"]

    def test_its_children_are_the_loggers_children(self, log: Logger):
        assert log.bind(a=1).getChild("deep") is log.getChild("deep")


class TestCopies:
    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, through_pickle])
    def test_a_bound_logger_keeps_its_fields(self, lines: Lines, log: Logger, duplicate: Callable[[Logger], Logger]):
        twin = duplicate(log.bind(symbol="BTC", deep={"a": [1]}))
        assert isinstance(twin, BoundLogger)
        twin.info("x", n=1)
        assert lines()[0]["extra"] == {"symbol": "BTC", "deep": {"a": [1]}, "n": 1}
        twin.setLevel(logging.ERROR)
        assert log.level == logging.ERROR

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, through_pickle])
    def test_a_logger_is_itself(self, log: Logger, duplicate: Callable[[Logger], Logger]):
        assert duplicate(log) is log


class TestLogContext:
    def test_its_fields_are_on_each_entry_of_the_block_of_any_logger(self, lines: Lines, log: Logger):
        with log_context(strategy_id=1001):
            log.info("in")
            log.getChild("deep").info("in too", n=1)
        log.info("out")
        assert [entry.get("extra") for entry in lines()] == [
            {"strategy_id": 1001},
            {"strategy_id": 1001, "n": 1},
            None,
        ]

    def test_it_nests_and_comes_back(self, lines: Lines, log: Logger):
        with log_context(a=1, b=1):
            with log_context(b=2, c=2):
                log.info("x")
            log.info("x")
        assert [entry["extra"] for entry in lines()] == [{"a": 1, "b": 2, "c": 2}, {"a": 1, "b": 1}]

    def test_it_ends_with_an_exception(self, lines: Lines, log: Logger):
        with pytest.raises(KeyError), log_context(a=1):
            raise KeyError
        log.info("x")
        assert "extra" not in lines()[0]

    def test_it_can_be_entered_again(self, lines: Lines, log: Logger):
        for _ in range(2):
            with log_context(a=1):
                log.info("x")
        assert [entry["extra"] for entry in lines()] == [{"a": 1}, {"a": 1}]

    @pytest.mark.parametrize("repeat", range(2))
    def test_call_wins_over_context_wins_over_bind(self, lines: Lines, log: Logger, repeat: int):
        bound = log.bind(a="bind", b="bind", c="bind", d="bind")
        with log_context(b="context", c="context", e="context"):
            for _ in range(repeat + 1):
                bound.info("x", c="call", e="call", f="call")
        assert lines()[-1]["extra"] == {
            "a": "bind",
            "b": "context",
            "c": "call",
            "d": "bind",
            "e": "call",
            "f": "call",
        }

    def test_two_bound_loggers_in_one_context_keep_their_fields_apart(self, lines: Lines, log: Logger):
        one, two = log.bind(n=1, one=1), log.bind(n=2, two=2)
        with log_context(c=0):
            for bound in (one, two, one, log, two):
                bound.info("x")
        first, second = {"n": 1, "one": 1, "c": 0}, {"n": 2, "two": 2, "c": 0}
        assert [entry["extra"] for entry in lines()] == [first, second, first, {"c": 0}, second]

    def test_values_are_those_of_the_entry_of_the_block(self, lines: Lines, log: Logger):
        positions = {"BTC": 1}
        with log_context(positions=positions):
            positions["ETH"] = 2
            log.info("x")
        assert lines()[0]["extra"] == {"positions": {"BTC": 1}}

    def test_it_follows_tasks_and_to_thread(self, runner: asyncio.Runner, lines: Lines, log: Logger):
        async def job(number: int) -> None:
            with log_context(job=number):
                await asyncio.sleep(0)
                log.info("task")
                await asyncio.to_thread(log.info, "thread")

        async def main() -> None:
            with log_context(main=True):
                jobs = [asyncio.create_task(job(number)) for number in range(3)]
            log.info("outside")
            await asyncio.gather(*jobs)

        runner.run(main())
        found = lines()
        assert "extra" not in next(entry for entry in found if entry["message"] == "outside")
        for kind in ("task", "thread"):
            extras = [entry["extra"] for entry in found if entry["message"] == kind]
            assert sorted(extras, key=lambda extra: extra["job"]) == [{"main": True, "job": n} for n in range(3)]

    def test_tasks_do_not_share_what_they_add(self, runner: asyncio.Runner, lines: Lines, log: Logger):
        async def job(number: int, turn: asyncio.Barrier) -> None:
            with log_context(job=number):
                await turn.wait()
                log.info("x", told=number)
                await turn.wait()

        async def main() -> None:
            turn = asyncio.Barrier(5)
            await asyncio.gather(*(job(number, turn) for number in range(5)))

        runner.run(main())
        extras = [entry["extra"] for entry in lines()]
        assert len(extras) == 5
        assert all(extra["job"] == extra["told"] for extra in extras)

    def test_an_entry_names_its_task(self, runner: asyncio.Runner, lines: Lines, log: Logger):
        async def main() -> None:
            await asyncio.create_task(asyncio.to_thread(log.info, "thread"), name="helper")
            log.info("main")

        runner.run(asyncio.wait_for(asyncio.Task(main(), loop=runner.get_loop(), name="strategy"), 10))
        found = lines()
        assert [entry.get("task") for entry in found] == [None, "strategy"]


class TestLazy:
    def test_it_is_computed_once_when_the_level_is_enabled(self, lines: Lines, log: Logger):
        computed: list[int] = []
        log.debug("x", depth=lazy(lambda: computed.append(1) or 7))
        assert lines()[0]["extra"] == {"depth": 7}
        assert computed == [1]

    @pytest.mark.parametrize("repeat", [1, 2])
    def test_it_is_not_computed_when_the_level_is_disabled(self, lines: Lines, log: Logger, repeat: int):
        computed: list[int] = []
        log.setLevel(logging.INFO)
        for _ in range(repeat):
            log.debug("x", depth=lazy(computed.append, 1), other=lambda: computed.append(2))
            log.log(logging.DEBUG, "x", depth=lazy(computed.append, 1))
        assert lines() == []
        assert computed == []

    def test_it_takes_arguments(self, lines: Lines, log: Logger):
        log.info("x", best=lazy(max, 3, 9, key=lambda number: -number))
        assert lines()[0]["extra"] == {"best": 3}

    def test_it_is_computed_in_the_call(self, lines: Lines, log: Logger):
        book = [1]
        log.info("x", book=lazy(lambda: book))
        book.append(2)
        assert lines()[0]["extra"] == {"book": [1]}

    def test_what_it_gives_is_encoded_like_any_value(self, lines: Lines, log: Logger):
        log.info("x", deep=lazy(dict, api_key="k", a=(1, lazy(int, "2"))))
        assert lines()[0]["extra"] == {"deep": {"api_key": "[REDACTED]", "a": [1, 2]}}

    def test_one_that_fails_is_marked_and_costs_nothing_else(self, lines: Lines, log: Logger):
        log.info("x", bad=lazy(int, "no number"), good=1)
        extra = lines()[0]["extra"]
        assert extra["good"] == 1
        assert "ValueError" in extra["bad"]

    def test_a_lambda_is_evaluated_and_other_callables_go_by_name(self, lines: Lines, log: Logger):
        called: list[str] = []

        def function() -> None:
            called.append("function")

        class Callback:
            def __call__(self) -> None:
                called.append("object")

        log.info("x", a=lambda: 5, b=function, c=len, d=Callback, e=called.append, f=[lambda: 6], g=Callback())
        extra = lines()[0]["extra"]
        assert (extra["a"], extra["f"]) == (5, [6])
        assert extra["b"].endswith("function")
        assert extra["c"].endswith("len")
        assert extra["d"].endswith("Callback")
        assert extra["e"].endswith("append")
        assert "Callback" in extra["g"]
        assert called == []


class TestCapturedAtTheCall:
    def test_fields_arguments_and_extra_are_as_they_were(self, lines: Lines, log: Logger):
        book = {"bids": [1], "asks": [2]}
        log.info("%s", book, book=book)
        log.info("%(bids)s", book, extra={"deep": book})
        book["bids"].append(99)
        del book["asks"]
        first, second = lines()
        assert (first["message"], second["message"]) == ("{'bids': [1], 'asks': [2]}", "[1]")
        assert first["extra"]["book"] == second["extra"]["deep"] == {"bids": [1], "asks": [2]}


class TestPipeline:
    def test_a_context_within_the_pipelines_own_work_keeps_its_mark(self, lines: Lines, log: Logger):
        def work() -> None:
            current_fields.set(PIPELINE)
            with log_context(of="a sink of somebody's own"):
                log.info("feeds itself")
                with log_context(deeper=1):
                    log.info("feeds itself")
            log.info("feeds itself")

        before = port.ingress.self_logged
        copy_context().run(work)
        assert lines() == []
        assert port.ingress.self_logged == before + 3
