"""Sending a ccxt exchange to a local server instead of the internet.

Each address keeps its host as first part of the path: ccxt tells spot from futures by what the address contains, and
so does the server.
"""

import re
from typing import Any

from .server import ExchangeServer

_ADDRESS = re.compile(r"^(http|ws)s?://(.*)$")


def point(exchange: Any, server: ExchangeServer) -> None:
    """Have every request and websocket of a ccxt exchange go to the server, without TLS."""
    authority = server.url.removeprefix("http://")
    urls = exchange.urls
    for group in ("api", "test", "demo", "demotrading", "apiBackup"):
        if group in urls:
            urls[group] = _pointed(urls[group], authority)
    if hasattr(exchange, "get_exceptions_by_url"):
        _name_the_host(exchange, authority)


def _pointed(value: Any, authority: str) -> Any:
    if isinstance(value, dict):
        return {name: _pointed(inner, authority) for name, inner in value.items()}
    if isinstance(value, str):
        return _ADDRESS.sub(lambda found: f"{found[1]}://{authority}/{found[2]}", value)
    return value


def _name_the_host(exchange: Any, authority: str) -> None:
    """Binance's error codes mean other things at other hosts; ccxt looks at how the address begins."""
    original = exchange.get_exceptions_by_url

    def by_real_url(url: str, exact_or_broad: str) -> Any:
        return original(url.replace(f"http://{authority}/", "https://"), exact_or_broad)

    exchange.get_exceptions_by_url = by_real_url
