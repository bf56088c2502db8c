"""Exceptions that lie, raise, are endless or hold secrets: each is told, in bounded work, without running its code."""

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any, override

import orjson
import pytest
from aiohttp import ClientResponseError, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from support.running_logger import logging_to
from yarl import URL

from metaexpert.logger import ErrorOptions, MemoryOptions, get_logger
from metaexpert.logger.exception_parts import is_large, speaks_for_itself
from metaexpert.logger.faults.frames import LocalLimits
from metaexpert.logger.faults.groups import GroupRules, groups
from metaexpert.logger.faults.telling import ErrorCall, FaultRules, Faults
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.reported import is_reported, mark_reported

RULES = {
    "plain": FaultRules(),
    "locals": FaultRules(locals=LocalLimits(), group=GroupRules(), entry_id=str),
}
SECRET = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
HUGE = 50_000_000


class RanError(BaseException):
    """Code of the exception's own was run: nothing would catch this."""


@pytest.fixture(params=RULES)
def told(request: pytest.FixtureRequest) -> Iterator[Callable[[BaseException], dict[str, Any]]]:
    groups.forget()
    faults, frame = Faults(RULES[request.param]), sys._getframe()  # pyright: ignore[reportPrivateUsage]
    call = ErrorCall(logging.ERROR, "x", "general", frame, lambda: "failed")
    yield lambda error: orjson.loads(faults.told(error, call, Redactor())[0])
    groups.forget()


def trap(*_: object) -> Any:
    raise RanError


# ---- classes that put something of their own before what CPython keeps -----------------------------------------------


class LyingError(Exception):
    """Runs code wherever it is asked."""

    __cause__ = __context__ = __traceback__ = __notes__ = args = property(trap)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride]
    __bool__ = __len__ = __eq__ = __hash__ = __repr__ = __getattr__ = __setattr__ = trap  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    @override
    def __str__(self) -> str:
        return "what it says"


class GuardedError(Exception):
    """Runs code at every access."""

    __getattribute__ = trap

    @override
    def __str__(self) -> str:
        return "what it says"


class LyingGroup(ExceptionGroup[Exception]):
    """Says that its members are something else."""

    exceptions = property(trap)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


class Meta(type):
    """Runs code for what a class is asked."""

    __getattribute__ = __repr__ = __instancecheck__ = __eq__ = __hash__ = trap  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


def throw(error: BaseException) -> None:
    raise error


def raised(error: BaseException) -> BaseException:
    try:
        throw(error)
    except BaseException as caught:  # noqa: BLE001 - whatever it is
        return caught
    raise AssertionError


@pytest.mark.parametrize("kind", [LyingError, GuardedError])
def test_nothing_an_exceptions_class_defines_is_run_but_its_str(
    told: Callable[[BaseException], dict[str, Any]], kind: type[Exception]
):
    exception = told(raised(kind("x")))
    assert exception["message"] == "what it says"
    assert "test_hostile_errors.py" in exception["traceback"]
    assert exception["traceback"].endswith(f"{kind.__name__}: what it says\n")


def test_members_of_a_group_are_those_it_was_made_of(told: Callable[[BaseException], dict[str, Any]]):
    exception = told(LyingGroup("both", [ValueError("one"), OSError("two")]))
    assert [each["type"] for each in exception["group"]] == ["ValueError", "OSError"]
    assert "ValueError: one" in exception["traceback"]


def test_a_metaclass_is_not_asked(told: Callable[[BaseException], dict[str, Any]]):
    kind: Any = type.__call__(Meta, "OddError", (Exception,), {"__str__": lambda _: "odd"})
    error = type.__call__(kind, "x")
    assert not speaks_for_itself(error)
    exception = told(error)
    assert exception["type"].endswith("OddError")
    assert exception["message"] == "odd"


def test_false_causes_are_shown(told: Callable[[BaseException], dict[str, Any]]):
    class FalseError(Exception):
        def __bool__(self) -> bool:
            return False

    error = FalseError("outer")
    error.__cause__ = FalseError("inner")
    assert "inner" in told(error)["traceback"]


def test_no_attribute_is_guessed_by_code_of_somebodys(told: Callable[[BaseException], dict[str, Any]]):
    class Remote:
        __dir__ = trap  # type: ignore[assignment]

    class Proxy:
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise RanError
            raise AttributeError(name, name=name, obj=self)

    for owner, name in ((Remote(), "wanted"), (Proxy(), "wanted"), (sys, "pathh"), (Remote, "wanted")):
        with pytest.raises(AttributeError) as failed:
            getattr(owner, name)
        assert name in told(failed.value)["message"]


