"""Syslog: receivers of RFC 5424 over UDP, TCP, TLS or a socket of this machine."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self, override

from pydantic import AfterValidator, Field, model_validator

from metaexpert.logger.formats.lines import LineFormat, keys_of
from metaexpert.logger.formats.selection import DocumentKeys
from metaexpert.logger.formats.splunk_events import INDEXED_FIELDS
from metaexpert.logger.options.base import Seconds
from metaexpert.logger.options.remote import RemoteOptions

type Transport = Literal["udp", "tcp", "tls", "unix"]
type Framing = Literal["octet-counting", "lf"]
type Facility = Literal[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]  # fmt: skip

PORTS: Final[dict[str, int]] = {"udp": 514, "tcp": 601, "tls": 6514}
"""RFC 5426, RFC 6587 and RFC 5425."""

MAX_DATAGRAM_BYTES: Final = 65_507
"""What IPv4 leaves of a datagram's 65 535 bytes."""

_SD_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,20}@[0-9]{1,10}(\.[0-9]{1,10})*")
_SD_ID_CHARACTERS: Final = 32
_TLS_OPTIONS: Final = ("verify_tls", "ca_file", "client_cert_file", "client_key_file")


def _sd_id(value: str) -> str:
    if not _SD_ID.fullmatch(value) or len(value) > _SD_ID_CHARACTERS:
        raise ValueError('must be a name, "@" and a private enterprise number, such as "metaexpert@32473"')
    return value


def _host(value: str) -> str:
    if not value or not value.isprintable() or "/" in value or " " in value:
        raise ValueError('must be the name or address of a machine, such as "logs.example", without a port')
    return value.removeprefix("[").removesuffix("]")


type FieldName = Annotated[str, Field(min_length=1, max_length=255)]


class SyslogOptions(RemoteOptions):
    """A syslog receiver, such as rsyslog, syslog-ng or a SIEM."""

    type: Literal["syslog"] = "syslog"
    transport: Transport = "tcp"
    """How messages get there: a stream (RFC 6587), one in TLS (RFC 5425), datagrams (RFC 5426), a socket of this
    machine."""
    host: Annotated[str, AfterValidator(_host)] = "localhost"
    """The receiver's name or address."""
    port: int | None = Field(default=None, ge=1, le=65_535)
    """Its port; when left out 601 of "tcp", 6514 of "tls", 514 of "udp"."""
    socket_path: Path = Path("/dev/log")
    """The socket of transport "unix", of datagrams or a stream, whichever it is."""
    framing: Framing | None = None
    """How messages stand in a stream: length in front, or a newline behind; when left out the latter for "unix"."""
    format: LineFormat = "json"
    """What stands in a message: an entry as in a JSON file, or one of the other formats."""
    environment: str = ""
    """The environment that the formats "ecs" and "otel" name."""
    facility: Facility = "local0"
    """Facility of every message."""
    app_name: str = Field(default="", max_length=48)
    """APP-NAME; `log_name` when empty."""
    hostname: str = Field(default="", max_length=255)
    """HOSTNAME; this machine's name when empty."""
    sd_id: Annotated[str, AfterValidator(_sd_id)] = "metaexpert@32473"
    """Name of the structured data; behind the `@` your own enterprise's number, 32473 being that of examples."""
    fields: tuple[FieldName, ...] = INDEXED_FIELDS
    """Fields that stand in the structured data, beside `id` and `logger`."""
    bom: bool | None = None
    """A byte order mark before the text, as RFC 5424 wants it of UTF-8; when left out for the format "text" alone."""
    max_message_bytes: int = Field(default=8192, ge=1024, le=1024 * 1024)
    """Longest message; rsyslog takes 8 KiB unless told otherwise. What is longer is cut, and says so."""
    verify_tls: bool = True
    """Verify the receiver's certificate."""
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the system's."""
    client_cert_file: Path | None = None
    """Client certificate."""
    client_key_file: Path | None = None
    """Its key, where it is in a file of its own."""
    timeout: Seconds = 10.0
    """Longest time a batch may take, seconds."""
    connect_timeout: Seconds = 3.0
    """Longest time to connect, seconds."""
    resend_bytes: int = Field(default=8 * 1024 * 1024, ge=0, le=256 * 1024 * 1024)
    """How much of what a stream has taken is sent again when it breaks, bytes: nobody knows what of it was read."""
    resend_seconds: Seconds = 30.0
    """What was delivered longer ago is not sent again after a connection the receiver closed in good order, seconds."""
    batch_max_bytes: int = Field(default=256 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Encoded size at which a batch is sent, bytes."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems: list[str] = []
        given = [name for name in _TLS_OPTIONS if name in self.model_fields_set]
        if given and self.transport != "tls":
            problems.append(f'{" and ".join(given)} need transport = "tls"')
        if self.client_key_file and not self.client_cert_file:
            problems.append("client_key_file needs the certificate it belongs to in client_cert_file")
        if self.transport == "unix" and {"host", "port"} & self.model_fields_set:
            problems.append('transport = "unix" has no host and port; its socket is socket_path')
        if self.transport != "unix" and "socket_path" in self.model_fields_set:
            problems.append('socket_path needs transport = "unix"')
        if self.transport == "udp" and self.framing is not None:
            problems.append("framing is of streams; a datagram is a message")
        if self.transport == "udp" and self.max_message_bytes > MAX_DATAGRAM_BYTES:
            problems.append(f"max_message_bytes must be {MAX_DATAGRAM_BYTES} at most: a datagram holds no more")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Where it is, for "udp", "tcp" and "tls"."""
        return self.host, self.port or PORTS.get(self.transport, 0)

    @property
    def marks_utf8(self) -> bool:
        """Whether messages have a byte order mark; JSON must have none (RFC 8259, section 8.1)."""
        return self.format == "text" if self.bom is None else self.bom

    @override
    def document_keys(self) -> DocumentKeys:
        return keys_of(self.format)
