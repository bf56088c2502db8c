"""What `logs stats` prints: tables for people, and one document for scripts; pure."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final

from metaexpert.cli.entry_text import Clock
from metaexpert.cli.logs_operations import size_text
from metaexpert.cli.tables import Column, count_text, duration_text, table_lines
from metaexpert.logger.files.reading.log_statistics import LogStatistics
from metaexpert.logger.formats.text import neutralised
from metaexpert.logger.formats.timestamps import utc_parts

if TYPE_CHECKING:
    from metaexpert.logger.files.reading.error_groups import ErrorGroup
    from metaexpert.logger.files.reading.log_statistics import RunNumbers, WriterStatistics
    from metaexpert.logger.files.reading.timeline import Buckets

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_COLUMNS: Final = 60
"""Of a sparkline."""

_SECOND_NS: Final = 1_000_000_000
_MINUTE: Final = 60
_HOUR: Final = 3600
_SHOWN_STEPS: Final = 10
_MESSAGE_CHARACTERS: Final = 300
"""Of an error's message, for scripts."""


def as_lines(found: LogStatistics, top: int, zone: tzinfo, *, colours: bool = False) -> Iterator[str]:
    """The figures for people.

    Args:
        found: the figures.
        top: how many kinds of errors.
        zone: of the times.
        colours: whether headings are bold.
    """
    clock = Clock(zone)
    yield _total(found)
    yield ""
    yield from _writers(found, clock, colours=colours)
    yield from _rates(found, clock, colours=colours)
    yield from _errors(found, top, clock, colours=colours)
    yield from _drops(found, colours=colours)
    yield from _numbers(found, colours=colours)
    yield from _steps(found, clock)


def _total(found: LogStatistics) -> str:
    writers = found.writers.values()
    size = size_text(sum(writer.size_bytes for writer in writers))
    logs = len({writer.log for writer in writers})
    files = sum(writer.files for writer in writers)
    return f"{count_text(logs, 'log')}, {count_text(files, 'file')}, {size}"


# ---- by log and process ------------------------------------------------------------------------------------------


def _writers(found: LogStatistics, clock: Clock, *, colours: bool) -> Iterator[str]:
    levels = _levels_of(found)
    numbers = [Column(name, right=True) for name in ("files", "size", "entries", *levels, "damaged", "twice")]
    columns = [Column("log"), Column("process"), *numbers, Column("from"), Column("to")]
    yield from table_lines(
        columns,
        (_writer_cells(writer, levels, clock) for _, writer in sorted(found.writers.items())),
        colours=colours,
    )


def _levels_of(found: LogStatistics) -> list[str]:
    """The levels there are, the usual ones first."""
    there = {level for writer in found.writers.values() for level in writer.by_level}
    return [*(level for level in _LEVELS if level in there), *sorted(there - {*_LEVELS})]


def _writer_cells(writer: "WriterStatistics", levels: list[str], clock: Clock) -> list[str]:
    counts = (writer.by_level.get(level, 0) for level in levels)
    size = size_text(writer.size_bytes)
    figures = (writer.entries, *counts, writer.damaged, writer.duplicates)
    times = ("" if each is None else clock.to_the_second(each) for each in (writer.first_ns, writer.last_ns))
    return [writer.log, writer.process, f"{writer.files:,}", size, *(f"{each:,}" for each in figures), *times]


# ---- rates -------------------------------------------------------------------------------------------------------


def _rates(found: LogStatistics, clock: Clock, *, colours: bool) -> Iterator[str]:
    for log in sorted(found.timelines):
        span = _span_of(found, log)
        if span is None:
            continue
        rows = list(_rate_rows(found, log, span))
        buckets = rows[0][1]
        unit = "hour" if span[1] - span[0] >= 2 * _HOUR * _SECOND_NS else "minute"
        yield ""
        yield (
            f"{neutralised(log)} by level, each column {_width_text(buckets.width_seconds)} from "
            f"{clock.to_the_second(buckets.begin_ns)}"
        )
        columns = [Column("level"), Column(f"a {unit}", right=True), Column("highest", right=True), Column("over time")]
        yield from table_lines(columns, (_rate_cells(level, each, span, unit) for level, each in rows), colours=colours)


def _span_of(found: LogStatistics, log: str) -> tuple[int, int] | None:
    """The first and the last time of a log."""
    writers = [writer for writer in found.writers.values() if writer.log == log]
    firsts = [writer.first_ns for writer in writers if writer.first_ns is not None]
    lasts = [writer.last_ns for writer in writers if writer.last_ns is not None]
    return (min(firsts), max(lasts)) if firsts and lasts else None


def _rate_rows(found: LogStatistics, log: str, span: tuple[int, int]) -> "Iterator[tuple[str, Buckets]]":
    timelines = found.timelines[log]
    width = max(timeline.buckets(*span, _COLUMNS).width_seconds for timeline in timelines.values())
    for level in _levels_of(found):
        if level in timelines:
            yield level, timelines[level].buckets(*span, _COLUMNS, width)


def _rate_cells(level: str, buckets: "Buckets", span: tuple[int, int], unit: str) -> list[str]:
    seconds = max((span[1] - span[0]) / _SECOND_NS, 1.0)
    per = _HOUR if unit == "hour" else _MINUTE
    mean = sum(buckets.counts) / seconds * per
    most = max(buckets.counts) / buckets.width_seconds * per
    return [level, _rate_text(mean), _rate_text(most), buckets.bars]


