"""Entries as lines of OTLP in JSON, as OpenTelemetry's file exporter writes them.

Each line is a whole `LogsData` of one record (https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/): a
collector's `otlpjsonfile` receiver reads the file, and a line that is torn costs no other.
"""

from typing import final

from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.otlp_json import Json, JsonEnvelope
from metaexpert.logger.formats.otlp_model import resource_attributes
from metaexpert.logger.formats.otlp_records import Records
from metaexpert.logger.identity import Identity


@final
class OtlpLines:
    """Encodes entries as one `LogsData` each, without newline.

    Args:
        identity: the process that writes.
        environment: `deployment.environment.name`, left out when empty.
    """

    def __init__(self, identity: Identity, environment: str = "") -> None:
        self._records = Records(identity, Json())
        self._envelope = JsonEnvelope()
        self._resource = resource_attributes(identity, environment, {})
        before, after = self._envelope.request([(self._resource, {b"\x00": [b""]})]).split(b"\x00")
        self._before, self._after = before, after

    def __call__(self, entry: Capture) -> bytes:
        """The entry's line."""
        return b"%b%b%b" % (self._before, self._records(entry), self._after)
