"""JSON lines with MetaExpert's keys: timestamp, level, logger, message, …, extra, trade_data, exception, stack_info.

Everything that a call site always says the same (level, logger, module, function, line, process) is encoded once a
site; an entry's line is those pieces around its own timestamp, message, numbers and fields.
"""

import logging
from types import CodeType
from typing import Final, final

import orjson

from metaexpert.logger.entry import LogEntry, extra_json
from metaexpert.logger.formats.timestamps import NANOSECONDS, utc_second
from metaexpert.logger.identity import Identity
from metaexpert.logger.site import site_of
from metaexpert.logger.values import safe_text

_MAX_SITES: Final = 10_000


def encode_text(text: str) -> bytes:
    """A JSON string; lone surrogates become escapes that can be read."""
    try:
        return orjson.dumps(text)
    except TypeError:
        return orjson.dumps(safe_text(text))


@final
class JsonLines:
    """Encodes entries as one JSON object each, without the final newline.

    Args:
        identity: the process that writes.
    """

    def __init__(self, identity: Identity) -> None:
        self._boot_id = identity.boot_id.encode()
        self._pid = identity.pid
        # the code object is kept beside the pieces, so that its id() cannot be given to another
        self._sites: dict[tuple[int, int, int, str, str], tuple[bytes, bytes, CodeType]] = {}

    def __call__(self, entry: LogEntry) -> bytes:
        """The entry's line, encoded once and shared by all sinks that write it."""
        return entry.json_line or self._encode(entry)

    def _encode(self, entry: LogEntry) -> bytes:
        (seq, time_ns, level, logger, message, code, lasti, fields, context, thread, task, log_type, details, _) = (
            entry.capture
        )
        try:
            before, after, _ = self._sites[id(code), lasti, level, logger, log_type]
        except KeyError:
            before, after = self._new_site(code, lasti, level, logger, log_type)
        seconds, fraction = divmod(time_ns, NANOSECONDS)
        tail = b""
        if task is not None:
            tail = b',"task":' + encode_text(task)
        if context or fields:
            tail += b',"extra":' + extra_json(fields, context)
        if details is not None:
            tail += b"".join(b',"%b":%b' % (name.encode(), value) for name, value in details._asdict().items() if value)
        line = b'{"timestamp":"%b.%09dZ",%b%b%b%d","seq":%d,"thread":%d%b}' % (
            utc_second(seconds),
            fraction,
            before,
            encode_text(message),
            after,
            seq,
            seq,
            thread,
            tail,
        )
        entry.json_line = line
        return line

    def _new_site(self, code: CodeType, lasti: int, level: int, logger: str, log_type: str) -> tuple[bytes, bytes]:
        site = site_of(code, lasti)
        before = b'"level":%b,"logger":%b,"message":' % (encode_text(logging.getLevelName(level)), encode_text(logger))
        after = b',"module":%b,"function":%b,"line":%d,"log_type":%b,"process":%d,"id":"%b-' % (
            encode_text(site.module),
            encode_text(site.function),
            site.line,
            encode_text(log_type),
            self._pid,
            self._boot_id,
        )
        if len(self._sites) >= _MAX_SITES:
            self._sites.clear()
        self._sites[id(code), lasti, level, logger, log_type] = (before, after, code)
        return before, after
