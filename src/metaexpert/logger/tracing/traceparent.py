"""Which trace code runs in, as HTTP headers say it (W3C Trace Context, https://www.w3.org/TR/trace-context/). Pure.

`traceparent` is `00-<trace id, 32 digits>-<span id, 16>-<flags, 2>` in lower-case hexadecimal; no id is all zeros. What
follows in a header of a later version is left out, as version 00 says. A header that does not parse is as good as none.
"""

import re
import secrets
from collections.abc import Iterable
from typing import Final, NamedTuple

from metaexpert.logger.tracing.tracestate import parse_tracestate

SAMPLED: Final = 0x01
RANDOM: Final = 0x02
_KNOWN_FLAGS: Final = SAMPLED | RANDOM
"""All others are to be sent as zero."""

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_INVALID_VERSION: Final = "ff"
_OWN_VERSION: Final = "00"
_WHITE: Final = " \t"
_MOST_CHARACTERS: Final = 512
"""Of a header: no version there may be needs more."""


class TraceContext(NamedTuple):
    """A place in a trace.

    Attributes:
        trace_id: what all its parts have in common, 32 digits of lower-case hexadecimal.
        span_id: this part of it, 16 such digits.
        flags: W3C's trace flags, those that are defined.
        state: the `tracestate` that came with it, to be sent on; it is never logged.
    """

    trace_id: str
    span_id: str
    flags: int = SAMPLED
    state: str = ""

    @property
    def traceparent(self) -> str:
        """The header that names this place as the one a request comes from."""
        return f"{_OWN_VERSION}-{self.trace_id}-{self.span_id}-{self.flags & _KNOWN_FLAGS:02x}"

    @property
    def fields(self) -> dict[str, str]:
        """The fields that say it in entries."""
        return {"trace_id": self.trace_id, "span_id": self.span_id, "trace_flags": f"{self.flags & _KNOWN_FLAGS:02x}"}

    def headers(self) -> dict[str, str]:
        """The headers of a request that comes from here."""
        named = {"traceparent": self.traceparent}
        return named | {"tracestate": self.state} if self.state else named

    def child(self) -> "TraceContext":
        """A new part of the same trace."""
        return self._replace(span_id=_random_id(8))


def new_trace() -> TraceContext:
    """The first place of a trace of its own."""
    return TraceContext(_random_id(16), _random_id(8), SAMPLED | RANDOM)


def _random_id(size_bytes: int) -> str:
    while True:
        random_id = secrets.token_hex(size_bytes)
        if random_id.strip("0"):
            return random_id


def parse_traceparent(header: str, states: Iterable[str] = ()) -> TraceContext | None:
    """The place a request came from; None when the header names none.

    Args:
        header: the value of `traceparent`.
        states: the values of `tracestate`, in their order; left out when they do not parse.
    """
    match = _TRACEPARENT.fullmatch(header.strip(_WHITE)) if len(header) <= _MOST_CHARACTERS else None
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == _INVALID_VERSION or (version == _OWN_VERSION and more is not None):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceContext(trace_id, span_id, int(flags, 16) & _KNOWN_FLAGS, parse_tracestate(states))


def continued(traceparents: Iterable[str], states: Iterable[str] = ()) -> TraceContext:
    """A new part of the trace that a request's headers name; of a new trace where they name none, or more than one."""
    headers = list(traceparents)
    parent = parse_traceparent(headers[0], states) if len(headers) == 1 else None
    return new_trace() if parent is None else parent.child()
