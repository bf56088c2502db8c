"""Reading back the lines `formats/text.py` writes for people: time, level, logger, message, fields, traceback; pure.

Text says less than JSON: no id, no module, no log type but that of trade entries, whose message begins with their
event; where a message ends and its fields begin is told by their
shape (`key=value` up to the line's end), so that a message which ends in such a pair gives a field. Trade data are
fields among the others. Numbers are numbers where no digit is lost by it, else strings.
"""

import re
from typing import Any, Final

import orjson

from metaexpert.logger.log_types import TRADE

HEAD: Final = re.compile(
    rb"(?:\x1b\[[0-9;]*m)*(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d))(?:\x1b\[[0-9;]*m)* "
    rb"(?:\x1b\[[0-9;]*m)*(Level \d+|[^\s:]+) *(?:\x1b\[[0-9;]*m)* "
)
"""How an entry's first line begins: its time and its level."""

TEXT_EVENT: Final = b"event="
"""What the line of a trade entry has."""

INDENT: Final = (b" ", b"\t")
"""What a line that belongs to the entry before it begins with."""

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_KEY: Final = re.compile(r" ([^\s=\"]+)=")
_BARE: Final = re.compile(r"[^\s=\"\[{][^\s=]*")
_EXCEPTION: Final = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?")


def text_values(line: bytes) -> dict[str, Any]:
    """What a text entry says, under the keys a JSON line has.

    Args:
        line: its first line and the indented ones below it; the first begins with what `HEAD` matches.
    """
    text = line.decode("utf-8", "replace")
    if "\x1b" in text:
        text = _COLOURS.sub("", text)
    first, _, below = text.partition("\n")
    stamp, _, rest = first.partition(" ")
    level, rest = _level(rest)
    logger, _, told = rest.partition(": ")
    message, fields = _message_and_fields(told)
    values: dict[str, Any] = {"timestamp": stamp, "level": level, "logger": logger, "message": message}
    if fields:
        values["extra"] = fields
        if fields.get("event") and fields["event"] == message.partition(" ")[0]:
            values["log_type"] = TRADE
    if below:
        values |= _below(below)
    return values


def _level(rest: str) -> tuple[str, str]:
    if rest.startswith("Level "):
        number, _, after = rest[6:].partition(" ")
        return f"Level {number}", after.lstrip(" ")
    level, _, after = rest.partition(" ")
    return level, after.lstrip(" ")


def _message_and_fields(told: str) -> tuple[str, dict[str, Any]]:
    """Fields are taken from the right as long as what stands behind a key is a value to its end."""
    fields: dict[str, Any] = {}
    told_to = len(told)
    for match in reversed(list(_KEY.finditer(told))):
        known, value = _value(told[match.end() : told_to])
        if known:
            fields[match.group(1)] = value
            told_to = match.start()
    return told[:told_to], dict(reversed(fields.items()))


def _value(text: str) -> tuple[bool, Any]:
    if text[:1] == '"':
        return len(text) > 1 and text[-1] == '"', text[1:-1]
    if text[:1] in {"[", "{"}:
        try:
            return True, orjson.loads(text)
        except orjson.JSONDecodeError:
            return " " not in text and "=" not in text, text
    # an odd quote is the end of a value that begins further left
    return _BARE.fullmatch(text) is not None and text.count('"') % 2 == 0, _scalar(text)


def _scalar(text: str) -> object:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if value is None or str(value) == text or isinstance(value, bool) else text


def _below(below: str) -> dict[str, Any]:
    block = "\n".join(each.removeprefix("    ") for each in below.split("\n"))
    if "Traceback (most recent call last)" not in block:
        return {"stack_info": block}
    match = _EXCEPTION.fullmatch(next((each for each in reversed(block.split("\n")) if each[:1].strip()), ""))
    kind, message = (match.group(1), match.group(2) or "") if match else ("", "")
    return {"exception": {"type": kind, "message": message, "traceback": block}}
