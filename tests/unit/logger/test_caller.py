"""The place of a call: file, function and line of the user's code, whatever the form of the call."""

import contextlib
import functools
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metaexpert.logger import Logger
from metaexpert.logger.site import Site, line_of, site_of

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]

SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()


def line_marked(mark: str) -> int:
    """Number of this file's line that ends with the comment `# <- mark`."""
    return next(number for number, text in enumerate(SOURCE, 1) if text.endswith(f"# <- {mark}"))


def placed(line: Line) -> tuple[str, str, int]:
    return line["module"], line["function"], line["line"]


def simple(log: Logger) -> None:
    log.info("x")  # <- simple


def with_fields(log: Logger) -> None:
    log.info("x", a=1)  # <- with_fields


def with_rare_fields(log: Logger) -> None:
    log.info("x", a=[object()], stack_info=True, extra={"b": 2})  # <- with_rare_fields


def with_arguments(log: Logger) -> None:
    log.warning("x %s", 1)  # <- with_arguments


def by_level(log: Logger) -> None:
    log.log(logging.INFO, "x")  # <- by_level


def debug(log: Logger) -> None:
    log.debug("x")  # <- debug


def error(log: Logger) -> None:
    log.error("x")  # <- error


def critical(log: Logger) -> None:
    log.critical("x")  # <- critical


def fatal(log: Logger) -> None:
    log.fatal("x")  # <- fatal


def exception(log: Logger) -> None:
    try:
        int("x")
    except ValueError:
        log.exception("x")  # <- exception


def audit(log: Logger) -> None:
    log.audit("x")  # <- audit


def trade(log: Logger) -> None:
    log.trade.order_cancelled(order_id=1)  # <- trade


def bound(log: Logger) -> None:
    log.bind(a=1).info("x")  # <- bound


def bound_trade(log: Logger) -> None:
    log.bind(a=1).trade.position_changed(symbol="BTC", quantity=1)  # <- bound_trade


def kept_method(log: Logger) -> None:
    call = log.info
    call("x")  # <- kept_method


def in_comprehension(log: Logger) -> None:
    [log.info("x") for _ in range(1)]  # <- in_comprehension


def over_lines(log: Logger) -> None:
    log.info(  # <- over_lines
        "x %s %s",
        1,
        max(
            2,
            3,
        ),
        a=1,
    )


def over_lines_without_fields(log: Logger) -> None:
    log.info(  # <- over_lines_without_fields
        "x %s",
        1,
    )


def over_lines_with_rare_fields(log: Logger) -> None:
    log.error(  # <- over_lines_with_rare_fields
        "x",
        stack_info=True,
        a={
            1: 2,
        },
    )


def in_a_with_block(log: Logger) -> None:
    with contextlib.suppress(KeyError):
        log.info("x")  # <- in_a_with_block


def through_a_decorator(log: Logger) -> None:
    @functools.wraps(simple)
    def wrapped(log: Logger) -> None:
        log.info("x")  # <- wrapped

    wrapped(log)


def adapter(log: Logger) -> None:
    logging.LoggerAdapter(log, {"a": 1}).info("x")  # <- adapter


def adapters_log(log: Logger) -> None:
    logging.LoggerAdapter(log).log(logging.ERROR, "x")  # <- adapters_log


