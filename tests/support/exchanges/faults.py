"""What a test has go wrong: on REST requests one after another, on websocket connections at once or frame by frame.

A fault of a request is for endpoints whose name (`POST /api/v3/order`) contains `on`, and is used up after `times`
of them. A fault of frames is for frames whose topic contains `topic`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from .refusals import Reason


class Kind(Enum):
    """What a faulty request meets."""

    RATE_LIMIT = auto()
    BAN = auto()
    MAINTENANCE = auto()
    MAINTENANCE_PAGE = auto()
    REFUSAL = auto()
    LOST_REQUEST = auto()
    LOST_ANSWER = auto()
    HELD_ANSWER = auto()
    GARBAGE_ANSWER = auto()


@dataclass(slots=True)
class RestFault:
    """One fault that waits for its requests."""

    kind: Kind
    on: str
    times: int
    retry_after_seconds: int = 1
    reason: Reason | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)


class RestFaults:
    """The faults of requests, first come first met."""

    def __init__(self) -> None:
        self.waiting: list[RestFault] = []

    def rate_limit(self, times: int = 1, *, on: str = "", retry_after_seconds: int = 1, banned: bool = False) -> None:
        """Say that there were too many requests; `banned` is Binance's 418."""
        self._add(Kind.BAN if banned else Kind.RATE_LIMIT, on, times, retry_after_seconds)

    def maintenance(self, times: int = 1, *, on: str = "", page: bool = False) -> None:
        """Say that the exchange is being maintained, in its own format or as a proxy's HTML page."""
        self._add(Kind.MAINTENANCE_PAGE if page else Kind.MAINTENANCE, on, times)

    def refuse(self, reason: Reason, times: int = 1, *, on: str = "") -> None:
        """Refuse for a reason that the account gives no cause for."""
        self._add(Kind.REFUSAL, on, times).reason = reason

    def lose_request(self, times: int = 1, *, on: str = "") -> None:
        """Close the connection before anything is done."""
        self._add(Kind.LOST_REQUEST, on, times)

    def lose_answer(self, times: int = 1, *, on: str = "") -> None:
        """Do what is asked, then close the connection without an answer."""
        self._add(Kind.LOST_ANSWER, on, times)

    def hold_answer(self, times: int = 1, *, on: str = "") -> asyncio.Event:
        """Do what is asked and answer when the event is set."""
        return self._add(Kind.HELD_ANSWER, on, times).released

    def garbage(self, times: int = 1, *, on: str = "") -> None:
        """Do what is asked and answer with something that is no JSON."""
        self._add(Kind.GARBAGE_ANSWER, on, times)

    def clear(self) -> None:
        """Forget every fault that was not met; answer what is held."""
        for fault in self.waiting:
            fault.released.set()
        self.waiting.clear()

    def next_for(self, endpoint: str) -> RestFault | None:
        """The fault that this request meets."""
        for fault in self.waiting:
            if fault.on in endpoint:
                fault.times -= 1
                if not fault.times:
                    self.waiting.remove(fault)
                return fault
        return None

    def _add(self, kind: Kind, on: str, times: int, retry_after_seconds: int = 1) -> RestFault:
        fault = RestFault(kind, on, times, retry_after_seconds)
        self.waiting.append(fault)
        return fault


@dataclass(slots=True)
class _FrameFault:
    topic: str
    times: int
    change: Callable[[str], list[str]]


class FrameFaults:
    """The faults of what is sent on websockets."""

    def __init__(self) -> None:
        self.silent = False
        self.refused_connections = 0
        self._waiting: list[_FrameFault] = []

    def refuse_connections(self, times: int) -> None:
        """Answer the next websocket handshakes with 503."""
        self.refused_connections = times

    def silence(self) -> None:
        """Send nothing more, no pong either; connections stay open."""
        self.silent = True

    def speak(self) -> None:
        """Send again; what was not sent is lost."""
        self.silent = False

    def skip(self, topic: str, times: int = 1) -> None:
        """Do not send the next frames of a topic: a gap in their numbers."""
        self._waiting.append(_FrameFault(topic, times, lambda _: []))

    def duplicate(self, topic: str, times: int = 1) -> None:
        """Send the next frames of a topic twice."""
        self._waiting.append(_FrameFault(topic, times, lambda frame: [frame, frame]))

    def swap(self, topic: str) -> None:
        """Send the next two frames of a topic in the wrong order."""
        kept: list[str] = []

        def change(frame: str) -> list[str]:
            if kept:
                return [frame, kept.pop()]
            kept.append(frame)
            return []

        self._waiting.append(_FrameFault(topic, 2, change))

    def garble(self, topic: str, times: int = 1) -> None:
        """Send the next frames of a topic cut in the middle."""
        self._waiting.append(_FrameFault(topic, times, lambda frame: [frame[: len(frame) // 2]]))

    def sent(self, topic: str, frame: str) -> list[str]:
        """What is sent for a frame."""
        if self.silent:
            return []
        for fault in self._waiting:
            if fault.topic in topic:
                fault.times -= 1
                if not fault.times:
                    self._waiting.remove(fault)
                return fault.change(frame)
        return [frame]
