"""OpenTelemetry's active span, read where its API has been imported, and never importing it.

`SpanIds` stands before a log call's way in and adds `trace_id`, `span_id` and `trace_flags` to the entry's context. It
is put there when `opentelemetry.trace` is imported, not before: a program without it pays nothing. All that is used of
OpenTelemetry is its public API.
"""

import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final, NamedTuple, final, override
from weakref import ref

import orjson

from metaexpert.logger.entry import SIZE, Capture
from metaexpert.logger.receipts import Put, Receipt
from metaexpert.logger.tracing.traceparent import TraceContext
from metaexpert.logger.values import ValueEncoder

_API: Final = "opentelemetry.trace"
_MOST_KNOWN: Final = 256
_CONTEXT: Final = 8
_KEYS: Final = ('"trace_id":', '"span_id":', '"trace_flags":')

_TRACE_KEYS: Final = '"trace_'
"""What two of them begin with."""

type _Known = dict[int, bytes]
"""What is added under a context of OpenTelemetry's, by its `id()`, while it lives; nothing where it has no span."""


class _Reader(NamedTuple):
    """How the active span is read.

    Attributes:
        get_current: OpenTelemetry's present context, a mapping.
        key: where a span stands in it.
    """

    get_current: Callable[[], dict[str, Any]]
    key: str


def _reader() -> _Reader | None:
    """None where OpenTelemetry is not imported, or only in part so far."""
    api: Any = sys.modules.get(_API)
    contexts: Any = sys.modules.get("opentelemetry.context")
    try:
        # the key is private, but what `set_span_in_context` sets is it
        (key,) = api.set_span_in_context(api.INVALID_SPAN, contexts.Context())
        return _Reader(_present(contexts), key)
    except (AttributeError, ValueError):
        return None


def _present(contexts: Any) -> Callable[[], dict[str, Any]]:
    """What gives the present context: the variable itself, where OpenTelemetry reads it from nowhere else.

    Where contexts are kept is chosen once, at its import, and may be anybody's.
    """
    keeper: Any = getattr(contexts, "_RUNTIME_CONTEXT", None)
    usual: Any = sys.modules.get("opentelemetry.context.contextvars_context")
    if usual is not None and type(keeper) is getattr(usual, "ContextVarsRuntimeContext", None):  # pyright: ignore[reportUnknownArgumentType] - whatever it is
        variable: Any = getattr(keeper, "_current_context", None)  # pyright: ignore[reportUnknownArgumentType]
        if variable.__class__ is ContextVar:
            return variable.get
    return contexts.get_current


def is_imported() -> bool:
    """Whether OpenTelemetry's API is imported, be it in part."""
    return _API in sys.modules


def active_span() -> TraceContext | None:
    """The span that is active here; None where there is none, or no OpenTelemetry."""
    reader = _reader() if is_imported() else None
    span = None if reader is None else reader.get_current().get(reader.key)
    try:
        return None if span is None else _trace_of(span.get_span_context())
    except (AttributeError, TypeError, ValueError):
        return None  # what somebody put there is no span


def _trace_of(context: Any) -> TraceContext | None:
    if not context.is_valid:
        return None
    flags, state = int(context.trace_flags), context.trace_state.to_header() if context.trace_state else ""
    return TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", flags, state)


def enter(trace: TraceContext) -> Callable[[], object] | None:
    """Let OpenTelemetry's spans that begin from here on be parts of this trace; what ends that, None without it."""
    api: Any = sys.modules.get(_API)
    contexts: Any = sys.modules.get("opentelemetry.context")
    if api is None or contexts is None:
        return None
    try:
        state = api.TraceState.from_header([trace.state]) if trace.state else None
        flags = api.TraceFlags(trace.flags)
        context = api.SpanContext(
            int(trace.trace_id, 16), int(trace.span_id, 16), is_remote=True, trace_flags=flags, trace_state=state
        )
        token = contexts.attach(api.set_span_in_context(api.NonRecordingSpan(context)))
    except (AttributeError, TypeError, ValueError):
        return None  # imported in part, or another API than the one that is known
    return lambda: contexts.detach(token)


