"""How the reading commands print an entry: as text for people, as the fields one picks, or as JSON for scripts."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from metaexpert.cli.logs_reading import Choice
    from metaexpert.logger.files.reading.entries import LogEntry


def picked(fields: str | None) -> list[str]:
    """The names in a list of `--fields`.

    Raises:
        QueryError: there is none in it.
    """
    names = [name.strip() for name in (fields or "").split(",") if name.strip()]
    if fields is not None and not names:
        from metaexpert.logger.files.reading.query import QueryError  # noqa: PLC0415 - only what is wrong needs it

        raise QueryError("--fields must name at least one, such as time,symbol")
    return names


def printing(choice: "Choice", fields: str | None, *, as_json: bool, colours: bool) -> "Callable[[LogEntry], bytes]":
    """What makes an entry the bytes to print, the newline included."""
    from metaexpert.cli.entry_text import EntryText, picked_json  # noqa: PLC0415 - the command line imports what it needs when it runs

    names = picked(fields)
    if as_json:
        return lambda entry: picked_json(entry, names) + b"\n"
    text, encoding = EntryText(choice.zone, colours=colours, fields=names), sys.stdout.encoding or "utf-8"
    return lambda entry: f"{text(entry)}\n".encode(encoding, "backslashreplace")
