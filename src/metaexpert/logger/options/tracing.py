"""Which trace entries say they belong to."""

from typing import Literal

from metaexpert.logger.options.base import Options


class TracingOptions(Options):
    """Where entries get the ids of their trace from, beside `trace()`."""

    opentelemetry: Literal["auto", "off"] = "auto"
    """Take `trace_id`, `span_id` and `trace_flags` from the active OpenTelemetry span, where the program imports
    OpenTelemetry; `"off"` leaves its spans alone."""