def _rate_text(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"  # noqa: PLR2004 - two digits


def _width_text(seconds: int) -> str:
    return duration_text(seconds * _SECOND_NS).removesuffix(" 0 s").removesuffix(" 0 min").removesuffix(" 0 h")


# ---- errors, drops, numbers, steps -------------------------------------------------------------------------------


def _errors(found: LogStatistics, top: int, clock: Clock, *, colours: bool) -> Iterator[str]:
    groups = found.top_errors(top)
    if not groups:
        return
    kinds = found.error_kinds
    yield ""
    yield f"errors: {count_text(kinds, 'kind')}{f', the {len(groups)} most frequent' if kinds > len(groups) else ''}"
    heads = ("fingerprint", "level", "logger", "exception", "place", "last", "message")
    columns = [Column("count", right=True), *(Column(name) for name in heads)]
    rows = (
        [
            f"{group.count:,}",
            group.fingerprint.digest,
            group.example.level,
            group.example.logger,
            group.fingerprint.kind.rpartition(".")[2],
            group.fingerprint.place,
            clock.to_the_second(group.last_ns),
            group.example.message,
        ]
        for group in groups
    )
    yield from table_lines(columns, rows, colours=colours)


def _drops(found: LogStatistics, *, colours: bool) -> Iterator[str]:
    if not found.drops:
        return
    yield ""
    yield "drops, as gap entries tell them"
    columns = [
        Column("log"),
        Column("sink"),
        Column("what"),
        Column("entries", right=True),
        Column("gaps", right=True),
        Column("levels"),
        Column("reason"),
    ]
    rows = (
        [
            drops.log,
            drops.sink,
            drops.what,
            f"{drops.entries:,}",
            f"{drops.gaps:,}",
            ", ".join(f"{count:,} {level}" for level, count in drops.by_level.items()),
            drops.reason,
        ]
        for _, drops in sorted(found.drops.items())
    )
    yield from table_lines(columns, rows, colours=colours)


def _numbers(found: LogStatistics, *, colours: bool) -> Iterator[str]:
    runs = found.runs()
    if not runs:
        return
    yield ""
    yield "sequence numbers by run, over all logs read"
    heads = ("first", "last", "present", "missing", "stretches")
    columns = [Column("run"), *(Column(name, right=True) for name in heads), Column("longest")]
    yield from table_lines(columns, map(_run_cells, runs), colours=colours)
    if any(run.missing for run in runs):
        yield (
            "A number is missing where its entry was filtered, sampled, dropped, deleted by retention, or is lost: "
            "the files alone do not tell which."
        )


def _run_cells(run: "RunNumbers") -> list[str]:
    longest = ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in run.longest)
    figures = (run.first, run.last, run.present, run.missing, run.holes)
    return [run.boot_id, *(f"{each:,}" for each in figures), longest + (", …" if run.holes > len(run.longest) else "")]


def _steps(found: LogStatistics, clock: Clock) -> Iterator[str]:
    if not found.step_count:
        return
    yield ""
    yield f"the time goes back: {count_text(found.step_count, 'step')}"
    for step in found.steps[:_SHOWN_STEPS]:
        place = neutralised(f"{step.log} {step.process}".strip())
        yield f"  {clock(step.time_ns)}  by {duration_text(step.back_ns)}  {place}"
    if found.step_count > _SHOWN_STEPS:
        yield "  …"


# ---- for scripts -------------------------------------------------------------------------------------------------


def as_document(found: LogStatistics, top: int) -> dict[str, Any]:
    """The figures for scripts; times are UTC to the nanosecond."""
    return {
        "writers": [_writer_document(writer) for _, writer in sorted(found.writers.items())],
        "rates": [each for log in sorted(found.timelines) for each in _rate_documents(found, log)],
        "errors": [_error_document(group) for group in found.top_errors(top)],
        "error_kinds": found.error_kinds,
        "errors_of_further_kinds": sum(groups.others for groups in found.errors.values()),
        "drops": [asdict(drops) for _, drops in sorted(found.drops.items())],
        "runs": [asdict(run) for run in found.runs()],
        "clock_steps": [asdict(step) | {"time": _utc(step.time_ns)} for step in found.steps],
        "clock_step_count": found.step_count,
    }


def _writer_document(writer: "WriterStatistics") -> dict[str, Any]:
    return asdict(writer) | _times(writer.first_ns, writer.last_ns)


def _error_document(group: "ErrorGroup") -> dict[str, Any]:
    told = {
        "fingerprint": group.fingerprint.digest,
        "level": group.example.level,
        "logger": group.example.logger,
        "exception": group.fingerprint.kind,
        "place": group.fingerprint.place,
        "message": group.example.message[:_MESSAGE_CHARACTERS],
        "count": group.count,
        "first_ns": group.first_ns,
        "last_ns": group.last_ns,
    }
    return told | _times(group.first_ns, group.last_ns)


def _rate_documents(found: LogStatistics, log: str) -> Iterator[dict[str, Any]]:
    span = _span_of(found, log)
    if span is None:
        return
    for level, buckets in _rate_rows(found, log, span):
        yield {
            "log": log,
            "level": level,
            "begin": _utc(buckets.begin_ns),
            "bucket_seconds": buckets.width_seconds,
            "counts": buckets.counts,
        }


def _times(first_ns: int | None, last_ns: int | None) -> dict[str, str | None]:
    return {"first": _utc(first_ns), "last": _utc(last_ns)}


def _utc(time_ns: int | None) -> str | None:
    if time_ns is None:
        return None
    second, fraction = utc_parts(time_ns)
    return f"{second.decode()}.{fraction.decode()}Z"
