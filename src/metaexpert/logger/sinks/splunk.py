"""Splunk's HTTP Event Collector (https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data).

A batch goes out in requests of bounded size. Status 200 only says that a request looks valid; where the token has
indexer acknowledgement each answer carries an id, and its entries count as delivered only when that id is acknowledged.
Ids are asked for together, and meanwhile the batches that wait behind this one are sent ahead. What was sent is
remembered until it is settled, so that a write that is repeated goes on asking instead of sending twice.
"""

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, final
from uuid import NAMESPACE_OID, uuid5

import orjson

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import SEQ, TIME_NS, Capture
from metaexpert.logger.formats.splunk_events import SplunkEvents
from metaexpert.logger.identity import Identity
from metaexpert.logger.options.splunk import SplunkOptions
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Rejection, Retry
from metaexpert.logger.sinks.http import Answer, HttpClient, NoAnswer, common_outcome
from metaexpert.logger.sinks.splunk_answers import ACK_DISABLED, UNKNOWN_CHANNEL, Accepted, acks_in, classify, code_of

EVENT_PATH: Final = "/services/collector/event"
ACK_PATH: Final = "/services/collector/ack"
CHANNEL_HEADER: Final = "X-Splunk-Request-Channel"

_JSON: Final = "application/json"
_FIRST_POLL_SHARE: Final = 1 / 16

type Position = int
type EntryKey = tuple[int, int]
type Part = tuple[Position, Position]
"""A request's entries in its batch: the first position, and the one behind the last."""


@dataclass(slots=True)
class _Sent:
    """A request on its way to the index."""

    channel: str
    endpoint: str
    ack_id: int
    entries: int
    last: EntryKey
    expires: float
    acknowledged: bool = False


@dataclass(slots=True)
class _Told:
    """What is known of a batch's entries so far; those named nowhere are stored."""

    retry: list[Position] = field(default_factory=list[Position])
    rejected: list[Rejection] = field(default_factory=list[Rejection])
    because: Retry | None = None
    warning: str = ""

    def again(self, positions: Sequence[Position], because: Retry) -> None:
        self.retry += positions
        self.because = self.because or because

    def outcome(self, entries: int) -> Outcome:
        if not self.retry and not self.rejected:
            return Delivered(warning=self.warning)
        because = self.because or Retry(self.rejected[0].reason)
        if len(self.retry) == entries:
            return because
        return Partial(
            tuple(sorted(self.retry)),
            tuple(self.rejected),
            because.reason,
            after_seconds=because.after_seconds,
            pause=because.pause,
        )


