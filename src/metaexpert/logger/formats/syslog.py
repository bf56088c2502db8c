"""Syslog messages (RFC 5424): header, structured data, and an entry in any format behind them; pure.

A message is at most as long as the receiver takes. What is longer ends at a whole character and says so: `truncated` in
its structured data is how many bytes it was without the cut.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, final

from metaexpert.logger.entry import DETAILS, LEVEL, LOG_TYPE, SEQ, TIME_NS, Capture, LogEntry
from metaexpert.logger.formats.controls import neutralised
from metaexpert.logger.formats.failures import FINGERPRINT, fingerprint_of
from metaexpert.logger.formats.timestamps import utc_parts
from metaexpert.logger.identity import Identity
from metaexpert.logger.values import safe_text

FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
"""Facilities in the order of their numbers (RFC 5424, section 6.2.1)."""

BOM: Final = b"\xef\xbb\xbf"

_SEVERITIES: Final = ((50, 2), (40, 3), (30, 4), (25, 5), (20, 6))
"""Lowest level number and severity: critical, error, warning, notice, informational; debug below."""
_DEBUG: Final = 7

_NOT_PRINTABLE: Final = re.compile(r"[^\x21-\x7e]")
_NOT_IN_NAME: Final = re.compile(r'[^\x21-\x7e]|[="\]]')
_ESCAPED: Final = re.compile(r'(["\\\]])')
_PLAIN: Final = re.compile(r"[ !#-\[^-~]*")
"""Printable ASCII without what is escaped; most values are."""
_MAX_KEPT: Final = 10_000
_HOST_CHARACTERS: Final = 255
_APP_CHARACTERS: Final = 48
_TYPE_CHARACTERS: Final = 32
_NAME_CHARACTERS: Final = 32
_VALUE_BYTES: Final = 128
_TRUNCATED_BYTES: Final = len(' truncated="4294967295"')

type Encode = Callable[[Capture], bytes]


def severity(level: int) -> int:
    """Syslog's severity of a stdlib level (RFC 5424, section 6.2.1)."""
    return next((number for floor, number in _SEVERITIES if level >= floor), _DEBUG)


@final
class SyslogMessages:
    """Encodes entries as syslog messages, without what a transport puts around them.

    Args:
        identity: the process that writes.
        encode: the text of a message.
        facility: one of `FACILITIES`.
        sd_id: what names the structured data: a name, `@` and a private enterprise number.
        fields: fields of an entry that stand in the structured data too.
        host: HOSTNAME; the identity's when empty.
        app_name: APP-NAME; the identity's service when empty.
        bom: whether the text is marked as UTF-8 by a byte order mark.
        max_bytes: longest message.
    """

    def __init__(
        self,
        identity: Identity,
        encode: Encode,
        *,
        facility: str,
        sd_id: str,
        fields: Iterable[str],
        host: str = "",
        app_name: str = "",
        bom: bool = False,
        max_bytes: int,
    ) -> None:
        self._encode = encode
        self._boot_id = identity.boot_id
        self._facility = FACILITIES.index(facility) * 8
        service = _header(app_name or identity.service, _APP_CHARACTERS)
        self._origin = f"Z {_header(host or identity.host, _HOST_CHARACTERS)} {service} {identity.pid}"
        self._sd_id = sd_id
        self._fields = tuple(fields)
        self._bom = BOM if bom else b""
        self._max_bytes = max_bytes
        self._kinds: dict[tuple[int, str], tuple[str, str]] = {}
        self._loggers: dict[str, str] = {}

    def __call__(self, entry: Capture) -> bytes:
        """The entry's message."""
        head = self._head(entry, self._parameters(entry))
        text = self._bom + self._encode(entry)
        if len(head) + len(text) + 2 <= self._max_bytes:
            return b"%b] %b" % (head, text)
        if len(head) > self._max_bytes // 2:
            head = self._head(entry, "")
        return self._cut(head, text)

    def _head(self, entry: Capture, parameters: str) -> bytes:
        second, fraction = utc_parts(entry[TIME_NS])
        before, after = self._kinds.get((entry[LEVEL], entry[LOG_TYPE])) or self._kind(entry[LEVEL], entry[LOG_TYPE])
        head = f'{before}{second.decode()}.{fraction[:6].decode()}{after}{entry[SEQ]}"{parameters}'
        return head.encode()

    def _kind(self, level: int, log_type: str) -> tuple[str, str]:
        """What stands around the time of all entries of a level and log type."""
        if len(self._kinds) >= _MAX_KEPT:
            self._kinds.clear()
        kind = self._kinds[level, log_type] = (
            f"<{self._facility + severity(level)}>1 ",
            f'{self._origin} {_header(log_type, _TYPE_CHARACTERS)} [{self._sd_id} id="{self._boot_id}-',
        )
        return kind

    def _logger(self, name: str) -> str:
        if len(self._loggers) >= _MAX_KEPT:
            self._loggers.clear()
        told = self._loggers[name] = _parameter("logger", name)
        return told

    def _cut(self, head: bytes, text: bytes) -> bytes:
        whole = len(head) + len(text) + 2
        if whole <= self._max_bytes:
            return b"%b] %b" % (head, text)
        room = self._max_bytes - len(head) - _TRUNCATED_BYTES - 2
        return b'%b truncated="%d"] %b' % (head, whole, text[:room].decode("utf-8", "ignore").encode())

    def _parameters(self, entry: Capture) -> str:
        named = self._loggers.get(entry[3]) or self._logger(entry[3])
        if not self._fields or not (entry[7] or entry[8] or entry[DETAILS]):
            return named
        known = LogEntry(entry).fields()
        if FINGERPRINT in self._fields and FINGERPRINT not in known:
            known[FINGERPRINT] = fingerprint_of(entry)
        wanted = ((name, known.get(name)) for name in self._fields)
        return named + "".join([_parameter(name, value) for name, value in wanted if _is_plain(value)])


def parameter_name(name: str) -> str:
    """A field's name as SD-NAME allows it (RFC 5424, section 6.3.3)."""
    return _NOT_IN_NAME.sub("_", name)[:_NAME_CHARACTERS] or "_"


def _parameter(name: str, value: object) -> str:
    text = str(value)
    if len(text) <= _VALUE_BYTES and _PLAIN.fullmatch(text):
        return f' {parameter_name(name)}="{text}"'
    text = neutralised(safe_text(text, _VALUE_BYTES))
    return ' {}="{}"'.format(parameter_name(name), _ESCAPED.sub(r"\\\1", text))


def _is_plain(value: Any) -> bool:
    return value is not None and not isinstance(value, dict | list)


def _header(text: str, characters: int) -> str:
    """A header field: printable ASCII without spaces, `-` where there is nothing."""
    return _NOT_PRINTABLE.sub("_", text)[:characters] or "-"