@final
class SpanIds:
    """Adds the active span to entries on their way into the pipeline.

    Args:
        put: the way.
        encoder: the redaction rules in force, asked for anew with each span.
        own: the trace begun here that the code runs in.
    """

    def __init__(self, put: Put, encoder: Callable[[], ValueEncoder], own: Callable[[], TraceContext | None]) -> None:
        self._put = put
        self._encoder = encoder
        self._own = own

    def into(self) -> Put | None:
        """The way with the spans' ids added; None while OpenTelemetry is not imported."""
        reader = _reader()
        return None if reader is None else self._adding(reader)

    def _adding(self, reader: _Reader) -> Put:
        """One frame for the whole of it: each costs the call that waits for it."""
        put, settled = self._put, self._settled
        get_current = reader.get_current
        known: _Known = {}
        members_of = _Members(reader, self._encoder, known).of
        free: set[bytes] = set()
        span_key, trace_keys = _KEYS[1], _TRACE_KEYS

        def put_with_span(capture: Capture) -> Receipt | None:
            try:
                members = known[id(get_current())]
            except KeyError:
                members = members_of()
            if not members:
                return put(capture)
            (
                seq, time_ns, level, name, message, code, lasti, fields, joined, thread, task, kind, details, size,
                at_ns,
            ) = capture  # fmt: skip
            if fields:
                text = fields.decode("latin-1")  # in text it is looked for much faster than in bytes
                if trace_keys in text or span_key in text:
                    return put(settled(capture, members))
            if not joined:
                both = members
            elif joined in free:  # mostly the very object of the call before, whose hash is known
                both = joined + b"," + members
            else:
                text = joined.decode("latin-1")
                if trace_keys in text or span_key in text:
                    return put(settled(capture, members))
                if len(free) >= _MOST_KNOWN:
                    free.clear()
                free.add(joined)
                both = joined + b"," + members
            return put(
                (
                    seq, time_ns, level, name, message, code, lasti, fields, both, thread, task, kind, details,
                    size + len(members), at_ns,
                )
            )  # fmt: skip

        return put_with_span

    def _settled(self, capture: Capture, members: bytes) -> Capture:
        """An entry that names a trace already: its own word counts, but a span within `trace` is the nearer one."""
        own, joined = self._own(), capture[_CONTEXT]
        begun = b"" if own is None else self._encoder().full(own.fields)
        if begun and begun != members and begun in joined:
            return (*capture[:_CONTEXT], joined.replace(begun, members), *capture[_CONTEXT + 1 :])
        if _names_a_trace(capture[7]) or _names_a_trace(joined):
            return capture
        joined = b"%b,%b" % (joined, members) if joined else members
        return (
            *capture[:_CONTEXT],
            joined,
            *capture[_CONTEXT + 1 : SIZE],
            capture[SIZE] + len(members),
            *capture[SIZE + 1 :],
        )


@final
class _Members:
    """Encodes what is added under a context, once for each.

    A context is never changed, and holding none of them alive here lets spans go when they end.

    Args:
        reader: how it is read.
        encoder: the redaction rules in force.
        known: what is added under the contexts that live.
    """

    def __init__(self, reader: _Reader, encoder: Callable[[], ValueEncoder], known: _Known) -> None:
        self._reader = reader
        self._encoder = encoder
        self._known = known
        self._living: dict[int, ref[dict[str, Any]]] = {}

    def of(self) -> bytes:
        """Those of the present context; none where its span is somebody's own and fails: the entry arrives without."""
        try:
            context = self._reader.get_current()
            span = context.get(self._reader.key)
            trace = None if span is None else _trace_of(span.get_span_context())
            members = b"" if trace is None else self._encoder().full(trace.fields)
            self._keep(context, members)
        except Exception:  # noqa: BLE001 - see above
            return b""
        return members

    def _keep(self, context: dict[str, Any], members: bytes) -> None:
        number = id(context)
        try:
            self._living[number] = ref(context, lambda _: self._forget(number))  # before its id() is given to another
        except TypeError:
            return  # a mapping of somebody's own that cannot be watched
        self._known[number] = members

    def _forget(self, number: int) -> None:
        self._known.pop(number, None)
        self._living.pop(number, None)


def _names_a_trace(members: bytes) -> bool:
    """Whether one of the keys stands there itself, not within another field."""
    text = members.decode("latin-1")
    if not any(key in text for key in _KEYS):
        return False
    return not {"trace_id", "span_id", "trace_flags"}.isdisjoint(orjson.loads(b"{%b}" % members))


@final
class ImportWatch(MetaPathFinder):
    """Tells when OpenTelemetry's API is being imported; finds nothing itself.

    Args:
        imported: called then, once.
    """

    def __init__(self, imported: Callable[[], object]) -> None:
        self._imported = imported
        self._has_told = False
        sys.meta_path.insert(0, self)

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Nothing: the import goes on as ever."""
        if fullname == _API and not self._has_told:
            self._has_told = True  # it stays where it is: removed now, the import would pass over the finder behind it
            self._imported()
        return None

    def remove(self) -> None:
        """Watch no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
