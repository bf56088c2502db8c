"""What stands before the way of a call into the pipeline where the configuration asks for it: spans, held-back entries.

Nothing stands there otherwise, so that a call costs what it always did.
"""

from collections.abc import Callable
from typing import final

from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.entry import Capture
from metaexpert.logger.held_back.held_back import HeldBack
from metaexpert.logger.port import port
from metaexpert.logger.receipts import Put, Receipt
from metaexpert.logger.tracing.current import begun_trace
from metaexpert.logger.tracing.spans import ImportWatch, SpanIds, is_imported
from metaexpert.logger.values import ValueEncoder


@final
class Way:
    """The way in for calls, and for what their levels hold back.

    Args:
        put: the pipeline's own.
        encoder: the redaction rules in force.
    """

    def __init__(self, put: Put, encoder: Callable[[], ValueEncoder]) -> None:
        self._pipelines = put
        self._encoder = encoder
        self._watch: ImportWatch | None = None
        self.put = put
        self.held_back: Put | None = None

    def arrange(self, config: LoggerConfig, recorder: Put | None, held_back: HeldBack | None) -> None:
        """Put there what `config` asks for; what another one asked for goes.

        Args:
            config: the options of tracing.
            recorder: where the flight recorder takes what levels hold back; None where it does not.
            held_back: holds entries back until something fails; None where none are.
        """
        self.leave()
        put, hold = self._pipelines, recorder
        if held_back is not None:
            put, hold = held_back.into(put), _both(held_back.hold, recorder)
        self.put, self.held_back = put, hold
        if config.tracing.opentelemetry == "auto" and not self._add_spans(put, hold):
            self._watch = ImportWatch(lambda: self._being_imported(put, hold))

    def _add_spans(self, put: Put, hold: Put | None) -> bool:
        """Whether OpenTelemetry is there, whose spans are added then."""
        with_spans = SpanIds(put, self._encoder, begun_trace).into()
        if with_spans is None:
            return False
        self.put = with_spans
        self.held_back = None if hold is None else SpanIds(hold, self._encoder, begun_trace).into()
        return True

    def _being_imported(self, put: Put, hold: Put | None) -> None:
        """The first call that finds OpenTelemetry whole lets all others go by its spans."""

        def put_when_whole(capture: Capture) -> Receipt | None:
            if is_imported() and self._add_spans(put, hold):
                port.reroute(put_when_whole, self.put, self.held_back)
                return self.put(capture)
            return put(capture)

        if port.reroute(put, put_when_whole, hold):
            self.put = put_when_whole

    def leave(self) -> None:
        """Wait for no import any longer."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.remove()


def _both(first: Put, second: Put | None) -> Put:
    if second is None:
        return first

    def put_both(capture: Capture) -> None:
        first(capture)
        second(capture)

    return put_both
