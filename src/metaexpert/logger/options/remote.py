"""What every collector has, however it is reached: the waits between attempts, a disk queue, dead letters."""

from pydantic import Field

from metaexpert.logger.options.base import Seconds
from metaexpert.logger.options.dead_letters import DeadLetterOptions
from metaexpert.logger.options.sink import SinkOptions
from metaexpert.logger.options.spool import SpoolOptions


class RemoteOptions(SinkOptions):
    """A collector that may be down, slow or far away."""

    backoff_first: Seconds = 0.5
    """Ceiling of the first wait between attempts, seconds; doubled each time, the wait drawn evenly below it."""
    backoff_max: Seconds = 30.0
    """Highest such ceiling, seconds."""
    batch_max_bytes: int = Field(default=900 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Encoded size at which a batch is sent, bytes."""
    batch_max_age: Seconds = 1.0
    """How long a batch's first entry waits for company, seconds."""
    spool: SpoolOptions = SpoolOptions()
    """What waits on disk while the collector is down or too slow."""
    dead_letters: DeadLetterOptions = DeadLetterOptions()
    """What is kept of the entries it refuses for good."""
