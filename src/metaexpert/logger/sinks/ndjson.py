"""JSON lines over HTTP, for collectors without a protocol of their own (Vector, Fluent Bit, VictoriaLogs, a service).

One POST a batch, one entry a line. A batch carries a key made of its entries alone, the same on each attempt, so that a
server may ignore what it has stored already; each line carries its entry's id for those that look closer.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Final, final
from urllib.parse import quote, urlencode

from metaexpert.logger.batch import Batch
from metaexpert.logger.endpoints import EndpointStats
from metaexpert.logger.entry import SEQ, TIME_NS, Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.options.http import NdjsonOptions
from metaexpert.logger.outcome import Delivered, Outcome, Rejected, Retry
from metaexpert.logger.sinks.http import Answer, HttpClient, NoAnswer, common_outcome

KEY_HEADER: Final = "Idempotency-Key"
"""https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/: a string in quotes."""

_KEY_BYTES: Final = 16
_STORED: Final = range(200, 205)
_SUCCESS: Final = range(200, 300)


@final
class NdjsonSink:
    """Posts batches of JSON lines.

    Args:
        options: address, path, query parameters.
        client: the connection.
        encode_line: an entry's line without newline.
        identity: the process that writes.
    """

    def __init__(
        self, options: NdjsonOptions, client: HttpClient, encode_line: Callable[[Capture], bytes], identity: Identity
    ) -> None:
        self.encode = encode_line
        query = urlencode(options.query, quote_via=quote)
        self._target = f"{options.path}?{query}" if query else options.path
        self._content_type = options.content_type
        self._client = client
        self._writer = f"{identity.boot_id} {options.name}"

    async def write(self, batch: Batch) -> Outcome:
        """Post the batch and read the answer."""
        body = b"\n".join([*batch.parts, b""])
        answer = await self._client.post(self._target, body, self._content_type, {KEY_HEADER: f'"{self.key(batch)}"'})
        return classify(answer)

    def key(self, batch: Batch) -> str:
        """What names the batch: the writer, its first and last entry, and how much lies between them.

        Their times are part of it, since entries of earlier runs, read back from disk, have numbers of their own.
        """
        first, last = batch.entries[0], batch.entries[-1]
        span = f"{first[SEQ]} {first[TIME_NS]} {last[SEQ]} {last[TIME_NS]}"
        named = f"{self._writer} {span} {len(batch)} {batch.size_bytes}"
        return blake2b(named.encode(), digest_size=_KEY_BYTES).hexdigest()

    @property
    def endpoint_stats(self) -> tuple[EndpointStats, ...]:
        """How each address is doing."""
        return self._client.endpoint_stats

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


def classify(answer: Answer | NoAnswer) -> Outcome:
    """A generic collector's answer: any 2xx takes all, and what is refused is refused as a whole.

    A 2xx beyond the usual ones (207 Multi-Status, Loki's 260) may mean less than all, in words that only its own kind
    of server knows: sending again would repeat what was stored, so that it is told of instead.
    """
    match answer:
        case NoAnswer():
            return Retry(answer.reason, pause=answer.pause)
        case Answer() if answer.status in _STORED:
            return Delivered()
        case Answer() if answer.status in _SUCCESS:
            return Delivered(warning=f"HTTP {answer.status} {answer.text}: may not have stored all of a batch")
        case Answer(refuses_entries=True):
            return Rejected(answer.status, answer.text)
        case _:
            return common_outcome(answer)
