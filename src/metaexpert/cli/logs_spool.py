"""`metaexpert logs spool …`: what waits on disk for collectors, looked at, sent by hand, or given up.

The queue of a running process is read, never changed. Exit status: see `logs_operations`.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import unquote

import typer

from metaexpert.cli.declared import Option
from metaexpert.cli.for_typer import SETTINGS, command_of
from metaexpert.cli.logs_operations import (
    DONE,
    FAULT,
    LEFT,
    OWNED,
    audit,
    confirmed,
    loaded,
    print_table,
    safe_output,
    size_text,
    tell,
    to_the_second,
)
from metaexpert.cli.options import AsJson, ConfigFile, LogDir, SinkName, Yes

if TYPE_CHECKING:
    from collections.abc import Callable

    from metaexpert.cli.logs_redelivery import Redelivery
    from metaexpert.logger import LoggerConfig
    from metaexpert.logger.spool.inspection import QueueState, WaitingEntry
    from metaexpert.logger.spool.spool import Block, Spool

spool = typer.Typer(
    name="spool",
    help="Entries that wait on disk for a collector.",
    no_args_is_help=True,
    **SETTINGS,
)

_BATCH_ENTRIES: Final = 1000
_BATCH_BYTES: Final = 512 * 1024
_SHOWN_CHARACTERS: Final = 400
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Queue:
    """A queue, and for which sink its entries wait."""

    state: "QueueState"
    kind: str
    sink: str


# ---- list --------------------------------------------------------------------------------------------------------


@command_of(spool, "list")
def list_queues(*, file: ConfigFile = None, log_dir: LogDir = None, as_json: AsJson = False) -> None:
    """List the disk queues: whose they are, how much waits in them, and since when."""
    safe_output()
    rows = [_row(queue) for queue in _queues(loaded(file, log_dir), None)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print_table(rows)
    raise typer.Exit(DONE)


def _queues(config: "LoggerConfig", sink: str | None) -> list[_Queue]:
    """The queues there are; what cannot be read ends the command."""
    from metaexpert.logger.spool.assembly import spool_folder  # noqa: PLC0415 - as above
    from metaexpert.logger.spool.inspection import queue_folders, queue_state  # noqa: PLC0415 - only when a command runs

    known = {config.log_dir / spool_folder(options): (options.type, options.name) for options in config.all_sinks()}
    found: list[_Queue] = []
    try:
        for folder in sorted({*queue_folders(config.log_dir), *filter(Path.is_dir, known)}):
            kind, _, name = folder.name.partition("-")
            kind, name = known.get(folder, (kind, unquote(name)))
            if sink in {None, name}:
                found.append(_Queue(queue_state(folder), kind, name))
    except OSError as error:
        tell(f"error: {error}")
        raise typer.Exit(FAULT) from None
    return found


def _row(queue: _Queue) -> dict[str, Any]:
    state = queue.state
    return {
        "sink": queue.sink,
        "type": queue.kind,
        "running": state.alive,
        "entries": state.entries,
        "bytes": state.size_bytes,
        "oldest": None if state.oldest_ns is None else _utc(state.oldest_ns),
        "newest": None if state.newest_ns is None else _utc(state.newest_ns),
        "classes": {lane.name.lower(): count for lane, count in state.by_lane.items()},
        "damaged": dict(state.damaged),
    }


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        tell("no disk queues")
        return
    columns = ("sink", "type", "owner runs", "entries", "size", "oldest", "newest", "classes", "damaged")
    print_table(columns, map(_cells, rows))
    for row in rows:
        for name, reason in row["damaged"].items():
            tell(f"{row['sink']}: {name}: {reason}")


def _cells(row: dict[str, Any]) -> Sequence[object]:
    classes = ", ".join(f"{name} {count}" for name, count in row["classes"].items())
    times = (to_the_second(row["oldest"]), to_the_second(row["newest"]))
    what = (row["sink"], row["type"], "yes" if row["running"] else "no", row["entries"], size_text(row["bytes"]))
    return (*what, *times, classes, len(row["damaged"]) or "")


# ---- show --------------------------------------------------------------------------------------------------------


@command_of(spool, "show")
def show(
    *,
    sink: SinkName = None,
    level: Annotated[str | None, Option(("--level",), "Only from this level on, such as WARNING.")] = None,
    since: Annotated[
        str | None, Option(("--since",), "Only logged since: a time such as 2026-11-23T14:00, or 30m, 2h, 7d.")
    ] = None,
    limit: Annotated[int, Option(("--limit",), "Entries at most, the oldest of each queue.", least=1)] = 50,
    file: ConfigFile = None,
    log_dir: LogDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the entries of the queues, the oldest first, as the sink encoded them."""
    safe_output()
    is_meant = _filter(level, since)
    for queue in _queues(loaded(file, log_dir), sink):
        _show(queue, is_meant, limit, as_json=as_json)
    raise typer.Exit(DONE)


