"""How Binance knows its client: the key in a header, HMAC-SHA256 over the parameters, and a fresh timestamp.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/endpoint-security-type
"""

import hashlib
import hmac
from collections.abc import Mapping

from support.exchanges.server import AnswerError, Call, Credentials

from .errors import body

_AHEAD_MS = 1_000
_WINDOW_MS = 5_000


def signature(secret: str, payload: str) -> str:
    """The hexadecimal HMAC of what was signed."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def check_key(headers: Mapping[str, str], credentials: Credentials) -> None:
    """Refuse another key than the client's.

    Raises:
        AnswerError: it is missing or another one.
    """
    key = headers.get("X-MBX-APIKEY")
    if not key:
        raise AnswerError(401, body(-2014, "API-key format invalid."))
    if key != credentials.key:
        raise AnswerError(401, body(-2015, "Invalid API-key, IP, or permissions for action."))


def check_time(stamp: str, window: str, now_ms: int) -> None:
    """Refuse a timestamp that is too old or from the future.

    Raises:
        AnswerError: -1021.
    """
    if not stamp:
        words = "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
        raise AnswerError(400, body(-1102, words))
    sent_ms, allowed_ms = int(stamp), int(window or _WINDOW_MS)
    if sent_ms >= now_ms + _AHEAD_MS:
        words = f"Timestamp for this request was {_AHEAD_MS}ms ahead of the server's time."
        raise AnswerError(400, body(-1021, words))
    if now_ms - sent_ms > allowed_ms:
        raise AnswerError(400, body(-1021, "Timestamp for this request is outside of the recvWindow."))


def check(call: Call, credentials: Credentials, now_ms: int) -> None:
    """Refuse a request that is not signed by the client.

    Raises:
        AnswerError: key, timestamp or signature is wrong.
    """
    check_key(call.headers, credentials)
    check_time(call.text("timestamp"), call.text("recvWindow"), now_ms)
    signed, _, given = (call.query + call.raw).rpartition("&signature=")
    if not hmac.compare_digest(signature(credentials.secret, signed), given):
        raise AnswerError(400, body(-1022, "Signature for this request is not valid."))


def check_socket_request(parameters: Mapping[str, object], credentials: Credentials, now_ms: int) -> None:
    """The same for a websocket request, which signs its sorted parameters.

    Raises:
        AnswerError: key, timestamp or signature is wrong.
    """
    check_key({"X-MBX-APIKEY": str(parameters.get("apiKey", ""))}, credentials)
    check_time(str(parameters.get("timestamp", "")), str(parameters.get("recvWindow", "")), now_ms)
    payload = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters) if name != "signature")
    if not hmac.compare_digest(signature(credentials.secret, payload), str(parameters.get("signature", ""))):
        raise AnswerError(400, body(-1022, "Signature for this request is not valid."))
