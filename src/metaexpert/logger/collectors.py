"""The sinks of collectors, made of their options.

Imported where one is configured: aiohttp takes longer to import than all that a program with files alone needs.
"""

from metaexpert.logger.encoders import Encoders
from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.http import ElasticsearchOptions, LokiOptions, NdjsonOptions
from metaexpert.logger.options.otlp import OtlpOptions
from metaexpert.logger.options.splunk import SplunkOptions
from metaexpert.logger.sinks.base import Sink
from metaexpert.logger.sinks.elasticsearch import ElasticsearchSink
from metaexpert.logger.sinks.http import HttpClient
from metaexpert.logger.sinks.loki import LokiSink
from metaexpert.logger.sinks.ndjson import NdjsonSink
from metaexpert.logger.sinks.otlp import OtlpSink
from metaexpert.logger.sinks.splunk import SplunkSink

type CollectorOptions = LokiOptions | ElasticsearchOptions | OtlpOptions | SplunkOptions | NdjsonOptions


def collector_sink(options: CollectorOptions, worker: Worker, encoders: Encoders) -> Sink:
    """The sink these options describe; it does no I/O yet."""
    client, identity = HttpClient(options, worker), encoders.identity
    match options:
        case LokiOptions():
            return LokiSink(options, client, encoders.json_lines(options), identity)
        case ElasticsearchOptions():
            return ElasticsearchSink(options, client, encoders.documents(options), identity)
        case SplunkOptions():
            return SplunkSink(options, client, encoders.json_lines(options), identity)
        case OtlpOptions():
            return OtlpSink(options, client, identity)
        case NdjsonOptions():
            return NdjsonSink(options, client, encoders.lines(options, options.format), identity)
