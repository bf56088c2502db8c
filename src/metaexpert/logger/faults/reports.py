"""Failures of requests and of orders' validation as entries: a line for people, and fields for everybody else."""

from collections.abc import Callable
from typing import Any, Final, cast

from metaexpert.logger.described import described, type_name
from metaexpert.logger.faults.api_errors import ApiError, api_error_of, place_of_url
from metaexpert.logger.faults.glimpse import Rules
from metaexpert.logger.secret_patterns import REDACTED

_TEXT_BYTES: Final = 512


def api_error_fields(error: BaseException | None, given: dict[str, Any], redaction: Rules) -> ApiError:
    """What was given, over what the exception tells.

    Args:
        error: the exception, where there was one.
        given: the fields of `ApiError` as the call has them, None where they are not known; with `url` for host and
            path, and `latency_seconds`.
        redaction: what is hidden.
    """
    scrub = redaction.scrub
    told: ApiError = _told_by(error, scrub)
    url = given.pop("url", None)
    if url is not None:
        told |= place_of_url(url, scrub)
    latency_seconds = given.pop("latency_seconds", None)
    if latency_seconds is not None:
        told["latency_ms"] = round(float(latency_seconds) * 1000, 3)
    shown = {key: _plain(value, scrub) for key, value in given.items() if value is not None}
    if "exchange_code" in shown:
        shown["exchange_code"] = str(shown["exchange_code"])
    return cast("ApiError", {**told, **shown})


def _told_by(error: BaseException | None, scrub: Callable[[str], str]) -> ApiError:
    try:
        return {} if error is None else api_error_of(error, scrub) or {}
    except Exception:  # noqa: BLE001 - the exception's own code; what was given is told all the same
        return {}


def _plain(value: object, scrub: Callable[[str], str]) -> object:
    return value if type(value) in {int, float, bool} else scrub(described(value, str, _TEXT_BYTES))


def api_error_message(error: BaseException | None, told: ApiError) -> str:
    """One line: "binance POST api.binance.com/api/v3/order failed: 400, code -2010, …, attempt 2, 350 ms"."""
    place = f"{told.get('host', '')}{told.get('path', '')}"
    asked = " ".join(filter(None, (told.get("exchange", ""), told.get("method", ""), place))) or "a request"
    reasons = [
        str(told["status"]) if "status" in told else "",
        f"code {told['exchange_code']}" if "exchange_code" in told else "",
        told.get("exchange_message", "") or ("" if error is None else type_name(error)),
        f"attempt {told['attempt']}" if "attempt" in told else "",
        f"{told['latency_ms']:g} ms" if "latency_ms" in told else "",
    ]
    return f"{asked} failed: {', '.join(filter(None, reasons))}".removesuffix(": ")


def validation_of(parameter: str, value: object, rule: str, limit: object, redaction: Rules) -> dict[str, Any]:
    """The fields of a validation failure; a value under a key that is hidden stays so."""
    if redaction.hides(parameter):
        value, limit = REDACTED, None if limit is None else REDACTED
    told = {"parameter": parameter, "value": value, "rule": rule}
    return told if limit is None else {**told, "limit": limit}


def validation_message(told: dict[str, Any]) -> str:
    """One line: "order invalid: quantity 0.0001 breaks min_quantity (0.001)"."""
    limit = f" ({described(told['limit'], str, _TEXT_BYTES)})" if "limit" in told else ""
    value = described(told["value"], str, _TEXT_BYTES)
    return f"order invalid: {told['parameter']} {value} breaks {told['rule']}{limit}"
