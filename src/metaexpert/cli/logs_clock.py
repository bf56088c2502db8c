"""`metaexpert logs clock`: how far the clock was from UTC over time, when it was set, and when nobody knew."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

from metaexpert.cli.declared import Option
from metaexpert.cli.logs_output import Output, colours_wanted
from metaexpert.cli.logs_progress import Progress
from metaexpert.cli.logs_reading import NOTHING, Choice, reads_logs, tell_damaged, total_bytes
from metaexpert.cli.options import JsonLines

if TYPE_CHECKING:
    from metaexpert.cli.entry_text import Clock
    from metaexpert.logger.files.reading.clock_history import ClockHistory, Statement

NOT_WITHIN: Final = 4
_MICROSECONDS: Final = 1_000_000


@reads_logs
def clock(
    choice: Choice,
    *,
    limit_us: Annotated[
        int | None,
        Option(("--limit-us",), "How far the clock may have been from UTC, microseconds; then a verdict.", least=1),
    ] = None,
    as_json: JsonLines = False,
) -> None:
    """Show what clock entries say: offset and error bound over time, jumps, times without knowledge, the worst.

    With --limit-us the last line is a verdict, and the status 4 unless every statement knew the clock to be within it.
    Status 3 where there is no such entry.
    """
    from metaexpert.cli.entry_text import Clock  # noqa: PLC0415 - the command line imports what it needs when it runs
    from metaexpert.logger.files.reader import Reader  # noqa: PLC0415 - as above
    from metaexpert.logger.files.reading.clock_history import ClockHistory, statement_of  # noqa: PLC0415 - as above

    sources, history = choice.sources(), ClockHistory()
    reader = Reader(sources, replace(choice, log_type=["clock"]).query())
    with Progress("reading", total_bytes(sources), lambda: reader.report.bytes):
        for entry in reader:
            run = (entry.entry_id or "").rpartition("-")[0]
            if (statement := statement_of(entry.time_ns, entry.extra, run)) is not None:
                history.add(statement)
    with Output() as out:
        if as_json:
            for each in history.statements:
                out.write(_json(each) + b"\n")
        elif history.statements:
            for line in _lines(history, Clock(choice.zone), limit_us, colours=colours_wanted(choice.color)):
                out.line(line)
    tell_damaged(reader.report)
    if not history.statements:
        raise SystemExit(NOTHING)
    if limit_us is not None and not history.within(limit_us / _MICROSECONDS):
        raise SystemExit(NOT_WITHIN)


def _json(each: "Statement") -> bytes:
    import orjson  # noqa: PLC0415 - as above

    from metaexpert.logger.formats.controls import harmless  # noqa: PLC0415 - as above
    from metaexpert.logger.formats.timestamps import rfc3339  # noqa: PLC0415 - as above

    told: dict[str, Any] = {
        "time": rfc3339(each.time_ns),
        "event": each.event,
        "source": each.source or None,
        "offset_seconds": each.offset_seconds,
        "bound_seconds": each.bound_seconds,
        "worst_seconds": each.worst_seconds,
        "jump_seconds": each.jump_seconds,
    }
    return harmless(orjson.dumps(told))


def _lines(history: "ClockHistory", clock: "Clock", limit_us: int | None, *, colours: bool) -> Iterator[str]:
    from metaexpert.cli.tables import Column, table_lines  # noqa: PLC0415 - as above

    columns = (Column("time"), Column("said"), Column("offset ms", right=True), Column("± ms", right=True))
    yield from table_lines(columns, [_row(each, clock) for each in history.statements], colours=colours)
    yield ""
    yield f"{len(history.qualities)} statements, {len(history.jumps)} jumps"
    for span in history.unknown_spans():
        times = f"{clock.to_the_second(span.first_ns)} to {clock.to_the_second(span.until_ns)}"
        yield f"unknown from {times}, by {span.statements} statements"
    worst = history.worst
    if worst is not None:
        yield f"at worst {_milliseconds(worst.worst_seconds)} ms from UTC, {clock(worst.time_ns)}, by {worst.source}"
    if limit_us is not None:
        held = history.within(limit_us / _MICROSECONDS)
        yield f"{'within' if held else 'NOT surely within'} {limit_us} µs of UTC"


def _row(each: "Statement", clock: "Clock") -> tuple[str, str, str, str]:
    if each.jump_seconds is not None:
        return clock(each.time_ns), "set by", _milliseconds(each.jump_seconds), ""
    bound = "unknown" if each.bound_seconds is None else _milliseconds(each.bound_seconds)
    return clock(each.time_ns), each.source, _milliseconds(each.offset_seconds), bound


def _milliseconds(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds * 1e3:.3f}"
