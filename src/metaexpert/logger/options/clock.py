"""What is said of the machine's clock, and who is asked about it."""

from typing import Annotated

from pydantic import AfterValidator, Field

from metaexpert.logger.clock.sntp import server_address
from metaexpert.logger.options.base import Options

_MOST_PORT = 65_535


def _server(value: str) -> str:
    try:
        host, port = server_address(value)
    except ValueError:
        host, port = "", 0
    if not host or not 0 < port <= _MOST_PORT:
        message = "must be a host, or host:port, such as time.example.com:123"
        raise ValueError(message)
    return value


type NtpServer = Annotated[str, AfterValidator(_server)]


class ClockOptions(Options):
    """Entries of log type "clock": jumps, and how far the clock may be from UTC."""

    enabled: bool = True
    """Whether there are any."""
    first_after: Annotated[float, Field(ge=0.0, le=86_400.0)] = 30.0
    """Where nobody knows the clock's quality at the start: how long until it is told again, seconds; 0 for never."""
    interval: Annotated[float, Field(ge=1.0, le=86_400.0)] = 600.0
    """How often it is told from then on, seconds; after a jump at once."""
    jump: Annotated[float, Field(ge=0.001, le=3600.0)] = 0.05
    """From which size on a step of the clock is a jump, seconds; it is looked for every second."""
    limit: Annotated[float, Field(gt=0.0, le=3600.0)] | None = None
    """How far the clock may be from UTC, seconds; beyond it, or when it is unknown, the entry is a WARNING."""
    ntp_servers: tuple[NtpServer, ...] = ()
    """NTP servers that are asked when the kernel does not know; none by default."""
    ntp_timeout: Annotated[float, Field(gt=0.0, le=60.0)] = 2.0
    """How long an NTP server may take to answer, seconds."""
