"""Whatever a value does when it is looked at, the call does not raise and the entry arrives."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast, override

import pytest
from pydantic import BaseModel

from metaexpert.logger import Logger

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]

FAR_TOO_MANY = 300_000


class Hostile:
    """Everything one can ask it raises."""

    def _refuse(self, *_: object) -> Any:
        raise RuntimeError("no")

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __hash__ = __eq__ = __int__ = __index__ = _refuse
    __format__ = __float__ = __getitem__ = __call__ = __lt__ = __contains__ = __enter__ = __fspath__ = _refuse

    @override
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")


class HostileMapping(Mapping[str, object]):
    """A mapping that promises much and gives nothing."""

    @override
    def __getitem__(self, key: str) -> object:
        raise RuntimeError("no")

    @override
    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")

    @override
    def __len__(self) -> int:
        return 3


class EndlessMapping(HostileMapping):
    """A mapping without end."""

    @override
    def __getitem__(self, key: str) -> object:
        return 1

    @override
    def __iter__(self) -> Iterator[str]:
        yield from (f"k{number}" for number in range(FAR_TOO_MANY))
        raise RuntimeError("asked for too much")


class EndlessList(list[int]):
    """A list without end."""

    @override
    def __iter__(self) -> Iterator[int]:
        yield from range(FAR_TOO_MANY)
        raise RuntimeError("asked for too much")


class HostileText(str):
    """A str that fails at every use."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> Any:
        raise RuntimeError("no")

    __str__ = __repr__ = __len__ = __hash__ = __eq__ = __format__ = _refuse
    __mod__ = encode = lower = cast("Any", _refuse)


class HostileError(Exception):
    """An exception that cannot be shown."""

    @override
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class HostileModel(BaseModel):
    """A model that cannot be dumped."""

    @override
    def model_dump(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise RuntimeError("no")


@dataclass
class HostileData:
    """A dataclass that lost an attribute."""

    price: int

    def __post_init__(self) -> None:
        del self.price


class Bottomless:
    """Its repr never ends."""

    @override
    def __repr__(self) -> str:
        return repr(self)


HOSTILE: dict[str, Callable[[], Any]] = {
    "object": Hostile,
    "class": lambda: type("Meta", (type,), {"__call__": Hostile._refuse, "__repr__": Hostile._refuse})("C", (), {}),
    "mapping": HostileMapping,
    "endless mapping": EndlessMapping,
    "endless list": lambda: EndlessList([1]),
    "text": lambda: HostileText("text"),
    "error": HostileError,
    "model": HostileModel,
    "data": lambda: HostileData(1),
    "bottomless": Bottomless,
    "nested": lambda: [{"a": (Hostile(), HostileMapping())}],
    "key": lambda: {Bottomless(): 1, HostileText: 2},
}


@pytest.mark.parametrize("kind", HOSTILE)
class TestHostile:
    @pytest.mark.parametrize(
        "form",
        [
            "field", "argument", "two arguments", "mapping argument", "message", "extra", "in extra", "exc_info",
            "stack_info", "stacklevel", "bind", "lazy", "trade field", "trade amount", "trade symbol", "audit", "level",
        ],
    )  # fmt: skip
    def test_a_call_never_raises_and_the_next_goes_through(self, log: Logger, lines: Lines, kind: str, form: str):
        value = HOSTILE[kind]()
        call: Callable[..., Any] = log.info
        calls: dict[str, Callable[[], Any]] = {
            "field": lambda: log.info("x", value=value, good=1),
            "argument": lambda: log.info("x %s", value),
            "two arguments": lambda: log.info("x %s %d", value, value),
            "mapping argument": lambda: log.info("x %(a)s", {"a": value}),
            "message": lambda: log.info(value),
            "extra": lambda: log.info("x", extra=value),
            "in extra": lambda: log.info("x", extra={"value": value}),
            "exc_info": lambda: log.error("x", exc_info=value),
            "stack_info": lambda: call("x", stack_info=value),
            "stacklevel": lambda: call("x", stacklevel=value),
            "bind": lambda: log.bind(value=value).info("x"),
            "lazy": lambda: log.info("x", value=lambda: value),
            "trade field": lambda: log.trade.order_cancelled(order_id=1, value=value),
            "trade amount": lambda: log.trade.order_filled(order_id=value, side="BUY", quantity=value, price=value),
            "trade symbol": lambda: log.trade.position_changed(symbol=value, quantity=1),
            "audit": lambda: log.audit("x", value=value),
            "level": lambda: log.log(value, "x"),
        }
        calls[form]()
        log.info("next", good=1)
        found = lines()
        if form != "level":
            assert len(found) == 2
        assert found[-1]["message"] == "next"
        if form == "field":
            assert found[0]["extra"]["good"] == 1


class TestWhatMayPass:
    @pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
    def test_an_interruption_is_not_swallowed(self, log: Logger, lines: Lines, interruption: type[BaseException]):
        def interrupted() -> None:
            raise interruption

        with pytest.raises(interruption):
            log.info("x", value=interrupted, other=lambda: [interrupted()])
        log.info("next")
        assert lines()[-1]["message"] == "next"

    @pytest.mark.parametrize("level", ["INFO", "nonsense", None, 1.5, [], -1, 2**70])
    def test_a_level_that_is_none_does_not_raise(self, log: Logger, lines: Lines, level: Any):
        log.log(level, "x")
        log.info("next")
        assert lines()[-1]["message"] == "next"

    def test_a_value_that_logs_is_no_trouble(self, log: Logger, lines: Lines):
        class Chatty:
            @override
            def __repr__(self) -> str:
                log.info("inner", a=[1])
                return "chatty"

        log.info("outer", value=Chatty())
        assert sorted(entry["message"] for entry in lines()) == ["inner", "outer"]

    def test_a_value_that_changes_the_levels_is_no_trouble(self, log: Logger, lines: Lines):
        log.info("x", value=lambda: log.setLevel("ERROR"))
        log.info("no")
        assert [entry["message"] for entry in lines()] == ["x"]
