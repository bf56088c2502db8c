"""How Bybit knows its client: HMAC-SHA256 over timestamp, key, window and payload, in headers or an auth frame.

https://bybit-exchange.github.io/docs/v5/guide#authentication
"""

import hashlib
import hmac

from support.exchanges.server import AnswerError, Call, Credentials

from .errors import body

_AHEAD_MS = 1_000
_WINDOW_MS = "5000"


def _signature(secret: str, payload: str) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def check(call: Call, credentials: Credentials, now_ms: int) -> None:
    """Refuse a request that is not signed by the client.

    Raises:
        AnswerError: key, timestamp or signature is wrong.
    """
    key, stamp = call.headers.get("X-BAPI-API-KEY", ""), call.headers.get("X-BAPI-TIMESTAMP", "")
    window = call.headers.get("X-BAPI-RECV-WINDOW", _WINDOW_MS)
    if key != credentials.key:
        raise AnswerError(200, body(10003, "API key is invalid.", now_ms))
    if not stamp or not now_ms - int(window) <= int(stamp) < now_ms + _AHEAD_MS:
        words = (
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{stamp}],server_timestamp[{now_ms}],recv_window[{window}]"
        )
        raise AnswerError(200, body(10002, words, now_ms))
    payload = stamp + key + window + (call.query if call.method == "GET" else call.raw)
    if not hmac.compare_digest(_signature(credentials.secret, payload), call.headers.get("X-BAPI-SIGN", "")):
        words = f"error sign! origin_string[{payload}]"
        raise AnswerError(200, body(10004, words, now_ms))


def may_listen(arguments: list[object], credentials: Credentials, now_ms: int) -> bool:
    """Whether an auth frame is the client's: key, a time to come, and the signature of both."""
    key, expires, given = (str(argument) for argument in arguments)
    expected = _signature(credentials.secret, f"GET/realtime{expires}")
    return key == credentials.key and int(expires) > now_ms and hmac.compare_digest(expected, given)
