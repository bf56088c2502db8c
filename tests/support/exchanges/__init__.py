"""Local exchanges for tests: real HTTP and websocket servers on loopback that speak as Binance, Bybit and OKX do.

One model (`exchange.py` with `market`, `book`, `accounts`, `orders`) matches, fills, charges fees and keeps positions;
a folder for each exchange puts it into that exchange's REST answers, streams, signatures and errors. Invariants: what
a call did has been told to every stream when it returns; nothing moves unless the test or the client moves it; a
fault of the server's own code is raised when its context ends.

    async with BinanceServer() as server, connected("binance", server) as binance:   # a ccxt.pro exchange, loaded
        server.move_price("BTCUSDT", 51_000)         # spot and futures; fills and triggers what it reaches
        order = await binance.create_order("BTC/USDT", "limit", "buy", 0.01, 49_000, {"clientOrderId": "a1"})

Servers: `BinanceServer` (spot and USD-M futures, wallets of their own), `BybitServer` (spot, linear, inverse; unified
account), `OkxServer` (spot and swaps; trading account). Options: `instruments`, `balances`, `clock`, `credentials`.
`point(exchange, server)` sends a ccxt exchange's addresses there, of test and demo networks too; the server also
answers at plain paths (`server.url + "/api/v3/time"`). `clients.awaited(exchange, "orders")` waits until ccxt waits
for a message: without it, a frame may come before ccxt awaits it.

Prices and time: `move_price(name, price)`; `lay_candles(name, "1m", closes)` gives the last finished candles;
`pass_time(ms)` lets candles end without touching the clock that timestamps are held against; `clock.move(ms)` is the
clock skew. A name is the exchange's own, ccxt's, or base and quote in one word.
What happened: `orders` (accepted, as `orders.Order`), `traffic.orders` (every one ever sent), `traffic.times_sent(id)`,
`traffic.count("POST /api/v3/order")`, `traffic.by_endpoint`, `traffic.sockets`.
By hand: `exchange.fill(order, quantity, price)` fills a standing order in part; `exchange.account` has balances,
positions and settings; `exchange.market.named(name)[0].book.level_quantity` is how much lies at a level.

Faults of requests (`on` is a part of the endpoint's name; they are used up): `rest_faults.rate_limit(...)`,
`.maintenance(page=)`, `.refuse(Reason.FUNDS)`, `.lose_request()`, `.lose_answer()`, `.hold_answer()` (gives the event
that releases it), `.garbage()`. Faults of frames (by a part of the topic): `frame_faults.skip`, `.duplicate`, `.swap`,
`.garble`, `.silence()` and `.speak()`, `.refuse_connections(n)`. At once: `await drop_connections(*parts, clean=)`,
`send_garbage(*parts)`, `say_maintenance()`, Binance's `expire_listen_key()`. `await subscribed(*parts)` waits for a
subscription whose path and topic contain all parts; `connected(*parts)` lists the connections.
"""

from .binance.server import BinanceServer
from .bybit.server import BybitServer
from .clock import Clock
from .okx.server import OkxServer
from .pointing import point
from .refusals import Reason
from .server import Credentials, ExchangeServer

__all__ = [
    "BinanceServer",
    "BybitServer",
    "Clock",
    "Credentials",
    "ExchangeServer",
    "OkxServer",
    "Reason",
    "point",
]
