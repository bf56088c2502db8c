"""Sending a ccxt exchange to a local server instead of the internet.

Each address keeps its host as first part of the path: ccxt tells spot from futures by what the address contains, and
so does the server. An exchange that was pointed before is pointed anew.
"""

import re
from typing import Any

from .server import ExchangeServer

_ADDRESS = re.compile(r"^(http|ws)s?://(?:127\.0\.0\.1:\d+/)?(.*)$")
_GROUPS = ("api", "test", "demo", "demotrading", "apiBackup", "apiBackupDemoTrading")


def point(exchange: Any, server: ExchangeServer) -> None:
    """Have every request and websocket of a ccxt exchange go to the server, without TLS."""
    authority = server.url.removeprefix("http://")
    urls = exchange.urls
    for group in _GROUPS:
        if group in urls:
            urls[group] = _pointed(urls[group], authority)
    by_url = getattr(exchange, "get_exceptions_by_url", None)
    if by_url is not None and "get_exceptions_by_url" not in vars(exchange):
        exchange.get_exceptions_by_url = _by_real_url(by_url)


def _pointed(value: Any, authority: str) -> Any:
    if isinstance(value, dict):
        return {name: _pointed(inner, authority) for name, inner in value.items()}
    if isinstance(value, str):
        return _ADDRESS.sub(lambda found: f"{found[1]}://{authority}/{found[2]}", value)
    return value


def _by_real_url(by_url: Any) -> Any:
    """Binance's error codes mean other things at other hosts; ccxt looks at how the address begins."""

    def looked_up(url: str, exact_or_broad: str) -> Any:
        return by_url(_ADDRESS.sub(lambda found: f"https://{found[2]}", url), exact_or_broad)

    return looked_up
