"""OpenTelemetry collectors, and whatever else takes OTLP over HTTP."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from metaexpert.logger.options.http import HttpOptions

type ResourceKey = Annotated[str, Field(min_length=1, max_length=255)]
type ResourceValue = StrictBool | Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)] | StrictFloat | StrictStr


class OtlpOptions(HttpOptions):
    """An OpenTelemetry Collector, or another receiver of OTLP/HTTP."""

    type: Literal["otlp"] = "otlp"
    protocol: Literal["protobuf", "json"] = "protobuf"
    """Encoding of a request; every receiver takes protobuf, some take nothing else."""
    environment: str = ""
    """Resource attribute deployment.environment.name."""
    resource: dict[ResourceKey, ResourceValue] = Field(default_factory=dict[str, bool | int | float | str])
    """Further attributes of the resource, or other values for those it has."""
