"""JSON lines with MetaExpert's keys: timestamp, level, logger, message, …, extra, exception, stack_info, trade_data.

From ERROR on a line has `severity`, and what `log_error` was given stands under `error_context`. An entry's line is the
pieces its call site always has around its own timestamp, message, numbers and fields.
"""

import logging
from typing import Final, final

from metaexpert.logger.entry import SEQ, SIZE, Capture, Details, data_key
from metaexpert.logger.formats.controls import DELETE, escaped
from metaexpert.logger.formats.severity import severity_of
from metaexpert.logger.formats.sites import Sites, encode_name, encode_text
from metaexpert.logger.formats.timestamps import utc_parts
from metaexpert.logger.identity import Identity
from metaexpert.logger.site import Site

_RECENT_BYTES: Final = 512 * 1024
_NO_TIME: Final = b',"monotonic_ns":0'


@final
class JsonLines:
    """Encodes entries as one JSON object each, without the final newline.

    Args:
        identity: the process that writes.
    """

    def __init__(self, identity: Identity) -> None:
        self._boot_id = identity.boot_id.encode()
        self._pid = identity.pid
        self._sites = Sites(self._encode_site)
        self._thread = 0
        self._task: str | None = None
        self._origin = b""

    def __call__(self, entry: Capture) -> bytes:
        """The entry's line."""
        (
            seq, time_ns, level, logger, message, code, lasti, fields, context, thread, task, log_type, details, _,
            at_ns,
        ) = entry  # fmt: skip
        site = self._sites.known.get((id(code), lasti, level, logger, log_type)) or self._sites.add(
            code, lasti, level, logger, log_type
        )
        second, fraction = utc_parts(time_ns)
        number = b"%d" % seq
        if thread != self._thread or task is not self._task:
            self._origin = (
                b',"thread":%d' % thread if task is None else b',"thread":%d,"task":%b' % (thread, encode_name(task))
            )
            self._thread, self._task = thread, task
        if context:
            fields = b"%b,%b" % (context, fields) if fields else context
        line = b'{"timestamp":"%b.%bZ",%b%b","seq":%b,"monotonic_ns":%d%b%b%b}' % (
            second,
            fraction,
            site.head if site.message is message else site.with_message(message),
            number,
            number,
            at_ns,
            self._origin,
            b',"extra":{%b}' % fields if fields else b"",
            b"" if details is None else _encode_details(details, log_type),
        )
        if not at_ns:
            line = line.replace(_NO_TIME, b"", 1)  # that of fields, which may hold the same, stands behind it
        return line if line.isascii() and DELETE not in line else escaped(line)

    def _encode_site(self, site: Site, level: int, logger: str, log_type: str) -> tuple[bytes, bytes]:
        before = b'"level":%b,"logger":%b,"message":' % (encode_name(logging.getLevelName(level)), encode_name(logger))
        severity = b',"severity":%b' % encode_text(severity_of(level)) if level >= logging.ERROR else b""
        after = b',"module":%b,"function":%b,"line":%d,"log_type":%b%b,"process":%d,"id":"%b-' % (
            encode_name(site.module),
            encode_name(site.function),
            site.line,
            encode_text(log_type),
            severity,
            self._pid,
            self._boot_id,
        )
        return before, after


def _encode_details(details: Details, log_type: str) -> bytes:
    keys = (b"exception", b"stack_info", data_key(log_type).encode())
    return b"".join([b',"%b":%b' % part for part in zip(keys, details, strict=True) if part[1]])


@final
class SharedLines:
    """Lines that several sinks write: each is encoded once while the sinks keep step.

    Args:
        lines: what encodes them.
    """

    def __init__(self, lines: JsonLines) -> None:
        self._lines = lines
        self._recent: dict[int, tuple[Capture, bytes]] = {}
        self._recent_bytes = 0

    def __call__(self, entry: Capture) -> bytes:
        """The entry's line."""
        known = self._recent.get(entry[SEQ])
        if known is not None and known[0] is entry:
            return known[1]
        line = self._lines(entry)
        if self._recent_bytes >= _RECENT_BYTES:
            self._recent.clear()
            self._recent_bytes = 0
        self._recent[entry[SEQ]] = (entry, line)
        self._recent_bytes += len(line) + entry[SIZE]
        return line
