"""Lines for people: time, level, logger, message, fields; optionally in colour.

Control characters and bidirectional overrides in a message are written as escapes, so that what an exchange sends
cannot forge a line or drive a terminal.
"""

import logging
from collections.abc import Iterator
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.entry import Capture, extra_json
from metaexpert.logger.formats.controls import neutralised
from metaexpert.logger.formats.failures import FINGERPRINT, text_of, variables
from metaexpert.logger.formats.sites import bounded_name
from metaexpert.logger.formats.timestamps import utc_parts

_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_COLOURS: Final = (
    (logging.CRITICAL, "\x1b[1;97;41m"),
    (logging.ERROR, "\x1b[31m"),
    (logging.WARNING, "\x1b[33m"),
    (logging.INFO, "\x1b[32m"),
    (0, "\x1b[36m"),
)


@final
class TextLines:
    """Encodes entries as text, without the final newline.

    Args:
        use_colors: whether to add ANSI colours by level.
    """

    def __init__(self, *, use_colors: bool) -> None:
        self._use_colors = use_colors

    def __call__(self, capture: Capture) -> bytes:
        """The entry's line, and its traceback indented below it."""
        second, fraction = utc_parts(capture[1])
        moment = f"{second.decode()}.{fraction[:6].decode()}Z"
        level = f"{logging.getLevelName(capture[2]):8}"
        head = f"{self._coloured(moment, _DIM)} {self._coloured(level, _colour_of(capture[2]))}"
        text = f"{head} {neutralised(bounded_name(capture[3]))}: {neutralised(capture[4])}"
        details = capture[12]
        if capture[7] or capture[8]:
            text += " " + self._coloured(_pairs(extra_json(capture[7], capture[8])), _DIM)
        if details is not None:
            text += self._details(*details)
        return text.encode("utf-8", "backslashreplace")

    def _details(self, exception: bytes, stack_info: bytes, trade_data: bytes) -> str:
        text = " " + self._coloured(_pairs(trade_data), _DIM) if trade_data else ""
        blocks = [_told(orjson.loads(exception))] if exception else []
        if stack_info:
            blocks.append(orjson.loads(stack_info))
        return text + "".join(_indented(block) for block in blocks)

    def _coloured(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_RESET}" if self._use_colors else text


def _told(exception: dict[str, Any]) -> str:
    """The traceback, and below it what else is known, indented, so that the traceback's last line is found again."""
    lines = [text_of(exception, "traceback").rstrip()]
    for place, values in variables(exception):
        lines.append(f"  locals of {neutralised(place)}")
        lines += [f"    {neutralised(value)}" for value in values]
    lines += [f"  {name}: {neutralised(text)}" for name, text in _beside(exception) if text]
    return "\n".join(lines)


def _beside(exception: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a traceback does not show, in a line each."""
    api, stack = exception.get("api_error"), exception.get("task_stack")
    if isinstance(api, dict):
        yield "request", _pairs(orjson.dumps(api))
    if isinstance(stack, list):
        yield "task", " > ".join(map(str, cast("list[object]", stack)))
    yield FINGERPRINT, text_of(exception, FINGERPRINT)


def _colour_of(level: int) -> str:
    return next(colour for floor, colour in _COLOURS if level >= floor) if level >= 0 else _DIM


def _pairs(fields: bytes) -> str:
    return " ".join(f"{neutralised(key)}={_shown(value)}" for key, value in orjson.loads(fields).items())


def _shown(value: object) -> str:
    if isinstance(value, str):
        plain = neutralised(value)
        return plain if plain and " " not in plain and "=" not in plain else f'"{plain}"'
    return neutralised(orjson.dumps(value).decode())


def _indented(block: str) -> str:
    return "".join(f"\n    {neutralised(line)}" for line in block.rstrip().splitlines())
