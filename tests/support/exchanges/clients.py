"""A ccxt.pro exchange that speaks to a local server, opened and closed."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from support.eventually import eventually

from .pointing import point
from .server import ExchangeServer


@contextlib.asynccontextmanager
async def connected(name: str, server: ExchangeServer, **settings: Any) -> AsyncGenerator[Any]:
    """The exchange of this ccxt id, with the server's credentials and its markets loaded; closed in the end."""
    import ccxt.pro  # pyright: ignore[reportMissingTypeStubs, reportMissingImports] - optional

    known = server.credentials
    exchange: Any = getattr(ccxt.pro, name)(
        {
            "apiKey": known.key, "secret": known.secret, "password": known.passphrase,
            "enableRateLimit": False, "verify": False, "timeout": 5_000, **settings,
        }
    )  # fmt: skip
    exchange.timeout_on_exit = 0
    point(exchange, server)
    try:
        await exchange.load_markets()
        yield exchange
    finally:
        await exchange.close()


async def awaited(exchange: Any, *hashes: str) -> None:
    """Wait until ccxt's websocket clients await messages whose names contain each of these.

    A server has heard of a subscription before the client that made it begins to wait for what comes of it.
    """

    def all_there() -> bool:
        waiting = [name for client in exchange.clients.values() for name in client.futures]
        return all(any(part in name for name in waiting) for part in hashes)

    await eventually(all_there, what=f"{hashes} to be awaited")
