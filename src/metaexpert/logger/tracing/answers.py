"""What an exchange's answer says: its code where it refused, the id it gave the request. Pure.

Binance, OKX, Bybit, KuCoin, Gate, Bitget and Kraken say so in the first members of a JSON object, some of them with
status 200.
"""

import re
from collections.abc import Mapping
from typing import Final

FAILED_STATUS: Final = 400
_LOOKED_AT_BYTES: Final = 512
_CODE: Final = re.compile(
    rb'"(?:code|retCode|ret_code|error_code|errorCode|label|sCode)"\s{0,4}:\s{0,4}"?([A-Za-z0-9_\-]{1,64})'
)
_NUMBER: Final = re.compile(rb'"(?:code|retCode|ret_code)"\s{0,4}:\s{0,4}"?(-?[0-9]{1,10})\b')
_WORDS: Final = re.compile(rb'"(?:msg|retMsg|ret_msg|message)"\s{0,4}:')
_ERRORS: Final = re.compile(rb'"error"\s{0,4}:\s{0,4}\[\s{0,4}"([A-Za-z][A-Za-z0-9 :_\-]{0,63})')
_WELL: Final = frozenset({"0", "00000", "200", "200000", "1000", "OK", "ok", "SUCCESS", "null", "true"})
_REQUEST_IDS: Final = ("x-request-id", "x-mbx-uuid", "traceid", "x-amzn-requestid", "x-amz-request-id", "cf-ray")
_MOST_ID_CHARACTERS: Final = 128
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]*")


def exchange_code(body: bytes, status: int) -> str | None:
    """The code under which an exchange refused; None where it did not, or the body is none of its answers.

    Args:
        body: the answer's, or its beginning.
        status: HTTP's; below 400 a code has to be a number with words beside it, since other answers have codes too.
    """
    head = body[:_LOOKED_AT_BYTES]
    if not head.lstrip().startswith(b"{"):
        return None
    match = _ERRORS.search(head)
    if status >= FAILED_STATUS:
        match = _CODE.search(head) or match
    elif _WORDS.search(head):
        match = _NUMBER.search(head) or match
    code = None if match is None else match[1].decode()
    return None if code in _WELL else code


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id a server gave a request, to be named when somebody asks them about it."""
    for name in _REQUEST_IDS:
        value = headers.get(name)
        if value is not None:
            return value if len(value) <= _MOST_ID_CHARACTERS and _ID.fullmatch(value) else None
    return None
