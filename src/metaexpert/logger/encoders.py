"""What encodes the entries of a sink, as its options have it; lines that several sinks write alike are made once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from metaexpert.logger.entry import Capture
from metaexpert.logger.filter_assembly import selection_for
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.formats.lines import LineFormat, encoder_of
from metaexpert.logger.formats.syslog import SyslogMessages
from metaexpert.logger.identity import Identity
from metaexpert.logger.options.http import ElasticsearchOptions, NdjsonOptions
from metaexpert.logger.options.sink import ConsoleOptions, FileOptions, SinkOptions
from metaexpert.logger.options.syslog import SyslogOptions


@final
@dataclass(frozen=True, slots=True)
class Encoders:
    """Encoders for the sinks of one runtime.

    Attributes:
        identity: the process that writes.
        shared: JSON lines, for the sinks that write no other than the others.
    """

    identity: Identity
    shared: Callable[[Capture], bytes]

    def json_lines(self, options: SinkOptions) -> Callable[[Capture], bytes]:
        """The shared encoder, or one of the sink's own when it writes other lines than the others."""
        selection = selection_for(options)
        return self.shared if selection is None else selection.documents(JsonLines(self.identity))

    def lines(
        self, options: ConsoleOptions | FileOptions | NdjsonOptions | SyslogOptions, line_format: LineFormat
    ) -> Callable[[Capture], bytes]:
        """Lines in a format, with the keys the sink is to write."""
        lines = encoder_of(line_format, self.identity, options.environment, self.json_lines(options))
        selection = selection_for(options) if line_format == "ecs" else None  # others are done with before them
        return lines if selection is None else selection.documents(lines)

    def messages(self, options: SyslogOptions) -> SyslogMessages:
        """Messages of syslog around such lines."""
        return SyslogMessages(
            self.identity,
            self.lines(options, options.format),
            facility=options.facility,
            sd_id=options.sd_id,
            fields=options.fields,
            host=options.hostname,
            app_name=options.app_name,
            bom=options.marks_utf8,
            max_bytes=options.max_message_bytes,
        )

    def documents(self, options: ElasticsearchOptions) -> Callable[[Capture], bytes]:
        """Documents of the Elastic Common Schema."""
        documents, selection = EcsDocuments(self.identity, options.environment), selection_for(options)
        return documents if selection is None else selection.documents(documents)
