"""A sink that is not one of ours: what its options share with every sink's, and where it comes from."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

from metaexpert.logger.options.base import Seconds
from metaexpert.logger.options.dead_letters import DeadLetterOptions
from metaexpert.logger.options.functions import named_function
from metaexpert.logger.options.sink import SinkOptions
from metaexpert.logger.sinks.base import Sink, SinkParts

type SinkFactory = Annotated[
    Callable[[SinkParts], Sink], BeforeValidator(named_function), WithJsonSchema({"type": "string"})
]


class CustomOptions(SinkOptions):
    """A sink of your own."""

    type: Literal["custom"] = "custom"
    new_sink: SinkFactory
    """Makes the sink from its `SinkParts`, once for each runtime; a class whose constructor takes them will do."""
    backoff_first: Seconds = 0.5
    """Ceiling of the first wait between attempts, seconds; doubled each time, the wait drawn evenly below it."""
    backoff_max: Seconds = 30.0
    """Highest such ceiling, seconds."""
    dead_letters: DeadLetterOptions = DeadLetterOptions(enabled=False)
    """What is kept of the entries it refuses for good; nothing unless this is given."""