def _show(queue: _Queue, is_meant: "Callable[[WaitingEntry], bool]", limit: int, *, as_json: bool) -> None:
    from metaexpert.logger.spool.inspection import waiting_entries  # noqa: PLC0415 - only when a command runs

    try:
        for count, entry in enumerate(filter(is_meant, waiting_entries(queue.state.folder))):
            if count >= limit:
                tell(f"{queue.sink}: more entries are not shown; --limit shows more")
                return
            _print_entry(queue, entry, as_json=as_json)
    except OSError as error:
        tell(f"error: {error}")
        raise typer.Exit(FAULT) from None


def _filter(level: str | None, since: str | None) -> "Callable[[WaitingEntry], bool]":
    least = 0 if level is None else logging.getLevelNamesMapping().get(level.upper())
    if least is None:
        known = ", ".join(logging.getLevelNamesMapping())
        raise typer.BadParameter(f"{level!r} is no level; there are {known}", param_hint="--level")
    since_ns = 0 if since is None else _since_ns(since)
    return lambda entry: entry.level >= least and entry.time_ns >= since_ns


def _since_ns(text: str) -> int:
    if match := re.fullmatch(r"(\d+)([smhd])", text):
        return time.time_ns() - int(match[1]) * _SECONDS[match[2]] * _NANOSECONDS
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; a time such as 2026-11-23T14:00, or 30m", param_hint="--since") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * _NANOSECONDS)


def _print_entry(queue: _Queue, entry: "WaitingEntry", *, as_json: bool) -> None:
    from metaexpert.cli.logs_redelivery import encoded, one_line  # noqa: PLC0415 - only when a command runs
    from metaexpert.logger.dead_letters.format import entry_id_in  # noqa: PLC0415 - as above

    facts = {
        "time": _utc(entry.time_ns),
        "sink": queue.sink,
        "id": entry_id_in(entry.part, entry.seq, entry.run.partition("-")[0]),
        "level": logging.getLevelName(entry.level),
        "log_type": entry.log_type,
    }
    if as_json:
        typer.echo(json.dumps(facts | {"seq": entry.seq, "class": entry.lane.name.lower()} | encoded(entry.part)))
        return
    typer.echo(one_line("  ".join(facts.values())))
    typer.echo(f"    {one_line(entry.part.decode('utf-8', 'replace'), _SHOWN_CHARACTERS)}")


def _utc(time_ns: int) -> str:
    second, nanosecond = divmod(time_ns, _NANOSECONDS)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{nanosecond:09d}Z"


# ---- replay ------------------------------------------------------------------------------------------------------


@command_of(spool, "replay")
def replay(*, sink: SinkName = None, file: ConfigFile = None, log_dir: LogDir = None, as_json: AsJson = False) -> None:
    """Deliver what waits, the oldest first, through the configured sinks; stops a queue at the first refusal.

    What was delivered leaves the queue. The queue of a running process is left to it.
    """
    safe_output()
    config = loaded(file, log_dir)
    waiting, status = _of_ended_runs(_queues(config, sink))
    for queue in waiting:
        delivered, left, reason = _replay(config, queue)
        status = max(status, FAULT if reason and not delivered and not left else LEFT if left else DONE)
        if as_json:
            typer.echo(json.dumps({"sink": queue.sink, "delivered": delivered, "left": left, "reason": reason}))
        else:
            typer.echo(f"{queue.sink}: {delivered} delivered, {left} left{f' ({reason})' if reason else ''}")
    raise typer.Exit(status)


def _of_ended_runs(queues: Iterable[_Queue]) -> tuple[list[_Queue], int]:
    """The queues with entries that no running process has, and the exit status so far."""
    ended: list[_Queue] = []
    status = DONE
    for queue in queues:
        if queue.state.alive:
            tell(f"{queue.sink}: its queue belongs to a running process, and was left alone; stop that first")
            status = OWNED
        elif queue.state.entries:
            ended.append(queue)
    return ended, status


