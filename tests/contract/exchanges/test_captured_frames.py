"""Frames of the local exchanges have the fields, and the sorts of values, of frames that the real ones once sent."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from support.exchanges import BinanceServer, OkxServer
from support.exchanges.okx.public_streams import checksum
from support.exchanges.server import ExchangeServer

CAPTURES = Path(__file__).resolve().parents[3].parent / "shared" / "market_data"
_PATIENCE_SECONDS = 10.0

pytestmark = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason="captured exchange traffic (../shared/market_data) is not here"
)


def _captured(name: str) -> Iterator[dict[str, Any]]:
    with (CAPTURES / f"{name}.capture").open() as lines:
        for line in lines:
            text = line.partition(": ")[2]
            if not line.startswith("wss://") and text.startswith("{"):
                yield orjson.loads(text)


def _of_stream(name: str, stream: str) -> dict[str, Any]:
    return next(frame["data"] for frame in _captured(name) if frame["stream"].endswith(f"@{stream}"))


def _of_channel(channel: str, action: str | None = None) -> dict[str, Any]:
    frames = (f for f in _captured("okx") if "data" in f and f["arg"]["channel"] == channel)
    return next(frame for frame in frames if frame.get("action") == action)


def _shape(value: Any) -> Any:
    """Names and sorts of values; of a list, its first element's."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shape(inner) for inner in value[:1]]
    return type(value).__name__


def _missing(captured: Any, ours: Any, path: str = "") -> list[str]:
    """What the captured frame has and ours has not, or has in another sort."""
    if isinstance(captured, dict):
        gone = [f"{path}.{name}" for name in captured if name not in ours]
        return gone + [x for name in captured if name in ours for x in _missing(captured[name], ours[name], name)]
    if isinstance(captured, list):
        return _missing(captured[0], ours[0], f"{path}[]") if captured and ours else []
    return [] if captured == ours else [f"{path}: {ours}"]


async def _frame(server: ExchangeServer, path: str, request: dict[str, Any], wanted: Any) -> dict[str, Any]:
    """The first frame that is wanted, after one subscription and one move of the price."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url + path) as socket:
        await socket.send_json(request)
        await socket.receive_json(timeout=_PATIENCE_SECONDS)
        server.move_price("BTCUSDT", 50_100)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not wanted(frame := await socket.receive_json()):
                pass
    return frame


@pytest.mark.parametrize("stream", ["depth@100ms", "bookTicker", "aggTrade", "kline_1m"])
@pytest.mark.parametrize(("capture", "path"), [("binance_spot", "/ws/0"), ("binance_futures", "/public/ws/0")])
async def test_binance_streams(capture: str, path: str, stream: str):
    async with BinanceServer() as server:
        request = {"method": "SUBSCRIBE", "params": [f"btcusdt@{stream}"], "id": 1}
        frame = await _frame(server, path, request, lambda frame: "s" in frame)
    assert _missing(_shape(_of_stream(capture, stream)), _shape(frame)) == []


@pytest.mark.parametrize(
    ("channel", "action"), [("tickers", None), ("trades", None), ("books", "snapshot"), ("books", "update")]
)
async def test_okx_channels(channel: str, action: str | None):
    async with OkxServer() as server:
        request = {"op": "subscribe", "args": [{"channel": channel, "instId": "BTC-USDT"}]}
        frame = await _frame(
            server, "/ws/v5/public", request, lambda frame: "data" in frame and frame.get("action") == action
        )
    assert _missing(_shape(_of_channel(channel, action)), _shape(frame)) == []


def test_okx_checksums_are_reckoned_as_okx_does():
    snapshots = [f["data"][0] for f in _captured("okx") if f.get("action") == "snapshot"]
    assert [checksum(book["bids"], book["asks"]) for book in snapshots] == [book["checksum"] for book in snapshots]
    assert snapshots
