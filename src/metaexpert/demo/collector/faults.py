"""The faults a collector was told to show, and until when. Pure: the time is passed in."""

from dataclasses import dataclass
from typing import Literal, get_args

from metaexpert.demo.collector.wire import Json

type Target = Literal["loki", "elasticsearch"]
TARGETS: tuple[Target, ...] = ("loki", "elasticsearch")

type Mode = Literal[
    "ok", "260", "401", "403", "404", "413", "429", "500", "502", "503", "504",
    "hang", "reset", "lost_ack", "partial", "short", "garbage",
]  # fmt: skip
MODES: tuple[str, ...] = get_args(Mode.__value__)

MAX_BODY_UNDER_413_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail.

    Attributes:
        mode: What goes wrong; `ok` is never held, it clears.
        retry_after_seconds: Sent as Retry-After beside a status, if given.
        until: The clock's time at which it ends; None: until another is set.
        requests_left: How many requests it still hits; None: no bound.
        max_bytes: Under `413`: decoded bodies up to this size pass.
    """

    mode: str
    retry_after_seconds: float | None = None
    until: float | None = None
    requests_left: int | None = None
    max_bytes: int = MAX_BODY_UNDER_413_BYTES


class FaultPlan:
    """At most one fault a target; expires by time or by number of requests."""

    def __init__(self) -> None:
        self._faults: dict[Target, Fault] = {}

    def set(self, targets: tuple[Target, ...], fault: Fault) -> None:
        """Replace what `targets` show; mode `ok` ends it."""
        for target in targets:
            self._faults.pop(target, None)
            if fault.mode != "ok":
                self._faults[target] = fault

    def current(self, target: Target, now: float) -> Fault | None:
        """The fault in force, without using one of its requests up."""
        fault = self._faults.get(target)
        if fault is None or (fault.until is None or now < fault.until):
            return fault
        del self._faults[target]
        return None

    def take(self, target: Target, now: float) -> Fault | None:
        """The fault for one request of `target`; uses one of its requests up."""
        fault = self.current(target, now)
        if fault is None or fault.requests_left is None:
            return fault
        if fault.requests_left > 1:
            self._faults[target] = _with_one_request_less(fault)
        else:
            del self._faults[target]
        return fault


def _with_one_request_less(fault: Fault) -> Fault:
    left = (fault.requests_left or 1) - 1
    return Fault(fault.mode, fault.retry_after_seconds, fault.until, left, fault.max_bytes)


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """A parsed order to fail: which targets, and how."""

    targets: tuple[Target, ...]
    fault: Fault


def parse_fault(order: Json, now: float) -> FaultOrder | str:
    """Read an admin request; a string says what is wrong with it."""
    if not isinstance(order, dict):
        return "a fault is an object with target and mode"
    targets = _targets(order.get("target", "all"))
    if targets is None:
        return f"target {order.get('target')!r} is none of loki, elasticsearch, all"
    mode = str(order.get("mode"))
    if mode not in MODES:
        return f"mode {mode!r} is none of {', '.join(MODES)}"
    numbers = {key: order.get(key) for key in ("seconds", "retry_after", "requests", "max_bytes")}
    for key, value in numbers.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            return f"{key} {value!r} is not a number from 0 up"
    return FaultOrder(targets, _fault(mode, numbers, now))


def _targets(name: Json) -> tuple[Target, ...] | None:
    if name == "all":
        return TARGETS
    return next(((target,) for target in TARGETS if target == name), None)


def _fault(mode: str, numbers: dict[str, Json], now: float) -> Fault:
    seconds, retry_after, requests, max_bytes = (
        value if isinstance(value, int | float) else None for value in numbers.values()
    )
    return Fault(
        mode=mode,
        retry_after_seconds=retry_after,
        until=now + seconds if seconds else None,
        requests_left=int(requests) if requests else None,
        max_bytes=MAX_BODY_UNDER_413_BYTES if max_bytes is None else int(max_bytes),
    )
