"""What an entry tells of an exception beside type, message and traceback, for formats with terms of their own; pure.

Entries read back from files pass through here too: nothing is taken for granted but that an exception is a JSON object.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import orjson

from metaexpert.logger.entry import DETAILS, EXCEPTION, Capture

FINGERPRINT: Final = "fingerprint"
_SAID_BY_FORMATS: Final = frozenset({"type", "message", "traceback"})
_IN_ORDER: Final = (FINGERPRINT, "same_as", "seen", "api_error", "notes", "causes", "group", "task_stack", "locals")
"""What matters more stands ahead, where there is no room for all."""

_CODE_CHARACTERS: Final = 128


def more_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """What it says beside type, message and traceback, what matters more first."""
    known = {key: told[key] for key in _IN_ORDER if key in told}
    return known | {key: value for key, value in told.items() if key not in _SAID_BY_FORMATS and key not in known}


def more_within(told: Mapping[str, Any], most_bytes: int) -> tuple[dict[str, Any], list[str]]:
    """As much of `more_of` as fits into so many bytes of JSON, and the names of what does not."""
    fitting: dict[str, Any] = {}
    cut: list[str] = []
    left = most_bytes
    for key, value in more_of(told).items():
        size = len(orjson.dumps(value)) + len(key)
        if size <= left:
            fitting[key] = value
            left -= size
        else:
            cut.append(key)
    return fitting, cut


def text_of(told: Mapping[str, Any], key: str) -> str:
    """A value that is a single one, as text; empty where there is none."""
    value = told.get(key)
    return "" if value is None or isinstance(value, dict | list) else str(value)


def fingerprint_of(entry: Capture) -> str | None:
    """The fingerprint of an entry's exception; None where it has none."""
    details = entry[DETAILS]
    if details is None or not details[EXCEPTION]:
        return None
    return text_of(orjson.loads(details[EXCEPTION]), FINGERPRINT) or None


def code_of(told: Mapping[str, Any]) -> str:
    """The code a request was refused with: the exchange's own, else the status of the answer."""
    api = told.get("api_error")
    table = cast("dict[str, Any]", api) if isinstance(api, dict) else {}
    return (text_of(table, "exchange_code") or text_of(table, "status"))[:_CODE_CHARACTERS]


def variables(told: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Each frame whose local variables are shown, as "function (file:line)", and they as "name = value"."""
    for frame in _objects(told.get("locals")):
        values = frame.get("values")
        pairs = cast("dict[str, Any]", values).items() if isinstance(values, dict) else ()
        place = f"{text_of(frame, 'function')} ({text_of(frame, 'file')}:{text_of(frame, 'line')})"
        yield place, [f"{name} = {value}" for name, value in pairs]


def listed_variables(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Local variables as lists of text: under names of their own an index would make a field of each."""
    return [{"frame": place, "values": values} for place, values in variables(told)]


def _objects(value: object) -> list[dict[str, Any]]:
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", each) for each in found if isinstance(each, dict)]
