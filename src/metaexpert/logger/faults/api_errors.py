"""What an exchange's or a server's refusal says of the request: method, host, path, status, the exchange's own code.

Read off aiohttp's and ccxt's exceptions, which are told by the module their class comes from: neither is imported here.
An address loses its query, where signatures stand, and what else looks like a secret; nothing raises out of here.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypedDict, cast
from urllib.parse import urlsplit

from metaexpert.logger.described import described
from metaexpert.logger.exception_parts import came_of, classes_of

_MOST_CHAINED: Final = 8
_SEARCHED_CHARACTERS: Final = 4096
_TEXT_BYTES: Final = 512
_RETRYABLE_STATUSES: Final = frozenset({408, 418, 425, 429, 500, 502, 503, 504})
_CCXT: Final = "ccxt"
_AIOHTTP: Final = "aiohttp"
_CCXT_RETRYABLE: Final = frozenset({"NetworkError", "OperationFailed"})
_AIOHTTP_RETRYABLE: Final = frozenset({"ClientConnectionError", "ClientPayloadError"})
_AIOHTTP_FINAL: Final = frozenset({"ClientSSLError", "InvalidURL"})
_SAID: Final = re.compile(
    r"(?P<exchange>[a-z][\w-]{1,40})"
    r"(?: +(?P<method>GET|POST|PUT|PATCH|DELETE) +(?P<url>https?://[^\s{]+))?"
    r"(?: +(?P<status>[1-5]\d\d)\b)?"
)
_CODE_KEYS: Final = ("sCode", "code", "retCode", "ret_code", "errorCode", "error_code", "err_code", "err-code")
_TEXT_KEYS: Final = (
    "sMsg", "msg", "retMsg", "ret_msg", "message", "errorMessage", "error_message", "err-msg", "error",
)  # fmt: skip
_GOOD_CODES: Final = frozenset({"", "0"})

type Scrub = Callable[[str], str]


class ApiError(TypedDict, total=False):
    """What is known of a request that failed; what is not known is left out.

    Attributes:
        exchange: who was asked.
        method: of the request, such as GET.
        host: its host, with a port of its own.
        path: its path, without the query.
        status: of the answer.
        exchange_code: the exchange's own.
        exchange_message: what it said.
        latency_ms: from the request to the failure.
        attempt: the how manieth it was.
        retryable: whether the same request may succeed later; whether an order arrived is another question.
    """

    exchange: str
    method: str
    host: str
    path: str
    status: int
    exchange_code: str
    exchange_message: str
    latency_ms: float
    attempt: int
    retryable: bool


def api_error_of(error: BaseException, scrub: Scrub) -> ApiError | None:
    """What the exception, or one it came of, says of a request; None where none of them is such.

    Args:
        error: what was raised.
        scrub: takes secrets out of a text.
    """
    for each in islice(_chain(error), _MOST_CHAINED):
        names = {*classes_of(each)}
        origins = {module for module, _ in names}
        if _AIOHTTP in origins:
            return _of_aiohttp(cast("Any", each), {name for module, name in names if module == _AIOHTTP}, scrub)
        if _CCXT in origins:
            return _of_ccxt(each, {name for module, name in names if module == _CCXT}, scrub)
    return None


def place_of_url(url: object, scrub: Scrub) -> ApiError:
    """Host and path of an address; nothing of one that is none."""
    try:
        parts = urlsplit(described(url, str, _SEARCHED_CHARACTERS))
        port = parts.port
    except ValueError:
        return {}
    place: ApiError = {}
    if parts.hostname:
        place["host"] = _bounded(parts.hostname if port is None else f"{parts.hostname}:{port}", scrub)
    if parts.path:
        place["path"] = _bounded(parts.path, scrub)
    return place


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = came_of(current)


def _bounded(value: object, scrub: Scrub) -> str:
    return scrub(described(value, str, _TEXT_BYTES))


# ---- aiohttp --------------------------------------------------------------------------------------------------


def _of_aiohttp(error: Any, names: set[str], scrub: Scrub) -> ApiError:
    told: ApiError = {}
    request = getattr(error, "request_info", None)
    if request is not None:
        told["method"] = _bounded(request.method, scrub)
        told |= place_of_url(request.real_url, scrub)
    elif (host := getattr(error, "host", None)) is not None:
        port = getattr(error, "port", None)
        told["host"] = _bounded(host if port is None else f"{host}:{port}", scrub)
    elif "InvalidURL" in names:
        told |= place_of_url(getattr(error, "url", ""), scrub)
    status = getattr(error, "status", None)
    if type(status) is int and status:
        told["status"] = status
    said = getattr(error, "message", None)
    if type(said) is str and said:
        told |= _answer(said, scrub) or {"exchange_message": _bounded(said, scrub)}
    told["retryable"] = _may_be_retried(told.get("status"), bool(names & _AIOHTTP_RETRYABLE - _AIOHTTP_FINAL))
    if names & _AIOHTTP_FINAL:
        told["retryable"] = False
    return told


def _may_be_retried(status: int | None, otherwise: bool) -> bool:  # noqa: FBT001 - the answer where there is no status
    return otherwise if status is None else status in _RETRYABLE_STATUSES


# ---- ccxt -----------------------------------------------------------------------------------------------------


def _of_ccxt(error: BaseException, names: set[str], scrub: Scrub) -> ApiError:
    """Ccxt says it all in the message: exchange, request, status, and the answer's body."""
    said = described(error, str, _SEARCHED_CHARACTERS)
    told: ApiError = {}
    found = _SAID.match(said)
    if found is not None:
        told["exchange"] = _bounded(found["exchange"], scrub)
        if found["method"]:
            told["method"] = found["method"]
            told |= place_of_url(found["url"], scrub)
        if found["status"]:
            told["status"] = int(found["status"])
    told |= _answer(said, scrub) or {"exchange_message": _bounded(said, scrub)}
    told["retryable"] = bool(names & _CCXT_RETRYABLE)
    return told


def _answer(said: str, scrub: Scrub) -> ApiError:
    """Code and message of the JSON object in a text."""
    begin, end = said.find("{"), said.rfind("}")
    try:
        body = json.loads(said[begin : end + 1]) if 0 <= begin < end else None
    except (ValueError, RecursionError):
        return {}
    told: ApiError = {}
    for table in _tables(body):
        for key in _CODE_KEYS:
            code = table.get(key)
            if "exchange_code" not in told and type(code) in {str, int} and str(code) not in _GOOD_CODES:
                told["exchange_code"] = _bounded(code, scrub)
        for key in _TEXT_KEYS:
            text = _first_text(table.get(key))
            if "exchange_message" not in told and text:
                told["exchange_message"] = _bounded(text, scrub)
    return told


def _tables(body: object) -> Iterator[Mapping[str, Any]]:
    """What may tell of the failure: the first element of `data`, where exchanges say it of single orders, then all."""
    if type(body) is not dict:
        return
    table = cast("dict[str, Any]", body)
    data = table.get("data")
    first = _first(data)
    if type(first) is dict:
        yield cast("dict[str, Any]", first)
    yield table
    if type(table.get("error")) is dict:
        yield cast("dict[str, Any]", table["error"])


def _first_text(value: object) -> str:
    first = _first(value)
    return first if type(first) is str else ""


def _first(value: Any) -> Any:
    return cast("list[Any]", value)[0] if type(value) is list and value else cast("Any", value)