def _replay(config: "LoggerConfig", queue: _Queue) -> tuple[int, int, str]:
    """Send one queue; how many were delivered, how many are left, and why."""
    import asyncio  # noqa: PLC0415 - as above

    from metaexpert.cli.logs_redelivery import Redelivery, one_line, sink_options  # noqa: PLC0415 - as above
    from metaexpert.exceptions import ConfigError  # noqa: PLC0415 - as above
    from metaexpert.logger.spool.inspection import taken_over  # noqa: PLC0415 - as above

    try:
        options = sink_options(config, queue.kind, queue.sink)
        audit(config.log_dir, "spool replay", sink=queue.sink, entries=queue.state.entries)
        with taken_over(queue.state.folder) as waiting:

            async def send() -> tuple[int, str]:
                async with Redelivery(config, options) as redelivery:
                    return await _send_all(waiting, redelivery, queue.sink)

            delivered, reason = asyncio.run(send())
            return delivered, waiting.entries, one_line(reason)
    except (ConfigError, OSError) as error:
        tell(f"error: {error}")
        raise typer.Exit(FAULT) from None


async def _send_all(waiting: "Spool", redelivery: "Redelivery", sink: str) -> tuple[int, str]:
    from rich.console import Console  # noqa: PLC0415 - only when a command runs
    from rich.progress import Progress  # noqa: PLC0415 - as above

    console, delivered = Console(stderr=True), 0
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(sink, total=waiting.entries)
        while waiting.entries:
            count, reason = await _send_next(waiting, redelivery)
            delivered += count
            progress.advance(task, count)
            if reason:
                return delivered, reason
    return delivered, ""


async def _send_next(waiting: "Spool", redelivery: "Redelivery") -> tuple[int, str]:
    """Send the oldest entries; how many were delivered, and why not all."""
    block = waiting.read(_BATCH_ENTRIES, _BATCH_BYTES)
    if block.missing:
        tell(f"{block.missing} entries were damaged on disk and cannot be read")
    if not block.parts:
        return _pass_over(waiting, block)
    fates = await redelivery.send(block.entries, block.parts)
    kept = [at for at, fate in enumerate(fates) if fate.outcome != "delivered"]
    if kept:  # in front of what has not been read; first, so that a crash between sends again rather than never
        waiting.append([block.entries[at] for at in kept], [block.parts[at] for at in kept], front=True)
    if block.cursor is not None:
        waiting.ack(block.cursor)
    reason = f"{fates[kept[0]].status or ''} {fates[kept[0]].reason}".strip() if kept else ""
    return len(fates) - len(kept), reason


def _pass_over(waiting: "Spool", block: "Block") -> tuple[int, str]:
    """Go on behind a stretch that holds nothing but damage; where there was none either, stop."""
    if block.cursor is None:
        return 0, f"{waiting.entries} entries cannot be read"
    waiting.ack(block.cursor)
    return 0, ""


# ---- drop --------------------------------------------------------------------------------------------------------


@command_of(spool, "drop")
def drop(
    *,
    sink: SinkName = None,
    yes: Yes = False,
    file: ConfigFile = None,
    log_dir: LogDir = None,
) -> None:
    """Delete what waits in the queues of processes that ended; leaves an audit line, and prints how many they were."""
    from metaexpert.logger.spool.inspection import drop as drop_queue  # noqa: PLC0415 - only when a command runs

    safe_output()
    config = loaded(file, log_dir)
    waiting, status = _of_ended_runs(_queues(config, sink))
    total = sum(queue.state.entries for queue in waiting)
    if total and not confirmed(f"Delete {total} entries that were never delivered?", yes=yes):
        raise typer.Exit(LEFT)
    dropped = 0
    try:
        for queue in waiting:
            audit(config.log_dir, "spool drop", **_facts(queue))
            dropped += drop_queue(queue.state.folder).entries
    except OSError as error:
        tell(f"error: {error}")
        status = FAULT
    typer.echo(dropped)
    raise typer.Exit(status)


def _facts(queue: _Queue) -> dict[str, Any]:
    """What the audit line says of a queue that is deleted."""
    row = _row(queue)
    return {name: row[name] for name in ("sink", "type", "entries", "bytes", "oldest", "newest", "classes")}
