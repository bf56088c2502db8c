"""`metaexpert logs grep`: the entries a regular expression is found in, with those around them."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from metaexpert.cli.declared import Argument, Option
from metaexpert.cli.logs_output import RESET, Output, colours_wanted
from metaexpert.cli.logs_printing import printing
from metaexpert.cli.logs_progress import Progress
from metaexpert.cli.logs_reading import NOTHING, Choice, reads_logs, tell_damaged, total_bytes
from metaexpert.cli.options import EntriesAsJson, Fields

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.entries import LogEntry

_FOUND: Final = "\x1b[1;31m"
_COLOUR: Final = re.compile("\x1b\\[[0-9;]*m")
_APART: Final = b"--\n"


@reads_logs
def grep(
    choice: Choice,
    *,
    pattern: Annotated[str, Argument("A regular expression, found anywhere in an entry's line.")],
    ignore_case: Annotated[bool, Option(("--ignore-case", "-i"), "Capitals and small letters alike.")] = False,
    context: Annotated[int, Option(("--context", "-C"), "Entries shown before and after each found one.", least=0)] = 0,
    count: Annotated[bool, Option(("--count", "-c"), "Print how many are found, and nothing else.")] = False,
    fields: Fields = None,
    as_json: EntriesAsJson = False,
) -> None:
    """Show the entries a regular expression is found in, of all processes, merged by time.

    It is looked for in the line as it stands in the file: message, fields, names of fields, tracebacks. Status 3 where
    it is nowhere.
    """
    from metaexpert.logger.files.reader import Reader  # noqa: PLC0415 - as above
    from metaexpert.logger.files.reading.query import found_in  # noqa: PLC0415 - the command line imports what it needs when it runs

    query = choice.query(grep=pattern, ignore_case=ignore_case)
    wanted = query.text
    assert wanted is not None  # noqa: S101 - a pattern was given
    sources, around = choice.sources(), 0 if count else context
    reader = Reader(sources, choice.query() if around else query)
    colours = colours_wanted(choice.color) and not as_json
    as_bytes = printing(choice, fields, as_json=as_json, colours=colours)
    if colours:
        as_bytes = _marking(as_bytes, re.compile(pattern, re.IGNORECASE if ignore_case else re.NOFLAG))
    found = 0
    with (
        Progress("searching", total_bytes(sources), lambda: reader.report.bytes) as progress,
        Output(progress=progress) as out,
    ):
        if count:
            found = sum(1 for _ in reader)
            out.line(str(found))
        elif around:
            for each in with_context(reader, lambda entry: found_in(wanted, entry.line), around):
                found += each.is_found
                out.write(_APART * each.is_apart + as_bytes(each.entry))
        else:
            for found, entry in enumerate(reader, 1):  # noqa: B007 - counted
                out.write(as_bytes(entry))
    tell_damaged(reader.report)
    if not found:
        raise SystemExit(NOTHING)


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry to show.

    Attributes:
        entry: it.
        is_found: whether it is what was looked for, rather than near it.
        is_apart: whether entries were left out between it and the one shown before.
    """

    entry: "LogEntry"
    is_found: bool
    is_apart: bool


def with_context(entries: "Iterable[LogEntry]", is_found: "Callable[[LogEntry], bool]", around: int) -> Iterator[Shown]:
    """The entries found, and up to `around` of those before and after each, every entry once."""
    before = deque[tuple[int, "LogEntry"]](maxlen=around)
    last_shown, to_show_after = -1, 0
    for number, entry in enumerate(entries):
        found = is_found(entry)
        if not found and not to_show_after:
            before.append((number, entry))
            continue
        to_show_after = around if found else to_show_after - 1
        for each_number, each in (*before, (number, entry)):
            yield Shown(each, found and each is entry, is_apart=0 <= last_shown < each_number - 1)
            last_shown = each_number
        before.clear()


def _marking(as_bytes: "Callable[[LogEntry], bytes]", pattern: re.Pattern[str]) -> "Callable[[LogEntry], bytes]":
    return lambda entry: marked(as_bytes(entry).decode("utf-8", "surrogateescape"), pattern).encode(
        "utf-8", "surrogateescape"
    )


def marked(text: str, pattern: re.Pattern[str]) -> str:
    """A coloured text with what the pattern finds in it marked; the colours around go on behind it."""
    pieces = _COLOUR.split(text)
    codes = ["", *_COLOUR.findall(text)]
    spans = [match.span() for match in pattern.finditer("".join(pieces)) if match.end() > match.start()]
    marked_pieces, at = list[str](), 0
    for code, piece in zip(codes, pieces, strict=True):
        marked_pieces.append(code + _with_marks(piece, at, spans, code or RESET))
        at += len(piece)
    return "".join(marked_pieces)


def _with_marks(piece: str, at: int, spans: list[tuple[int, int]], colour: str) -> str:
    """A piece of one colour that begins at a position of the whole text, its part of the spans marked."""
    parts, done = list[str](), 0
    for start, end in spans:
        first, last = max(start - at, done), min(end - at, len(piece))
        if first < last:
            back = RESET if colour == RESET else RESET + colour
            parts += (piece[done:first], _FOUND, piece[first:last], back)
            done = last
    return "".join((*parts, piece[done:]))
