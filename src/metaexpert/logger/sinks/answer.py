"""What a collector answered, or that it did not, and what that means where its own table does not say.

Pure. What is shown of an answer is one line without control characters and without what was secret in the request.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from metaexpert.logger.outcome import Retry

SHOWN_BYTES: Final = 200
_HIDDEN: Final = b"(hidden)"

_BAD_REQUEST: Final = 400
_REFUSED_BODY: Final = frozenset({_BAD_REQUEST, 413, 422})
_LOOKED_AT_BYTES: Final = 16 * 1024
_OPERATOR_STATUSES: Final = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 405, 406, 415})
"""Wrong address, credentials or kind of server: trying again soon helps nobody."""

_UNSERVED: Final = frozenset({502, 503, 504})

_WRONG_OPTIONS: Final = re.compile(rb"(?:\A|; )unsupported path|\A(?:error: )?invalid 'Content-Type'")
"""How VictoriaLogs (behind what it says of the request) and Fluent Bit answer, with 400, where it is not the body
that is wrong but its address or Content-Type: cutting the batch would reject everything."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a collector answered.

    Attributes:
        status: its status.
        body: what came with it, its beginning.
        retry_after_seconds: from its Retry-After header.
        secrets: what it was sent and must not be shown.
        endpoint: the address it came from, for `HttpClient.post(endpoint=…)`.
    """

    status: int
    body: bytes = b""
    retry_after_seconds: float | None = None
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    endpoint: str = ""

    @property
    def text(self) -> str:
        """The beginning of the body, for people; some servers repeat the request, credentials and all."""
        shown = self.body[:_LOOKED_AT_BYTES]
        for secret in self.secrets:
            shown = shown.replace(secret, _HIDDEN)
        return one_line(shown[:SHOWN_BYTES].decode("utf-8", "replace"))

    @property
    def refuses_entries(self) -> bool:
        """Whether something in the body is refused, or its size, rather than where or how it was sent."""
        return self.status in _REFUSED_BODY and not self._is_misdirected

    @property
    def needs_operator(self) -> bool:
        """Whether somebody has to mend the options or the collector first: trying again soon helps nobody."""
        return self.status in _OPERATOR_STATUSES or self._is_misdirected

    @property
    def is_from_nobody(self) -> bool:
        """Whether a proxy or gateway answers for a collector that it cannot reach, or one that cannot serve anybody."""
        return self.status in _UNSERVED

    @property
    def _is_misdirected(self) -> bool:
        return self.status == _BAD_REQUEST and _WRONG_OPTIONS.search(self.body[:_LOOKED_AT_BYTES]) is not None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer came; nothing is known of the entries.

    Attributes:
        reason: what happened, for people.
        closed: the connection stood and was closed under the request.
        pause: an operator has to mend it, for instance a certificate that does not verify.
    """

    reason: str
    closed: bool = False
    pause: bool = False


def one_line(text: str) -> str:
    """What a collector says, fit for a terminal: in one line, without control characters."""
    return "".join(character if character.isprintable() else " " for character in " ".join(text.split()))


def common_outcome(answer: Answer) -> Retry:
    """The outcome of an answer that a collector's own table does not name: never a loss."""
    reason = f"HTTP {answer.status} {answer.text}"
    return Retry(reason, answer.retry_after_seconds, pause=answer.needs_operator)