@final
class SplunkSink:
    """Posts events, and waits until they are indexed where Splunk says so.

    Args:
        options: index, indexed fields, acknowledgement, address.
        client: the connection.
        encode_line: an entry's line.
        identity: the process that writes.
        clock: seconds that only grow, as `time.monotonic`.
    """

    def __init__(
        self,
        options: SplunkOptions,
        client: HttpClient,
        encode_line: Callable[[Capture], bytes],
        identity: Identity,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._client = client
        self._identity = identity
        self._clock = clock
        self._events = SplunkEvents(
            identity,
            encode_line,
            source=options.source,
            sourcetype=options.sourcetype,
            index=options.index,
            fields=options.fields,
            indexed_fields=options.indexed_fields,
        )
        self._queued: Callable[[], Sequence[Batch]] = tuple
        self._checked = options.indexer_ack != "on"
        self._sent: dict[EntryKey, _Sent] = {}
        self._channels = 0
        self._channel = self._new_channel()

    def look_ahead(self, queued: Callable[[], Sequence[Batch]]) -> None:
        """Be told which batches wait behind the one that is written: they may be sent while this one is indexed."""
        self._queued = queued

    def encode(self, entry: Capture) -> bytes:
        """One event in its envelope, a line."""
        return self._events(entry) + b"\n"

    async def write(self, batch: Batch) -> Outcome:
        """Post what has not been posted of the batch, and wait until it is acknowledged."""
        if not self._checked and (refusal := await self._refusal()):
            return refusal
        self._forget_expired()
        told = _Told()
        awaited = await self._post_all(batch, told)
        if awaited:
            await self._await_acks(batch, awaited, told)
        return told.outcome(len(batch))

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    # ---- sending ----------------------------------------------------------------------------------------------

    async def _post_all(self, batch: Batch, told: _Told) -> list[Part]:
        """Post the batch, part by part; those that are to be acknowledged."""
        awaited: list[Part] = []
        todo = deque(self._parts(batch))
        while todo:
            part = todo.popleft()
            if self._sent_as(batch, part):
                awaited.append(part)
                continue
            match await self._post(batch, part):
                case Accepted() as accepted:
                    told.warning = told.warning or accepted.warning
                    if accepted.ack_id is not None:
                        awaited.append(part)
                case Rejected() as refused if part[1] - part[0] == 1:
                    told.rejected.append(Rejection(part[0], refused.status, refused.reason))
                case Rejected():
                    middle = sum(part) // 2
                    todo.extendleft([(middle, part[1]), (part[0], middle)])
                case Rejection() as refused:
                    # Splunk has indexed what stands before it, others that speak its protocol have not: sent again
                    at = part[0] + refused.position
                    told.rejected.append(Rejection(at, refused.status, refused.reason))
                    todo.extendleft(rest for rest in ((at + 1, part[1]), (part[0], at)) if rest[0] < rest[1])
                case Retry() as retry:
                    unsent = [rest for rest in (part, *todo) if not self._sent_as(batch, rest)]
                    awaited += [rest for rest in todo if rest not in unsent]
                    told.again([at for first, end in unsent for at in range(first, end)], retry)
                    break
        return awaited

    async def _post(self, batch: Batch, part: Part) -> Accepted | Rejected | Rejection | Retry:
        first, end = part
        body = b"".join(batch.parts[first:end])
        acked = self._options.indexer_ack != "off"
        channel = self._channel
        answer = await self._client.post(EVENT_PATH, body, _JSON, {CHANNEL_HEADER: channel} if acked else None)
        verdict = classify(answer, end - first)
        if isinstance(verdict, Accepted):
            if acked and verdict.ack_id is not None and isinstance(answer, Answer):
                self._remember(batch, part, channel, answer.endpoint, verdict.ack_id)
            elif self._options.indexer_ack == "on":
                return Retry("200 without an ackId; indexer_ack is on", pause=True)
            return verdict if acked else Accepted(None, verdict.warning)
        if isinstance(answer, NoAnswer) or code_of(answer) == UNKNOWN_CHANNEL:
            # a server that begins anew counts its ids anew: those of two runs must not be mistaken for one another
            self._channel = self._new_channel()
        return verdict

    def _remember(self, batch: Batch, part: Part, channel: str, endpoint: str, ack_id: int) -> None:
        on_channel = [key for key, sent in self._sent.items() if (sent.channel, sent.endpoint) == (channel, endpoint)]
        if any(self._sent[key].ack_id >= ack_id for key in on_channel):
            # a channel's ids grow: another server answers, or this one has begun anew, and earlier ids mean nothing
            for key in on_channel:
                if not self._sent[key].acknowledged:
                    del self._sent[key]
            self._channel = self._new_channel()
        first, last = batch.entries[part[0]], batch.entries[part[1] - 1]
        expires = self._clock() + self._options.ack_timeout
        self._sent[_key(first)] = _Sent(channel, endpoint, ack_id, part[1] - part[0], _key(last), expires)

    def _parts(self, batch: Batch) -> Iterator[Part]:
        """The batch's requests: what was sent as it was sent, the rest by size."""
        most = self._options.request_max_bytes
        ends = [] if batch.size_bytes <= most else list(accumulate(map(len, batch.parts)))
        entries, at = batch.entries, 0
        while at < len(batch):
            sent = self._sent_at(batch, at)
            if sent is not None:
                end = at + sent.entries
            else:
                end = _end_of_size(ends, at, most, len(batch))
                if self._sent:
                    end = next((later for later in range(at + 1, end) if _key(entries[later]) in self._sent), end)
            yield at, end
            at = end

    def _sent_at(self, batch: Batch, at: Position) -> _Sent | None:
        sent = self._sent.get(_key(batch.entries[at])) if self._sent else None
        if sent is None or at + sent.entries > len(batch):
            return None
        return sent if _key(batch.entries[at + sent.entries - 1]) == sent.last else None

    def _sent_as(self, batch: Batch, part: Part) -> _Sent | None:
        sent = self._sent_at(batch, part[0])
        return sent if sent is not None and sent.entries == part[1] - part[0] else None

    async def _send_ahead(self) -> bool:
        """Post what waits behind; False at the first answer that is no plain yes, which the batch's own write hears."""
        for batch in tuple(self._queued()):
            for part in self._parts(batch):
                if self._sent_as(batch, part):
                    continue
                verdict = await self._post(batch, part)
                if not isinstance(verdict, Accepted) or verdict.ack_id is None:
                    return False
        return True

    # ---- acknowledgements -------------------------------------------------------------------------------------

    async def _await_acks(self, batch: Batch, parts: list[Part], told: _Told) -> None:
        pause = self._options.ack_poll_interval * _FIRST_POLL_SHARE
        goes_on = True
        while waiting := [part for part in parts if not self._is_acknowledged(batch, part)]:
            trouble = self._lost(batch, waiting)
            if trouble is None and told.because is None:
                goes_on = goes_on and await self._send_ahead()
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._options.ack_poll_interval)
            trouble = trouble or await self._ask() or told.because
            if trouble is not None:
                waiting = [part for part in waiting if not self._is_acknowledged(batch, part)]
                parts = [part for part in parts if part not in waiting]
                told.again([at for first, end in waiting for at in range(first, end)], trouble)
        for first, _ in parts:
            del self._sent[_key(batch.entries[first])]

    def _is_acknowledged(self, batch: Batch, part: Part) -> bool:
        sent = self._sent_as(batch, part)
        return sent is not None and sent.acknowledged

    def _lost(self, batch: Batch, waiting: list[Part]) -> Retry | None:
        """Why one of the parts will not be acknowledged any more, if so."""
        sent = [self._sent_as(batch, part) for part in waiting]
        if None in sent:
            return Retry("acknowledgement ids began anew before all events were acknowledged; sent again")
        if all(each is not None and self._clock() < each.expires for each in sent):
            return None
        self._forget_expired()
        return Retry(f"not acknowledged within {self._options.ack_timeout:g} s; sent again")

    async def _ask(self) -> Retry | None:
        """Ask for all ids that wait, those of a channel in one request; why that is of no use, if so."""
        channels: dict[tuple[str, str], list[_Sent]] = {}
        for sent in self._sent.values():
            if not sent.acknowledged:
                channels.setdefault((sent.channel, sent.endpoint), []).append(sent)
        for (channel, endpoint), waiting in channels.items():
            answer = await self._query(channel, [sent.ack_id for sent in waiting], endpoint)
            acks = None if isinstance(answer, NoAnswer) else acks_in(answer)
            if acks is None:
                return self._not_told(answer, endpoint)
            for sent in waiting:
                sent.acknowledged = acks.get(str(sent.ack_id)) is True
        return None

    async def _query(self, channel: str, ack_ids: list[int], endpoint: str | None = None) -> Answer | NoAnswer:
        body = orjson.dumps({"acks": ack_ids})
        return await self._client.post(ACK_PATH, body, _JSON, {CHANNEL_HEADER: channel}, endpoint=endpoint)

    def _not_told(self, answer: Answer | NoAnswer, endpoint: str) -> Retry:
        """What an answer without acknowledgements means; ids that are not waited for any more are forgotten."""
        if isinstance(answer, NoAnswer):
            self._channel = self._new_channel()
            if len(self._options.addresses()) > 1:  # the others can have at once what this one may or may not index
                self._forget_unknown(endpoint)
            return Retry(answer.reason, pause=answer.pause)
        if code_of(answer) in {ACK_DISABLED, UNKNOWN_CHANNEL}:
            self._forget_unknown(endpoint)
            self._channel = self._new_channel()
            return Retry(f"HTTP {answer.status} {answer.text}")
        return common_outcome(answer)

    async def _refusal(self) -> Retry | None:
        """Before the first event: why acknowledgements, which are asked for, are not to be had."""
        answer = await self._query(self._channel, [0])
        if isinstance(answer, NoAnswer):
            return Retry(answer.reason, pause=answer.pause)
        if code_of(answer) == ACK_DISABLED:
            remedy = 'enable it in Splunk, or set indexer_ack = "auto"'
            return Retry(f"the token has indexer acknowledgement off: {remedy}", pause=True)
        if acks_in(answer) is None:
            return common_outcome(answer)
        self._checked = True
        return None

    def _forget_unknown(self, endpoint: str) -> None:
        self._sent = {key: sent for key, sent in self._sent.items() if sent.acknowledged or sent.endpoint != endpoint}

    def _forget_expired(self) -> None:
        now = self._clock()
        self._sent = {key: sent for key, sent in self._sent.items() if sent.acknowledged or now < sent.expires}

    def _new_channel(self) -> str:
        self._channels += 1
        return str(uuid5(NAMESPACE_OID, f"{self._identity.boot_id} {self._options.name} {self._channels}"))


def _key(entry: Capture) -> EntryKey:
    """What names an entry among those of this sink; those of earlier runs have other times."""
    return entry[SEQ], entry[TIME_NS]


def _end_of_size(ends: list[int], at: Position, most: int, entries: int) -> Position:
    """The position behind the last entry that a request from `at` on has room for; it takes one at least."""
    if not ends:
        return entries
    begun = ends[at - 1] if at else 0
    return max(at + 1, bisect_right(ends, begun + most, at))