FORMS: list[Callable[[Logger], None]] = [
    simple, with_fields, with_rare_fields, with_arguments, by_level, debug, error, critical, fatal, exception, audit,
    trade, bound, bound_trade, kept_method, over_lines, over_lines_without_fields,
    over_lines_with_rare_fields, in_a_with_block, adapter,
    adapters_log,
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
class TestEachForm:
    def test_entry_names_the_callers_place(self, log: Logger, lines: Lines, form: Callable[[Logger], None]):
        form(log)
        form(log)
        expected = ("test_caller", form.__name__, line_marked(form.__name__))
        assert [placed(found) for found in lines()] == [expected, expected]

    @pytest.mark.usefixtures("runtime")
    def test_record_for_foreign_handlers_names_it_too(
        self, log: Logger, caplog: pytest.LogCaptureFixture, form: Callable[[Logger], None]
    ):
        form(log)
        record = caplog.records[0]
        assert (record.module, record.funcName, record.lineno) == (
            "test_caller",
            form.__name__,
            line_marked(form.__name__),
        )
        assert record.pathname == __file__


class TestPlaces:
    def test_a_comprehensions_call_stands_in_its_line(self, log: Logger, lines: Lines):
        in_comprehension(log)
        module, function, line = placed(lines()[0])
        assert (module, line) == ("test_caller", line_marked("in_comprehension"))
        assert function in {"in_comprehension", "<listcomp>"}

    def test_a_lambda_is_a_function_of_its_own(self, log: Logger, lines: Lines):
        call = lambda: log.info("x")  # noqa: E731  # <- lambda
        call()
        assert placed(lines()[0]) == ("test_caller", "<lambda>", line_marked("lambda"))

    def test_a_wrapped_function_is_the_place_itself(self, log: Logger, lines: Lines):
        through_a_decorator(log)
        assert placed(lines()[0]) == ("test_caller", "wrapped", line_marked("wrapped"))

    def test_module_level_code_is_called_as_stdlib_calls_it(self, log: Logger, lines: Lines):
        exec(compile("\n\nlog.info('x')", "/somewhere/strategy.py", "exec"), {"log": log})  # noqa: S102
        assert placed(lines()[0]) == ("strategy", "<module>", 3)

    def test_two_calls_of_one_function_differ_by_line(self, log: Logger, lines: Lines):
        log.info("x")  # <- first
        log.info("x")  # <- second
        assert [found["line"] for found in lines()] == [line_marked("first"), line_marked("second")]

    def test_code_made_again_and_again_keeps_its_own_places(self, log: Logger, lines: Lines):
        """Code objects come and go; none takes over the place of one whose address it got."""
        for number in range(50):
            namespace: dict[str, Any] = {"log": log}
            exec(compile("\n" * number + "log.info('x')", f"m{number}.py", "exec"), namespace)  # noqa: S102
        assert [(found["module"], found["line"]) for found in lines()] == [(f"m{n}", n + 1) for n in range(50)]


def helper(log: Logger, stacklevel: Any, **fields: Any) -> None:
    log.info("x", stacklevel=stacklevel, **fields)  # <- helper


def outer_helper(log: Logger, stacklevel: Any) -> None:
    helper(log, stacklevel)  # <- outer_helper


class TestStacklevel:
    def test_it_names_callers_further_out(self, log: Logger, lines: Lines):
        outer_helper(log, 1)
        outer_helper(log, 2)
        outer_helper(log, 3)  # <- three_out
        assert [(found["function"], found["line"]) for found in lines()] == [
            ("helper", line_marked("helper")),
            ("outer_helper", line_marked("outer_helper")),
            ("test_it_names_callers_further_out", line_marked("three_out")),
        ]

    def test_it_is_no_field(self, log: Logger, lines: Lines):
        helper(log, 2, a=1)
        assert lines()[0]["extra"] == {"a": 1}

    @pytest.mark.parametrize("stacklevel", [100_000, 0, -3, None, "two", 1.5])
    def test_one_that_makes_no_sense_costs_nothing(self, log: Logger, lines: Lines, stacklevel: Any):
        helper(log, stacklevel)
        assert lines()[0]["message"] == "x"

    @pytest.mark.parametrize("method", ["debug", "error", "exception", "critical"])
    def test_it_is_honoured_by_each_method(self, log: Logger, lines: Lines, method: str):
        def inner() -> None:
            getattr(log, method)("x", stacklevel=2)

        inner()
        assert lines()[0]["function"] == "test_it_is_honoured_by_each_method"

    def test_it_is_honoured_by_log(self, log: Logger, lines: Lines):
        def inner() -> None:
            log.log(logging.INFO, "x", stacklevel=2)

        inner()
        assert lines()[0]["function"] == "test_it_is_honoured_by_log"

    def test_stack_info_ends_at_the_named_caller(self, log: Logger, lines: Lines):
        helper(log, 2, stack_info=True)  # <- stack_end
        last = lines()[0]["stack_info"].splitlines()[-2].strip()
        assert last.startswith(f'File "{__file__}", line {line_marked("stack_end")}')


class TestSite:
    def test_line_of_each_instruction_is_what_python_says(self):
        for code in (over_lines.__code__, over_lines_without_fields.__code__, exception.__code__):
            for start, end, line in code.co_lines():
                if line is not None:
                    assert {line_of(code, at) for at in range(start, end, 2)} == {line}

    def test_an_instruction_that_is_not_there_gives_the_first_line(self):
        assert line_of(simple.__code__, 1_000_000) == simple.__code__.co_firstlineno

    def test_site_of_a_frame(self):
        frame = sys._getframe()
        found = site_of(frame.f_code, frame.f_lasti)  # <- site
        assert found == Site("test_caller", "test_site_of_a_frame", line_marked("site"))
