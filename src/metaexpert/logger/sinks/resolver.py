"""Name resolution in a sink's own thread: the loop's default executor is the user's, and a slow DNS would fill it."""

import socket
from typing import final, override

from aiohttp.abc import AbstractResolver, ResolveResult

from metaexpert.logger.jobs import Worker


@final
class WorkerResolver(AbstractResolver):
    """Resolves with `socket.getaddrinfo` in a worker's thread.

    Args:
        worker: whose thread.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of `host`.

        Raises:
            OSError: it has none.
        """
        found = await self._worker.run(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=int(address[1]), family=kind, proto=proto, flags=0)
            for kind, _, proto, _, address in found
        ]

    @override
    async def close(self) -> None:
        """The worker is closed by the sink."""
