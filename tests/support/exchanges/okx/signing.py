"""How OKX knows its client: key, passphrase, a fresh time, and the base64 HMAC-SHA256 of time, method, path and body.

https://www.okx.com/docs-v5/en/#overview-rest-authentication
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from support.exchanges.server import AnswerError, Call, Credentials

from .errors import body

_WINDOW_MS = 30_000
_SOCKET_PATH = "GET/users/self/verify"


def _signature(secret: str, payload: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest()).decode()


def _milliseconds(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp() * 1000)


def check(call: Call, credentials: Credentials, now_ms: int) -> None:
    """Refuse a request that is not signed by the client.

    Raises:
        AnswerError: key, passphrase, time or signature is wrong.
    """
    stamp = call.headers.get("OK-ACCESS-TIMESTAMP", "")
    if call.headers.get("OK-ACCESS-KEY") != credentials.key:
        raise AnswerError(401, body("50111", "Invalid OK-ACCESS-KEY"))
    if call.headers.get("OK-ACCESS-PASSPHRASE") != credentials.passphrase:
        raise AnswerError(401, body("50105", "Request header OK-ACCESS-PASSPHRASE incorrect."))
    if not stamp or abs(now_ms - _milliseconds(stamp)) > _WINDOW_MS:
        raise AnswerError(401, body("50102", "Timestamp request expired"))
    query = f"?{call.query}" if call.query else ""
    payload = stamp + call.method + call.path + query + call.raw
    if not hmac.compare_digest(_signature(credentials.secret, payload), call.headers.get("OK-ACCESS-SIGN", "")):
        raise AnswerError(401, body("50113", "Invalid Sign"))


def login_error(given: Mapping[str, str], credentials: Credentials, now_ms: int) -> tuple[str, str] | None:
    """What is wrong with a login on a websocket; its time is in seconds."""
    stamp = str(given.get("timestamp", "0"))
    if given.get("apiKey") != credentials.key:
        return "60005", "Invalid apiKey"
    if given.get("passphrase") != credentials.passphrase:
        return "60024", "Wrong passphrase"
    if abs(now_ms - int(float(stamp) * 1000)) > _WINDOW_MS:
        return "60006", "Timestamp request expired"
    if not hmac.compare_digest(_signature(credentials.secret, stamp + _SOCKET_PATH), str(given.get("sign", ""))):
        return "60007", "Invalid sign"
    return None
