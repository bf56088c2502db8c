"""A socket connected to a syslog receiver, wherever it is; names are looked up in the sink's own thread."""

import asyncio
import contextlib
import errno
import socket
import sys
from typing import Any, Final, final

from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.syslog import SyslogOptions

type Address = tuple[socket.AddressFamily, Any]

_MILLISECONDS: Final = 1000
_WRONG_TYPES: Final = frozenset({errno.EPROTOTYPE, errno.ESOCKTNOSUPPORT})
"""What systems say of a local socket of another type than asked for."""


@final
class OtherTypeError(OSError):
    """The local socket is of another type, a stream or datagrams, than asked for."""


async def connected(options: SyslogOptions, worker: Worker, kind: socket.SocketKind) -> socket.socket:
    """A socket connected to the receiver, not blocking.

    Raises:
        OSError: there is no such receiver (`OtherTypeError`: it is local and of another type).
    """
    addresses = await _addresses(options, worker, kind)
    failure: OSError = OSError(f"{options.host!r} has no address")
    for family, address in addresses:
        made = socket.socket(family, kind)
        try:
            made.settimeout(0.0)
            _configure(made, options)
            async with asyncio.timeout(options.connect_timeout / len(addresses)):
                await asyncio.get_running_loop().sock_connect(made, address)
        except TimeoutError:
            made.close()
            failure = TimeoutError(f"no connection within {options.connect_timeout:g} s")
        except OSError as error:
            made.close()
            failure = OtherTypeError(error.errno, str(error)) if error.errno in _WRONG_TYPES else error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failure


async def _addresses(options: SyslogOptions, worker: Worker, kind: socket.SocketKind) -> list[Address]:
    if options.transport == "unix":
        return [(socket.AF_UNIX, str(options.socket_path))]
    host, port = options.address
    found = await worker.run(socket.getaddrinfo, host, port, type=kind, flags=socket.AI_ADDRCONFIG)
    return [(family, address) for family, _, _, _, address in found]


def _configure(made: socket.socket, options: SyslogOptions) -> None:
    """Let the system find out about a receiver that is gone without a word."""
    if made.type is not socket.SOCK_STREAM or options.transport == "unix":
        return
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # an old system waits as long as it likes
            patience = int(options.timeout * _MILLISECONDS)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
