"""How the reading commands print an entry: as text for people, as the fields one picks, or as JSON for scripts."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from metaexpert.cli.logs_reading import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from metaexpert.cli.logs_reading import Choice
    from metaexpert.logger.files.reading.entries import LogEntry

Fields = Annotated[
    str | None,
    typer.Option(
        "--fields",
        help="Show these alone, such as time,level,symbol,price; found at the top, among fields and trade data.",
        rich_help_panel=OUTPUT,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Lines as they stand in the log; with --fields objects of these.", rich_help_panel=OUTPUT
    ),
]


def picked(fields: str | None) -> list[str]:
    """The names in a list of `--fields`.

    Raises:
        typer.BadParameter: there is none in it.
    """
    names = [name.strip() for name in (fields or "").split(",") if name.strip()]
    if fields is not None and not names:
        raise typer.BadParameter("must name at least one, such as time,symbol", param_hint="--fields")
    return names


def printing(choice: "Choice", fields: str | None, *, as_json: bool, colours: bool) -> "Callable[[LogEntry], bytes]":
    """What makes an entry the bytes to print, the newline included."""
    from metaexpert.cli.entry_text import EntryText, picked_json  # noqa: PLC0415 - the command line imports what it needs when it runs

    names = picked(fields)
    if as_json:
        return lambda entry: picked_json(entry, names) + b"\n"
    text, encoding = EntryText(choice.zone, colours=colours, fields=names), sys.stdout.encoding or "utf-8"
    return lambda entry: f"{text(entry)}\n".encode(encoding, "backslashreplace")
