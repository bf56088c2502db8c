"""Elasticsearch's and OpenSearch's bulk API (https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk).

Documents are created under their entry id, so that sending again creates nothing twice: an id that exists answers 409
and counts as a duplicate. Each item is judged by its own status, whatever its neighbours got.
"""

from collections.abc import Callable
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.batch import Batch
from metaexpert.logger.endpoints import EndpointStats
from metaexpert.logger.entry import SEQ, Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.options.http import ElasticsearchOptions
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Rejection, Retry
from metaexpert.logger.sinks.http import Answer, HttpClient, NoAnswer, common_outcome, one_line

BULK_PATH: Final = "/_bulk?filter_path=errors,items.*.status,items.*.error"
CLOSED_BEFORE_CUTTING: Final = 2
"""Connections closed under the same batch before it is taken to be too large and cut; see `ElasticsearchSink.write`."""

_HEAD_BYTES: Final = 64
_CREATED: Final = b'"status":201}}'
_STORED: Final = range(200, 300)
_BAD_REQUEST: Final = 400
_CONFLICT: Final = 409
_BUSY: Final = 429
_SERVER_FAULT: Final = range(500, 600)
_PAUSING: Final = frozenset({401, 403, 404})
_PAUSING_ERRORS: Final = ("index_closed_exception", "invalid_index_name_exception", "validation_exception")
"""Answered with 400, and no fault of the document: no index can take it until somebody opens one, names another, or
makes room for shards (which is what a validation of a `create` is about)."""


@final
class ElasticsearchSink:
    """Creates one document an entry.

    Args:
        options: index or data stream, address.
        client: the connection.
        documents: how an entry becomes a document.
        identity: the process that writes.
    """

    def __init__(
        self,
        options: ElasticsearchOptions,
        client: HttpClient,
        documents: Callable[[Capture], bytes],
        identity: Identity,
    ) -> None:
        self._client = client
        self._documents = documents
        self._action = b'{"create":{"_index":%b,"_id":"%b-' % (orjson.dumps(options.index), identity.boot_id.encode())
        self._closed = 0

    def encode(self, entry: Capture) -> bytes:
        """The action and the document, a line each."""
        return b'%b%d"}}\n%b\n' % (self._action, entry[SEQ], self._documents(entry))

    async def write(self, batch: Batch) -> Outcome:
        """Send the batch and read the answer, item by item.

        A server may close the connection under a body too large for it without a word. After some such closings the
        batch is cut; a document alone is never given up for it, since a broken network looks the same.
        """
        answer = await self._client.post(BULK_PATH, b"".join(batch.parts), "application/x-ndjson")
        if isinstance(answer, NoAnswer) and answer.closed:
            self._closed += 1
            if self._closed >= CLOSED_BEFORE_CUTTING and len(batch) > 1:
                self._closed = 0
                return Rejected(0, answer.reason)
        else:
            self._closed = 0
        return classify(answer, len(batch))

    @property
    def endpoint_stats(self) -> tuple[EndpointStats, ...]:
        """How each address is doing."""
        return self._client.endpoint_stats

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


def classify(answer: Answer | NoAnswer, sent: int) -> Outcome:
    """The answer to a bulk request of `sent` documents, by what real servers answer."""
    match answer:
        case NoAnswer():
            return Retry(answer.reason, pause=answer.pause)
        case Answer(status=200):
            return _classify_items(answer, sent)
        case Answer(status=400 | 413, refuses_entries=True):
            return Rejected(answer.status, answer.text)
        case _:
            return common_outcome(answer)


def _classify_items(answer: Answer, sent: int) -> Outcome:
    if b'"errors":false' in answer.body[:_HEAD_BYTES] and answer.body.count(_CREATED) == sent:
        return Delivered()  # what nearly every answer is, without parsing thousands of items on the loop
    statuses = _item_results(answer.body)
    if statuses is None:
        return Retry(f"unreadable answer: {answer.text}")
    if len(statuses) != sent:
        return Retry(f"{len(statuses)} results for {sent} documents")
    retry: list[int] = []
    rejected: list[Rejection] = []
    duplicates = 0
    pause = False
    reason = ""
    for position, (status, error) in enumerate(statuses):
        if status in _STORED:
            continue
        if status == _CONFLICT:
            duplicates += 1
        elif (pauses := _pauses(status, error)) or status == _BUSY or status in _SERVER_FAULT:
            retry.append(position)
            pause = pause or pauses
            reason = f"item status {status}: {error}"
        else:
            rejected.append(Rejection(position, status, error))
    if not retry and not rejected:
        return Delivered(duplicates)
    return Partial(
        tuple(retry), tuple(rejected), reason or rejected[0].reason, duplicates, answer.retry_after_seconds, pause
    )


def _pauses(status: int, error: str) -> bool:
    """Whether an operator has to mend what an item failed at."""
    return status in _PAUSING or (status == _BAD_REQUEST and error.startswith(_PAUSING_ERRORS))


def _item_results(body: bytes) -> list[tuple[int, str]] | None:
    """Status and error of each item, None when the answer is not a bulk answer."""
    try:
        items = cast("list[dict[str, dict[str, Any]]]", orjson.loads(body)["items"])
        results = [next(iter(item.values())) for item in items]
        return [(int(result["status"]), _error_text(result.get("error"))) for result in results]
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration):
        return None


def _error_text(error: object) -> str:
    """An item's error, which may be an object or a string."""
    if isinstance(error, dict):
        told = cast("dict[str, object]", error)
        return one_line(f"{told.get('type', 'error')}: {told.get('reason', '')}")[:500]
    return one_line(str(error or ""))[:500]
