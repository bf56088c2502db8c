"""Performance entries: how often, what they watch, which figures are warned of, and where Prometheus may ask."""

from importlib.util import find_spec
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from metaexpert.logger.configuring.errors import nearest
from metaexpert.logger.measuring.sample import FIGURES, NAMED_FIGURES
from metaexpert.logger.measuring.thresholds import Limit
from metaexpert.logger.options.base import Options

_CLEAR_SHARE = 0.8


def _figure(value: str) -> str:
    if value in FIGURES or any(value.startswith(prefix) and value != prefix for prefix in NAMED_FIGURES):
        return value
    message = f"is no figure there is{nearest(value, FIGURES)}; known: {', '.join((*FIGURES, *NAMED_FIGURES))}"
    raise ValueError(message)


type FigureName = Annotated[str, AfterValidator(_figure)]


class ThresholdOptions(Options):
    """When a figure is worth a WARNING, and when that is over."""

    warn: float = Field(ge=0.0)
    """Above this a WARNING says so, with value and limit."""
    clear: float | None = Field(default=None, ge=0.0)
    """At or below this an INFO says it is over; four fifths of `warn` when left out."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.clear is not None and self.clear > self.warn:
            message = f"clear ({self.clear:g}) must not be above warn ({self.warn:g})"
            raise ValueError(message)
        return self

    @property
    def limit(self) -> Limit:
        """Both bounds."""
        return Limit(self.warn, self.warn * _CLEAR_SHARE if self.clear is None else self.clear)


class PerformanceOptions(Options):
    """What is measured of the program, and told at an interval."""

    enabled: bool = True
    """Whether an entry of log type "performance" is written at each interval."""
    interval: Annotated[float, Field(ge=1.0, le=86_400.0)] = 60.0
    """How often, seconds."""
    lag_interval: Annotated[float, Field(ge=0.005, le=10.0)] = 0.1
    """How often the event loop is asked how late it comes, seconds."""
    thresholds: dict[FigureName, ThresholdOptions] = Field(default_factory=dict[str, ThresholdOptions])
    """Limits by figure, such as `loop_lag_p99_seconds`, or `timer:` and the name of a timer (its 99th percentile)."""
    metrics_host: str = Field(default="127.0.0.1", min_length=1)
    """Address on which Prometheus may ask; the default lets only this machine in."""
    metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    """Port on which Prometheus may ask, 0 for any that is free; none when left out. Needs the extra `metrics`."""

    @field_validator("metrics_port")
    @classmethod
    def _can_be_asked(cls, value: int | None) -> int | None:
        if value is not None and find_spec("prometheus_client") is None:
            message = 'needs the extra metrics: pip install "metaexpert[metrics]"'
            raise ValueError(message)
        return value
