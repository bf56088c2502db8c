"""Elastic Common Schema documents (https://www.elastic.co/guide/en/ecs/current/index.html).

Users' fields stay under `extra`, trade fields under `trade_data` and an error's context under `error_context`, one
object each: mapped as `flattened` (Elasticsearch) or `flat_object` (OpenSearch) no value of theirs can break the
index's mapping. There is no `severity`: `log.level` says the same. `trace_id` and `span_id` stand at `trace.id` and
`span.id`. What the schema has no field for of an exception (causes, members, notes, variables) stands under
`exception`, its fingerprint, for which the schema has labels, at `labels.error_fingerprint`.
"""

import logging
from typing import Any, Final, final

import orjson

from metaexpert.logger.entry import EXCEPTION, STACK_INFO, TRADE_DATA, Capture, Details, data_key
from metaexpert.logger.formats.controls import DELETE, escaped
from metaexpert.logger.formats.failures import FINGERPRINT, code_of, listed_variables, more_of, text_of
from metaexpert.logger.formats.sites import Sites, bounded_name, encode_name, encode_text
from metaexpert.logger.formats.timestamps import utc_parts
from metaexpert.logger.formats.traces import TRACE_ID, lifted
from metaexpert.logger.identity import Identity
from metaexpert.logger.site import Site
from metaexpert.logger.values import safe_text

ECS_VERSION: Final = "8.11.0"


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
        self._process = (
            b'"ecs":{"version":"%b"},"service":%b,"host":{"name":%b},"process":{"pid":%d,"thread":{"id":'
            % (
                ECS_VERSION.encode(),
                orjson.dumps(service),
                encode_text(identity.host),
                identity.pid,
            )
        )
        self._sites = Sites(self._encode_site)
        self._task: str | None = None
        self._labels = b""
        self._label = b""

    def __call__(self, entry: Capture) -> bytes:
        """The entry's document, without newline."""
        seq, time_ns, level, logger, message, code, lasti, fields, context, thread, task, log_type, details, _, _ = (
            entry
        )
        site = self._sites.known.get((id(code), lasti, level, logger, log_type)) or self._sites.add(
            code, lasti, level, logger, log_type
        )
        second, fraction = utc_parts(time_ns)
        number = b"%d" % seq
        if task is not self._task:
            self._label = b"" if task is None else b'"task":%b' % encode_name(task)
            self._labels = b',"labels":{%b}' % self._label if self._label else b""
            self._task = task
        if context:
            fields = b"%b,%b" % (context, fields) if fields else context
        trace = b""
        if fields and fields.find(TRACE_ID) >= 0:
            trace, fields = _traced(fields)
        labels, tail = self._labels, b""
        if details is not None:
            labels, tail = self._told(details, data_key(log_type))
        line = b'{"@timestamp":"%b.%bZ",%b%b","sequence":%b},%b%d}}%b%b%b%b}' % (
            second,
            fraction,
            site.head if site.message is message else site.with_message(message),
            number,
            number,
            self._process,
            thread,
            labels,
            trace,
            b',"extra":{%b}' % fields if fields else b"",
            tail,
        )
        return line if line.isascii() and DELETE not in line else escaped(line)

    def _told(self, details: Details, key: str) -> tuple[bytes, bytes]:
        """Labels, and what stands at the end of a document."""
        labels, tail = self._labels, b""
        if details[EXCEPTION]:
            told: dict[str, Any] = orjson.loads(details[EXCEPTION])
            tail = _error(told)
            if fingerprint := text_of(told, FINGERPRINT):
                label = b'"error_fingerprint":%b' % encode_text(fingerprint)
                labels = b',"labels":{%b}' % b",".join(filter(None, (self._label, label)))
        elif details[STACK_INFO]:
            tail = b',"error":{"stack_trace":%b}' % details[STACK_INFO]
        if details[TRADE_DATA]:
            tail += b',"%b":%b' % (key.encode(), details[TRADE_DATA])
        return labels, tail

    def _encode_site(self, site: Site, level: int, logger: str, log_type: str) -> tuple[bytes, bytes]:
        origin = {
            "file": {"name": f"{_name(site.module)}.py", "line": site.line},
            "function": _name(site.function),
        }
        log = {"level": _name(logging.getLevelName(level).lower()), "logger": _name(logger), "origin": origin}
        dataset = encode_text(f"metaexpert.{log_type}")
        return b'"message":', b',"log":%b,"event":{"dataset":%b,"id":"%b-' % (orjson.dumps(log), dataset, self._boot_id)


def _traced(members: bytes) -> tuple[bytes, bytes]:
    """The trace that fields name, at its place, and the fields without it."""
    trace, span, left = lifted(members)
    if not trace:
        return b"", members
    return b',"trace":{"id":"%b"}%b' % (trace.encode(), b',"span":{"id":"%b"}' % span.encode() if span else b""), left


def _name(name: str) -> str:
    return safe_text(bounded_name(name))


def _error(told: dict[str, Any]) -> bytes:
    code = code_of(told)
    error = {"type": text_of(told, "type"), "message": text_of(told, "message")} | ({"code": code} if code else {})
    encoded = b',"error":%b' % orjson.dumps({**error, "stack_trace": text_of(told, "traceback")})
    more = more_of(told)
    more.pop(FINGERPRINT, None)
    if "locals" in more:
        more["locals"] = listed_variables(told)
    return encoded + b',"exception":%b' % orjson.dumps(more) if more else encoded
