"""Elastic Common Schema documents (https://www.elastic.co/guide/en/ecs/current/index.html).

Users' fields stay under `extra` and trade fields under `trade_data`, one object each: mapped as `flattened`
(Elasticsearch) or `flat_object` (OpenSearch) no value of theirs can break the index's mapping.
"""

import logging
from types import CodeType
from typing import Final, final

import orjson

from metaexpert.logger.entry import LogEntry, extra_json
from metaexpert.logger.formats.json_lines import encode_text
from metaexpert.logger.formats.timestamps import NANOSECONDS, utc_second
from metaexpert.logger.identity import Identity
from metaexpert.logger.site import site_of
from metaexpert.logger.values import safe_text

ECS_VERSION: Final = "8.11.0"
_MAX_SITES: Final = 10_000


@final
class EcsDocuments:
    """Encodes entries as ECS documents.

    Args:
        identity: the process that writes.
        environment: `service.environment`, left out when empty.
    """

    def __init__(self, identity: Identity, environment: str = "") -> None:
        service = {"name": identity.service, **({"environment": environment} if environment else {})}
        self._boot_id = identity.boot_id.encode()
        self._process = b'"ecs":{"version":"%b"},"service":%b,"host":{"name":%b}' % (
            ECS_VERSION.encode(),
            orjson.dumps(service),
            encode_text(identity.host),
        )
        self._pid = identity.pid
        self._sites: dict[tuple[int, int, int, str, str], tuple[bytes, bytes, CodeType]] = {}

    def __call__(self, entry: LogEntry) -> bytes:
        """The entry's document, without newline."""
        (seq, time_ns, level, logger, message, code, lasti, fields, context, thread, task, log_type, details, _) = (
            entry.capture
        )
        try:
            log, event, _ = self._sites[id(code), lasti, level, logger, log_type]
        except KeyError:
            log, event = self._new_site(code, lasti, level, logger, log_type)
        seconds, fraction = divmod(time_ns, NANOSECONDS)
        tail = b""
        if task is not None:
            tail = b',"labels":{"task":%b}' % encode_text(task)
        if context or fields:
            tail += b',"extra":' + extra_json(fields, context)
        if details is not None:
            tail += _details(details.exception, details.stack_info, details.trade_data)
        return (
            b'{"@timestamp":"%b.%09dZ","message":%b,%b,%b%d","sequence":%d},"process":{"pid":%d,"thread":{"id":%d}},%b%b}'
            % (
                utc_second(seconds),
                fraction,
                encode_text(message),
                log,
                event,
                seq,
                seq,
                self._pid,
                thread,
                self._process,
                tail,
            )
        )

    def _new_site(self, code: CodeType, lasti: int, level: int, logger: str, log_type: str) -> tuple[bytes, bytes]:
        site = site_of(code, lasti)
        origin = {"file": {"name": f"{site.module}.py", "line": site.line}, "function": site.function}
        log = b'"log":%b' % orjson.dumps(
            {"level": logging.getLevelName(level).lower(), "logger": safe_text(logger), "origin": origin}
        )
        event = b'"event":{"dataset":%b,"id":"%b-' % (encode_text(f"metaexpert.{log_type}"), self._boot_id)
        if len(self._sites) >= _MAX_SITES:
            self._sites.clear()
        self._sites[id(code), lasti, level, logger, log_type] = (log, event, code)
        return log, event


def _details(exception: bytes, stack_info: bytes, trade_data: bytes) -> bytes:
    tail = b""
    if exception:
        told = orjson.loads(exception)
        tail += b',"error":%b' % orjson.dumps(
            {"type": told["type"], "message": told["message"], "stack_trace": told["traceback"]}
        )
    elif stack_info:
        tail += b',"error":{"stack_trace":%b}' % stack_info
    if trade_data:
        tail += b',"trade_data":' + trade_data
    return tail
