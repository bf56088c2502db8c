"""A corpus of secrets as programs leak them: text, and what of it must not be seen anywhere. None of them is real."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Leak:
    """One leak.

    Attributes:
        kind: what it is.
        text: what a program writes.
        secret: the part that must not be seen.
    """

    kind: str
    text: str
    secret: str


_BINANCE = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
_KRAKEN = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
_SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
_OKX_SECRET = "22582BD0CFF14C41EDBF1AB98506286D"
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkZXNrLTMifQ.h1Zc0sJ3tY8uXqfQ7bYg0mRrPp2e5kCwVnLxOaDd9Zk"
_WALLET = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
_PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"

LEAKS: Final = (
    Leak("a Binance key", f"connected with {_BINANCE}", _BINANCE),
    Leak("a Kraken secret", f"secret {_KRAKEN} loaded", _KRAKEN),
    Leak("an OKX secret", f"signing by {_OKX_SECRET}", _OKX_SECRET),
    Leak("a signature in a query", f"GET /api/v3/order?symbol=BTC&timestamp=17&signature={_SIGNATURE} 401", _SIGNATURE),
    Leak("a short signature in a query", "GET /v5/order?sign=1&signature=9f3a01bc&x=1", "9f3a01bc"),
    Leak("a key in a query", "wss://host/ws?api_key=k3yV4lu3&listen=1", "k3yV4lu3"),
    Leak("a listen key", "wss://stream/ws?listenKey=pqia91ma19a5s61c", "pqia91ma19a5s61c"),
    Leak("credentials in an address", "proxy http://desk:hunter2@10.0.0.1:3128 refused", "hunter2"),
    Leak("a bearer header", "Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
    Leak("a basic header", "sent basic ZGVzazpodW50ZXIy", "ZGVzazpodW50ZXIy"),
    Leak("a header as Python shows it", "{'X-MBX-APIKEY': 'k3yV4lu3', 'Accept': '*/*'}", "k3yV4lu3"),
    Leak("a body as JSON shows it", '{"apiSecret": "s3cr3tV4lu3", "side": "BUY"}', "s3cr3tV4lu3"),
    Leak("JSON within JSON", '"{\\"passphrase\\": \\"open-sesame\\"}"', "open-sesame"),
    Leak("a password after a colon", "password: hunter2hunter2", "hunter2hunter2"),
    Leak("a password in a command line", "started with --password=hunter2 --verbose", "hunter2"),
    Leak("a JSON web token", f"token {_JWT} expired", _JWT),
    Leak(
        "a private key",
        f"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE{_KRAKEN[:40]}\n-----END EC PRIVATE KEY-----",
        "MHcCAQEE",
    ),
    Leak("the beginning of a private key", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg", "MIIEvQIBADANBg"),
    Leak("a wallet's key", f"wallet 0x{_WALLET} imported", _WALLET),
    Leak("a recovery phrase", f"restored from {_PHRASE}", _PHRASE),
    Leak("a card", "paid with 4111 1111 1111 1111 today", "4111 1111 1111 1111"),
    Leak("a card without spaces", "card 4111111111111111 was charged", "4111111111111111"),
    Leak("an American Express card", "3782-822463-10005 on file", "3782-822463-10005"),
    Leak("an e-mail address", "statement sent to jane.doe+trading@example.co.uk", "jane.doe+trading@example.co.uk"),
    Leak(
        "a key at the end of a path",
        f"POST https://hooks.example.com/incoming/notifications/of/{_BINANCE[:36]} 500",
        _BINANCE[:36],
    ),
    Leak("a password of words", "{'password': 'two words of it', 'side': 'BUY'}", "words of it"),
    Leak("a short password within quotes", '{"pwd": "ab12"}', "ab12"),
    Leak("a password with a quote in it", '{"password": "ab\\"cd-efgh"}', "cd-efgh"),
    Leak("headers of bytes", "{b'X-MBX-APIKEY': b'k3yV4lu3'}", "k3yV4lu3"),
    Leak("a key in a list", "api_key=['k3yV4lu3']", "k3yV4lu3"),
    Leak("a key with a number", "api_secret_2=k3yV4lu3", "k3yV4lu3"),
    Leak("a key's name of two words", "API key: k3yV4lu3", "k3yV4lu3"),
    Leak("a value behind more than one space", "password   =   hunter2", "hunter2"),
    Leak("a password without a user", "redis://:hunter2@10.0.0.1/0", "hunter2"),
    Leak("a password with an at sign", "redis://desk:hunter2@more@10.0.0.1/0", "more"),
    Leak("a cookie header", "Cookie: theme=dark; session=8f3a9c", "8f3a9c"),
    Leak("a header of parts", "Authorization: Digest username=desk, response=9f3a01bc", "9f3a01bc"),
    Leak("a PGP key", "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOYBF", "lQOYBF"),
    Leak(
        "a phrase with words of sentences",
        "abandon this ability have zoo will zone when able that absent they",
        "zoo will",
    ),
    Leak("a phrase in lines", _PHRASE.replace(" ", "\n"), "wave\nsausage"),
    Leak("an address in another script", "sent to jürgen@müller.example", "jürgen@müller"),
    Leak("a header in capitals", "sent BASIC ZGVzazpodW50ZXIy", "ZGVzazpodW50ZXIy"),
    Leak("a header behind a tab", "sent token\tabcdef0123456789", "abcdef0123456789"),
    Leak("an option of a command line", "started with --api-key hunter2 --verbose", "hunter2"),
    Leak("options as a list", "['run', '--password', 'hunter2', '-v']", "hunter2"),
    Leak("headers as pairs", "[(b'X-MBX-APIKEY', b'k3yV4lu3'), (b'Accept', b'*/*')]", "k3yV4lu3"),
    Leak("a pair", "('passphrase', 'open sesame')", "open sesame"),
    Leak("a phrase with commas", _PHRASE.replace(" ", ","), "wave,sausage"),
    Leak("a phrase with tabs", _PHRASE.replace(" ", "\t"), "wave\tsausage"),
    Leak("a phrase as a list", repr(_PHRASE.split()), "'wave', 'sausage'"),
    Leak("a password with a slash", "redis://desk:hun/ter2@10.0.0.1/0", "ter2"),
    Leak("a password of signs", "postgres://desk:h#un:ter@2/x?y@db.example:5432/desk", "x?y"),
    Leak("an AWS key", "assumed AKIAIOSFODNN7EXAMPLE now", "AKIAIOSFODNN7EXAMPLE"),
    Leak("a temporary AWS key", "ASIAY34FZKBOKMUTVV7A", "ASIAY34FZKBOKMUTVV7A"),
    Leak("a Slack token", "posting as xoxb-263594206564-FGqddMF8t08v", "FGqddMF8t08v"),
    Leak("a Stripe key", "charged by sk_live_4eC39HqLyjWDarjtT1zdp7dc", "4eC39HqLyjWDarjtT1zdp7dc"),
    Leak("a restricted Stripe key", "rk_live_0aaaaaaaaaaaaaaa refused", "rk_live_0aaaaaaaaaaaaaaa"),
    Leak("a GitHub token", f"cloned by ghp_{_BINANCE[:36]}", _BINANCE[:36]),
    Leak("a fine-grained GitHub token", "github_pat_11ABCDEFG0abcdefghijkl_mnopqrs", "11ABCDEFG0abcdefghijkl"),
    Leak("a Google key", "maps of AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"),
    Leak(
        "a Telegram bot",
        "POST https://api.telegram.org/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-/sendMessage",
        "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    ),
    Leak("an address in an address", "GET /to?next=https%3A%2F%2Fhost%2F%3Fapi_key%3Dk3yV4lu3%26a%3D1", "k3yV4lu3"),
    Leak("a short key in an address in an address", "next=%2Fx%3Fa%3D1%26token%3Dk3yV4lu3%26b", "k3yV4lu3"),
    Leak("twice encoded", "next=%253Fsignature%253D9f3a01bc%2526b", "9f3a01bc"),
    Leak("a body encoded", "body=%7B%22passphrase%22%3A%20%22hunter2%22%7D", "hunter2"),
    Leak("a phrase in capitals", _PHRASE.upper(), "WAVE SAUSAGE"),
    Leak("a phrase in a form", _PHRASE.title(), "Wave Sausage"),
    Leak("a value with its type", "    api_key: str = 'k3yV4lu3'", "k3yV4lu3"),
    Leak("a value with its types", "    password: SecretStr | None = SecretStr('k3yV4lu3')", "k3yV4lu3"),
    Leak("a value with a long type", "token: Annotated[str, 'as given']=\"k3yV4lu3\"", "k3yV4lu3"),
    Leak("a value within a call", "api_key = SecretStr('k3yV4lu3')", "k3yV4lu3"),
    Leak(
        "a literal in a line of code",
        'Traceback (most recent call last):\n  File "bot.py", line 3, in run\n    login(user, token="k3yV4lu3")',
        "k3yV4lu3",
    ),
    Leak(
        "a command in a line of code",
        'Traceback (most recent call last):\n  File "bot.py", line 3, in run\n    run("login --token=k3yV4lu3 x")',
        "k3yV4lu3",
    ),
    Leak(
        "a message below a line of code",
        'Traceback (most recent call last):\n  File "bot.py", line 3, in run\n    run(x)\n    token=k3yV4lu3',
        "k3yV4lu3",
    ),
    Leak("a cookie", "cookie=sessionid-8f3a9c; path=/", "sessionid-8f3a9c"),
)

HARMLESS: Final = (
    "tick",
    "order 3f2504e04f8911d39a0c0305e82c3301 accepted",
    "order 550e8400-e29b-41d4-a716-446655440000 accepted",
    "order 4503599627370496 filled 0.50 of 1.00 at 43100.5",
    "client order x-R4BD3S82a1b2c3d4e5f6 expired",
    "connected to wss://stream.binance.com:9443/ws/btcusdt@trade",
    "GET https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=500 200",
    "2026-11-23T17:53:00.123456Z level=INFO",
    "the order was placed and then the exchange sent a fill for all that was left of it",
    "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "trace 4bf92f3577b34da6a3ce929d0e0e4736",
    "run 19ab2c3d4e5f6a7b8-1234 recovered",
    "price: 43100.50, quantity: 0.10000000",
    "user@host",
    "a" * 100,
    "1" * 60,
    "/var/log/metaexpert/expert.20261123T171542Z-4711-9f3a01.0001.log",
    "tokens: 12",
    "filled at 4.98237465928374650192837465019283E-17",
    "-4.4501477170144020250819966727949918635852426585926051135169509e-308",
    "12345678901234567890123456789012345678901234567890E5",
    "numpy@1.26.4 installed",
    "discarded order 4539578763621486",
    'File "/Users/anna/PycharmProjects/MyBot/venv/lib/python3.12/site-packages/aiohttp/connector.py", line 105',
    "/home/user/MyProject/src/metaexpert/Strategies/Ema200CrossStrategy/Backtest2026.py",
    "strategy binance-usdm-BTCUSDT_PERP_20261225-1h-backtest-Result-01",
    "client order MT5-EURUSD-20261123-0001-BUY-LIMIT-abcdefgh",
    "usage: run [--token TOKEN] [--verbose]",
    "('side', 'BUY') --symbol BTCUSDT",
    "['open', 'high', 'low', 'close', 'volume']",
    "Ema200CrossStrategyWithTrailingStopLossV2",
    "columns: open high low close volume symbol amount price side status filled average fees trades",
    "['symbol', 'side', 'status', 'amount', 'price', 'filled', 'cost', 'average', 'fee', 'maker', 'taker', 'trades']",
    "Strategy Started With Symbol Limits Margin Modes Levels Fees Slips Steps Ticks Lots Sizes",
    "GET https://host:8443/users/desk@example",
    "next=https%3A%2F%2Fhost%2F%3Fsymbol%3DBTC%26limit%3D500",
    'Traceback (most recent call last):\n  File "bot.py", line 3, in run\n    login(token=token, api_key=self.api_key)',
    'Traceback (most recent call last):\n  File "bot.py", line 3, in run\n    session.post(password=get_password())',
    """  + Exception Group Traceback (most recent call last):
  |   File "bot.py", line 3, in run
  |     headers={"X-MBX-APIKEY": self._api_key, "Accept": "*/*"}, secret=os.environ[name]""",
)
"""What programs write that looks a little like one, and has to stay."""


def seen_in(data: bytes) -> Iterator[Leak]:
    """The leaks whose secret is somewhere in bytes, as it is or as JSON has it."""
    for leak in LEAKS:
        if leak.secret.encode() in data or leak.secret.replace("/", "\\/").encode() in data:
            yield leak


def all_bytes(folder: Path) -> bytes:
    """What all files below a folder hold."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
