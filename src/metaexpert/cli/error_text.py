"""Groups of errors for people: what, how often, when, by whom, and the latest traceback; pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from metaexpert.cli.entry_text import Clock, indented, traceback_of
from metaexpert.logger.files.reading.error_groups import ErrorGroup, ErrorGroups
from metaexpert.logger.files.reading.fingerprints import normalised
from metaexpert.logger.formats.controls import neutralised

_RESET: Final = "\x1b[0m"
_BOLD: Final = "\x1b[1m"
_RED: Final = "\x1b[31m"
_DIM: Final = "\x1b[2m"


def error_lines(
    shown: Sequence[ErrorGroup], groups: ErrorGroups, clock: Clock, *, colours: bool, with_traceback: bool
) -> Iterator[str]:
    """The groups to show, and what all of them are.

    Args:
        shown: these, in this order.
        groups: all of them.
        clock: tells the times.
        colours: whether to add ANSI colours.
        with_traceback: whether to show each group's latest traceback.
    """
    width = max((len(_number(each.count)) for each in shown), default=0)
    for each in shown:
        yield from _group_lines(each, clock, width, colours=colours, with_traceback=with_traceback)
        yield ""
    if groups.entries:
        yield _total(len(shown), groups)


def _group_lines(group: ErrorGroup, clock: Clock, width: int, *, colours: bool, with_traceback: bool) -> Iterator[str]:
    what, margin = group.fingerprint, " " * (width + 4)
    count = _coloured(f"{_number(group.count):>{width}}x ", _BOLD, colours=colours)
    kind = _coloured(neutralised(what.kind or group.example.level), _RED, colours=colours)
    yield f"{count} {kind} in {neutralised(what.place)}: {neutralised(what.message)}"
    times = f"first {clock.to_the_second(group.first_ns)}, last {clock.to_the_second(group.last_ns)}"
    by = f"by {', '.join(map(neutralised, group.loggers))}, fingerprint {neutralised(what.digest)}"
    for text in (times, by):
        yield margin + _coloured(text, _DIM, colours=colours)
    said = group.example.message
    if normalised(said) != what.message or said != what.message:
        yield f"{margin}latest: {neutralised(said)}"
    text = traceback_of(group.whole or group.example) if with_traceback else None
    if text:
        yield from (margin + line for line in indented(text).removeprefix("\n").split("\n"))


def _total(shown: int, groups: ErrorGroups) -> str:
    kinds, left = len(groups), len(groups) - shown
    hidden = f"; {_counted(left, 'kind')} not shown, --limit shows more" if left else ""
    others = f"; {_counted(groups.others, 'entry')} of further kinds only counted" if groups.others else ""
    return f"{_counted(groups.entries, 'entry')} of {_counted(kinds, 'kind')}{hidden}{others}"


def _counted(count: int, what: str) -> str:
    several = "entries" if what == "entry" else f"{what}s"
    return f"{_number(count)} {what if count == 1 else several}"


def _number(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def _coloured(text: str, colour: str, *, colours: bool) -> str:
    return f"{colour}{text}{_RESET}" if colours else text
