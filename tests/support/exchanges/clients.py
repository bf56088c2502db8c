"""A ccxt.pro exchange that speaks to a local server, opened and closed."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from .pointing import point
from .server import ExchangeServer


@contextlib.asynccontextmanager
async def connected(name: str, server: ExchangeServer, **settings: Any) -> AsyncGenerator[Any]:
    """The exchange of this ccxt id, with the server's credentials and its markets loaded; closed in the end."""
    import ccxt.pro  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs, reportMissingImports] - optional

    known = server.credentials
    exchange: Any = getattr(ccxt.pro, name)(
        {
            "apiKey": known.key, "secret": known.secret, "password": known.passphrase,
            "enableRateLimit": False, "timeout": 5_000, **settings,
        }
    )  # fmt: skip
    exchange.timeout_on_exit = 0
    point(exchange, server)
    try:
        await exchange.load_markets()
        yield exchange
    finally:
        await exchange.close()