def test_plain_attributes_are_still_guessed(told: Callable[[BaseException], dict[str, Any]]):
    class Book:
        depth = 1

    with pytest.raises(AttributeError) as failed:
        Book().dept  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue, reportUnusedExpression]
    assert "Did you mean: 'depth'" in told(failed.value)["traceback"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_is_not_held_up(told: Callable[[BaseException], dict[str, Any]], stop: type[BaseException]):
    """Ctrl-C within a `__str__` cannot be told from a `__str__` that raises it."""

    class StoppingError(Exception):
        @override
        def __str__(self) -> str:
            raise stop

    with pytest.raises(stop):
        told(StoppingError())


def test_marks_are_kept_past_the_class():
    for kind in (LyingError, GuardedError):
        error = kind()
        assert not is_reported(error)
        mark_reported(error)
        assert is_reported(error)


# ---- endless and huge -----------------------------------------------------------------------------------------------


def deep_group(levels: int) -> BaseException:
    group: Any = ValueError("innermost")
    for _ in range(levels):
        group = ExceptionGroup("g", [group])
    return group


def wide_tree(levels: int) -> Exception:
    return ExceptionGroup("t", [wide_tree(levels - 1) for _ in range(10)]) if levels else CountedError("leaf")


class CountedError(Exception):
    """Counts how often it was described."""

    described = 0

    @override
    def __str__(self) -> str:
        CountedError.described += 1
        return "leaf"


def long_chain(length: int) -> BaseException:
    last: Exception = CountedError("0")
    for _ in range(length):
        after = CountedError("n")
        after.__cause__ = last
        last = after
    return last


def cycle() -> BaseException:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__context__ = two, one
    return one


def with_notes(*notes: object) -> BaseException:
    error = ValueError("noted")
    error.__notes__ = list(notes)  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    return error


def odd_syntax(text: object) -> BaseException:
    error = SyntaxError("bad", ("f.py", 1, 10**9, "x", 1, 10**9))
    error.text = text  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    return error


def recursed(depth: int) -> BaseException:
    def descend(left: int) -> None:
        if not left:
            raise ValueError("deep")
        descend(left - 1)

    try:
        descend(depth)
    except ValueError as error:
        return error
    raise AssertionError


ENDLESS: dict[str, Callable[[], BaseException]] = {
    "group 900 deep": lambda: deep_group(900),
    "group of 10000": lambda: ExceptionGroup("w", [ValueError(number) for number in range(10_000)]),
    "tree of 10000": lambda: wide_tree(4),
    "chain of 10000": lambda: long_chain(10_000),
    "cycle": cycle,
    "600 frames": lambda: recursed(600),
    "notes": lambda: with_notes(*["n"] * 100_000),
    "huge notes": lambda: with_notes(*["x" * HUGE] * 30),
    "no notes": lambda: with_notes(object, 5, None),
    "huge message": lambda: ValueError("x" * HUGE),
    "huge arguments": lambda: ValueError(["x" * HUGE] * 50),
    "many arguments": lambda: ValueError(*range(100_000)),
    "huge key": lambda: KeyError(("x" * HUGE,) * 20),
    "huge source": lambda: odd_syntax("x" * HUGE),
    "odd source": lambda: odd_syntax(7),
    "huge number": lambda: ValueError(1 << 50_000_000),
}


@pytest.mark.parametrize("made", ENDLESS.values(), ids=ENDLESS)
def test_what_is_endless_or_huge_is_told_in_part(
    told: Callable[[BaseException], dict[str, Any]], made: Callable[[], BaseException]
):
    error = made()
    CountedError.described = 0
    exception = told(error)
    assert exception["type"]
    assert len(exception["traceback"]) < 40_000
    assert len(orjson.dumps(exception)) < 64 * 1024
    assert CountedError.described < 200


def test_the_ends_of_a_long_traceback_are_shown(told: Callable[[BaseException], dict[str, Any]]):
    shown = told(recursed(600))["traceback"]
    assert "in recursed" in shown
    assert "raise ValueError" in shown
    assert shown.count("descend(left - 1)") < 50


@pytest.mark.parametrize(
    ("value", "large"),
    [
        ("x" * 100, False), ("x" * 101, True), (b"x" * 101, True), ({"a": "x" * 101}, True),
        ([["x" * 60], ["y" * 60]], True), ([0] * 300, True), (1 << 1000, True), (object(), False),
        ([[[[[[1]]]]]], True), ([1, "a", None], False),
    ],
)  # fmt: skip
def test_what_makes_a_long_text_is_known_before_it_is_made(value: object, *, large: bool):
    assert is_large(value, 100) is large


# ---- secrets --------------------------------------------------------------------------------------------------------


class ExchangeError(Exception):
    """As ccxt's are."""

    __module__ = "ccxt.base.errors"


def raised_beside(error: BaseException, headers: object, url: object) -> BaseException:
    """Raised where such variables are."""
    caught = raised(error)
    assert (headers, url) != (None, None)
    return caught


async def test_neither_body_nor_headers_nor_variables_of_a_refused_request_give_secrets_away():
    url = URL(f"https://api.exchange.test/v3/order?apiKey={SECRET}&signature={SECRET}")
    headers = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {SECRET}", "X-MBX-APIKEY": SECRET}))
    refused = ClientResponseError(RequestInfo(url, "POST", headers, url), (), status=400, headers=headers)
    body = f'binance {{"code":-2010,"msg":"no","apiKey":"{SECRET}","secret":"{SECRET}","signature":"{SECRET}"}}'
    async with logging_to(MemoryOptions(), errors=ErrorOptions(locals=True)) as runtime:
        for error in (refused, ExchangeError(body)):
            get_logger("app").error("failed", exc_info=raised_beside(error, headers, url))
        assert await runtime.flush()
        sink: Any = runtime.sinks["memory"]
        written = orjson.dumps(list(sink.entries)).decode()
    assert SECRET not in written
    assert "-2010" in written
