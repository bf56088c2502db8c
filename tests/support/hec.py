"""An imitation of Splunk's HTTP Event Collector: what it takes, how it acknowledges, and what it forgets.

As Splunk documents it, and as people observed it: events before the first bad one of a request are indexed, those
behind it are not looked at; ids count from 0 in each channel; that an id is acknowledged is told once and then
forgotten; an indexer that begins anew knows no channel and no id, and has lost what it had not indexed.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web
from support.scripted_collector import Received, ScriptedCollector, json_reply

EVENT_PATH = "/services/collector/event"
ACK_PATH = "/services/collector/ack"
CHANNEL = "X-Splunk-Request-Channel"
TOKEN = "11111111-2222-3333-4444-555555555555"

type Event = dict[str, Any]


def events(received: Received) -> list[Event]:
    """The events of a request, in order."""
    return list(_decoded(received.body))


def _decoded(body: bytes) -> Iterator[Event]:
    return map(orjson.loads, body.splitlines())


def acks_asked(received: Received) -> list[int]:
    """The ids a request asks for."""
    return orjson.loads(received.body)["acks"]


@dataclass(slots=True)
class _Request:
    events: list[Event]
    indexed: bool = False


class Hec:
    """One indexer.

    Args:
        acks: whether the token has indexer acknowledgement.

    Attributes:
        indexed: the events in the index, in order.
        faulty: says which code an event is refused with; None for none.
        busy: answers 503 to events.
        max_content_length: longest body it takes, bytes.
        holds: keeps what it accepts in its queue until `index`.
    """

    def __init__(self, *, acks: bool = True, token: str = TOKEN) -> None:
        self.acks = acks
        self.token = token
        self.indexed: list[Event] = []
        self.faulty: Callable[[Event], int | None] = lambda _: None
        self.busy = False
        self.max_content_length = 838_860_800
        self.holds = False
        self._channels: dict[str, dict[int, _Request]] = {}
        self._counts: Counter[str] = Counter()

    @property
    def ids(self) -> list[str]:
        """The ids of the entries in the index, in order."""
        return [event["event"]["id"] for event in self.indexed]

    @property
    def waiting(self) -> int:
        """Requests accepted and not indexed."""
        return sum(not request.indexed for channel in self._channels.values() for request in channel.values())

    def index(self) -> None:
        """Index all that waits, oldest first within each channel."""
        for channel in self._channels.values():
            for request in channel.values():
                self._index(request)

    def lose(self, *ack_ids: int) -> None:
        """Forget what waits, all of it or these: accepted, and never to be indexed or acknowledged."""
        for channel in self._channels.values():
            waiting = [ack_id for ack_id, request in channel.items() if not request.indexed]
            for ack_id in waiting:
                if not ack_ids or ack_id in ack_ids:
                    del channel[ack_id]

    def restart(self) -> None:
        """Begin anew, as after a crash: what was not indexed is lost, and so are all ids."""
        self._channels.clear()
        self._counts.clear()

    def _index(self, request: _Request) -> None:
        if not request.indexed:
            self.indexed += request.events
            request.indexed = True

    # ---- what it answers --------------------------------------------------------------------------------------

    def answer(self, received: Received) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer to a request."""
        refusal = self._refusal(received)
        if refusal is not None:
            return refusal
        return self._acks(received) if received.path == ACK_PATH else self._take(received)

    def _refusal(self, received: Received) -> tuple[int, dict[str, Any]] | None:
        scheme, _, token = received.headers.get("Authorization", "").partition(" ")
        if not token:
            return 401, {"text": "Token is required", "code": 2}
        if scheme != "Splunk":
            return 401, {"text": "Invalid authorization", "code": 3}
        if token != self.token:
            return 403, {"text": "Invalid token", "code": 4}
        if received.path not in {EVENT_PATH, ACK_PATH}:
            return 404, {"text": "The requested URL was not found on this server.", "code": 404}
        if self.acks and CHANNEL not in received.headers:
            return 400, {"text": "Data channel is missing", "code": 10}
        return None

    def _take(self, received: Received) -> tuple[int, dict[str, Any]]:
        if self.busy:
            return 503, {"text": "Server is busy", "code": 9}
        if len(received.raw) > self.max_content_length:
            return 413, {"text": f"Content-Length of {len(received.raw)} too large"}
        taken: list[Event] = []
        for number, event in enumerate(events(received)):
            code = 12 if "event" not in event else self.faulty(event)
            if code is not None:
                self.indexed += taken
                return 400, {"text": "Invalid data format", "code": code, "invalid-event-number": number}
            taken.append(event)
        if not self.acks:
            self.indexed += taken
            return 200, {"text": "Success", "code": 0}
        channel = received.headers[CHANNEL]
        ack_id = self._counts[channel]
        self._counts[channel] += 1
        request = self._channels.setdefault(channel, {})[ack_id] = _Request(taken)
        if not self.holds:
            self._index(request)
        return 200, {"text": "Success", "code": 0, "ackId": ack_id}

    def _acks(self, received: Received) -> tuple[int, dict[str, Any]]:
        if not self.acks:
            return 400, {"text": "ACK is disabled", "code": 14}
        channel = self._channels.get(received.headers[CHANNEL], {})
        told: dict[str, bool] = {}
        for ack_id in acks_asked(received):
            request = channel.get(ack_id)
            told[str(ack_id)] = request is not None and request.indexed
            if told[str(ack_id)]:
                del channel[ack_id]
        return 200, {"acks": told}


class HecCollector(ScriptedCollector):
    """Serves one `Hec`, but for what it was told to answer.

    Attributes:
        hec: the indexer.
    """

    def __init__(self, hec: Hec | None = None) -> None:
        super().__init__(self.accept)
        self.hec = hec or Hec()

    async def accept(self, request: web.Request, received: Received) -> web.StreamResponse:
        """Answer as Splunk does."""
        code, body = self.hec.answer(received)
        return await json_reply(body, code)(request, received)

    @property
    def posts(self) -> list[Received]:
        """The requests that carried events."""
        return [request for request in self.requests if request.path == EVENT_PATH]

    @property
    def polls(self) -> list[Received]:
        """The requests that asked for acknowledgements."""
        return [request for request in self.requests if request.path == ACK_PATH]
