"""OTLP/HTTP, the protocol of OpenTelemetry (https://opentelemetry.io/docs/specs/otlp/#otlphttp).

An answer says how many records were rejected, not which. What OTLP forbids to send again is not sent again, but for
entries that must not be lost (ERROR and up, trade, audit, gap): they wait, and are given up one by one, alone.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.endpoints import EndpointStats
from metaexpert.logger.entry import LEVEL, LOG_TYPE, Capture, Lane, lane_of
from metaexpert.logger.formats.otlp_answers import PartialSuccess, read_response, status_message
from metaexpert.logger.formats.otlp_json import Json
from metaexpert.logger.formats.otlp_model import resource_attributes
from metaexpert.logger.formats.otlp_protobuf import Protobuf
from metaexpert.logger.formats.otlp_records import Records
from metaexpert.logger.formats.otlp_requests import Requests
from metaexpert.logger.identity import Identity
from metaexpert.logger.options.otlp import OtlpOptions
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Rejection, Retry
from metaexpert.logger.sinks.http import Answer, HttpClient, NoAnswer

LOGS_PATH: Final = "/v1/logs"
ATTEMPTS_OF_MANY: Final = 2
"""Attempts of protected entries under a refusal that may not be repeated, before they are cut in halves."""
ATTEMPTS_OF_ONE: Final = 10
"""Attempts of one of them alone, before it is rejected."""

_NOT_FOR_SIZE: Final = -1
"""No status: a batch is cut, but nothing is to be concluded from its size."""

_STORED: Final = frozenset({200, 201, 202, 204})
_REPEATED: Final = frozenset({429, 502, 503, 504})
_DISCARDED: Final = 260
"""Loki's own status: ingestion is blocked by policy and the data was discarded."""

_BODY_TOO_LARGE: Final = b"request body too large"
"""How the Collector says, with 400, what HTTP has 413 for."""
_TOO_LARGE: Final = 413

_WRONG_PROTOCOL: Final = re.compile(rb"json encoding isn't supported")
"""How VictoriaLogs answers, with 400, where it is not the records that are wrong but `protocol`."""


@final
class OtlpSink:
    """Exports batches of log records.

    Args:
        options: encoding, resource, address.
        client: the connection.
        identity: the process that writes.
    """

    def __init__(self, options: OtlpOptions, client: HttpClient, identity: Identity) -> None:
        self.encode = Records(identity, Protobuf() if options.protocol == "protobuf" else Json())
        resource = resource_attributes(identity, options.environment, options.resource)
        self._requests = Requests(identity.boot_id, resource)
        self._client = client
        self._refused: Batch | None = None
        self._attempts = 0

    async def write(self, batch: Batch) -> Outcome:
        """Export the batch and read the answer."""
        body, content_type = self._requests.of(batch.parts)
        answer = await self._client.post(LOGS_PATH, body, content_type)
        if isinstance(answer, NoAnswer):
            return Retry(answer.reason, pause=answer.pause)
        outcome = classify(answer, batch.entries)
        if outcome is not None:
            return outcome
        self._attempts = self._attempts + 1 if batch is self._refused else 1
        self._refused = batch
        return refused_for_good(answer, batch.entries, self._attempts)

    @property
    def endpoint_stats(self) -> tuple[EndpointStats, ...]:
        """How each address is doing."""
        return self._client.endpoint_stats

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


def classify(answer: Answer, entries: Sequence[Capture]) -> Outcome | None:
    """The answer to an export of `entries`; None for a refusal that may not be repeated, see `refused_for_good`."""
    match answer:
        case Answer() if answer.status in _STORED:
            return _stored(answer, entries)
        case Answer(status=260):
            reason = f"ingestion is blocked, data was discarded: {_told(answer)}"
            return Partial((), _rejections(range(len(entries)), _DISCARDED, reason), reason)
        case Answer(status=400) if _WRONG_PROTOCOL.search(answer.body):
            return Retry(_reason(answer), pause=True)
        case Answer(refuses_entries=True):
            too_large = len(entries) > 1 and _BODY_TOO_LARGE in answer.body
            return Rejected(_TOO_LARGE if too_large else answer.status, _told(answer))
        case Answer() if answer.needs_operator or answer.status in _REPEATED:
            return Retry(_reason(answer), answer.retry_after_seconds, pause=answer.needs_operator)
        case _:
            return None


def refused_for_good(answer: Answer, entries: Sequence[Capture], attempts: int) -> Outcome:
    """What becomes of entries that OTLP says not to send again.

    Ordinary ones are rejected. Protected ones wait for the receiver to be mended; cut in halves and in the end alone,
    they are rejected only where one alone was refused `ATTEMPTS_OF_ONE` times, since it may itself be the cause.

    Args:
        answer: the refusal.
        entries: what was sent.
        attempts: how often these entries were refused so in a row, this time counted in.
    """
    kept = tuple(at for at, entry in enumerate(entries) if _lane(entry) >= Lane.ERROR)
    if len(kept) == len(entries):
        if len(entries) == 1 and attempts >= ATTEMPTS_OF_ONE:
            return Rejected(answer.status, _told(answer))
        if len(entries) > 1 and attempts >= ATTEMPTS_OF_MANY:
            return Rejected(_NOT_FOR_SIZE, _told(answer))
        return Retry(_reason(answer), answer.retry_after_seconds, pause=True)
    given_up = sorted({*range(len(entries))} - {*kept})
    rejections = _rejections(given_up, answer.status, _told(answer))
    return Partial(kept, rejections, _reason(answer), after_seconds=answer.retry_after_seconds, pause=True)


def _stored(answer: Answer, entries: Sequence[Capture]) -> Outcome:
    told = read_response(answer.body)
    if told is None:
        # a web server's own page, most likely: nothing says that anything was stored
        return Retry(f"HTTP {answer.status}, but no answer of OTLP: {answer.text}", pause=True)
    if told.rejected > 0:
        return _partly_stored(answer, told, entries)
    return Delivered(warning=_shown(answer, told.message))


def _partly_stored(answer: Answer, told: PartialSuccess, entries: Sequence[Capture]) -> Partial:
    """As many entries as were rejected; which, nobody says, so those that matter most are taken to be among them."""
    by_weight = sorted(range(len(entries)), key=lambda at: (-_lane(entries[at]), at))
    reason = f"{told.rejected} of {len(entries)} records rejected, which is not said: {_shown(answer, told.message)}"
    return Partial((), _rejections(sorted(by_weight[: told.rejected]), answer.status, reason), reason)


def _rejections(positions: Iterable[int], status: int, reason: str) -> tuple[Rejection, ...]:
    return tuple(Rejection(at, status, reason) for at in positions)


def _lane(entry: Capture) -> Lane:
    return lane_of(entry[LEVEL], entry[LOG_TYPE])


def _reason(answer: Answer) -> str:
    return f"HTTP {answer.status} {_told(answer)}"


def _told(answer: Answer) -> str:
    return replace(answer, body=status_message(answer.body)).text


def _shown(answer: Answer, message: str) -> str:
    """What the receiver says, as `Answer.text` shows it: bounded, in one line, without credentials."""
    return replace(answer, body=message.encode("utf-8", "replace")).text
