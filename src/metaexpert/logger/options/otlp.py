"""OpenTelemetry collectors, and whatever else takes OTLP over HTTP."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from metaexpert.logger.formats.otlp_model import MAX_INTEGER, MIN_INTEGER, AttributeValue
from metaexpert.logger.options.http import HttpOptions


def _attribute_name(name: str) -> str:
    if not name.strip():
        raise ValueError('must be the name of an attribute, such as "service.namespace"')
    return name


def _attribute(value: AttributeValue) -> AttributeValue:
    if isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER:
        raise ValueError("must be a number of 64 bits; a longer one can be given as text")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


type ResourceKey = Annotated[str, AfterValidator(_attribute_name)]
type ResourceValue = Annotated[StrictBool | StrictInt | StrictFloat | StrictStr, AfterValidator(_attribute)]


class OtlpOptions(HttpOptions):
    """An OpenTelemetry Collector, or another receiver of OTLP/HTTP."""

    type: Literal["otlp"] = "otlp"
    protocol: Literal["protobuf", "json"] = "protobuf"
    """Encoding of a request; every receiver takes protobuf, some take nothing else."""
    environment: str = ""
    """Resource attribute deployment.environment.name."""
    resource: dict[ResourceKey, ResourceValue] = Field(default_factory=dict[str, AttributeValue])
    """Further attributes of the resource, or other values for those it has."""
