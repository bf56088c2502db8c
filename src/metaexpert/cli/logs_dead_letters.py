"""`metaexpert logs dead-letters …`: what collectors refused for good, looked at, sent again, or given up.

Files of a running process are read, never changed. Exit status: see `logs_operations`.
"""

import json
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

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
    from metaexpert.cli.logs_redelivery import Fate, Redelivery
    from metaexpert.logger import LoggerConfig
    from metaexpert.logger.dead_letters.format import DeadLetter
    from metaexpert.logger.dead_letters.inspection import Run, Sheet

dead_letters = typer.Typer(
    name="dead-letters",
    help="Entries that collectors refused for good.",
    no_args_is_help=True,
    **SETTINGS,
)

_BATCH_ENTRIES: Final = 500
_BATCH_BYTES: Final = 512 * 1024
_SHOWN_CHARACTERS: Final = 400

EntryId = Annotated[str | None, Option(("--id",), "Only the entry with this id.")]
Reason = Annotated[
    str | None, Option(("--reason",), "Only those refused with this status, or with this text in the reason.")
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters a command is about."""

    sink: str | None = None
    entry_id: str | None = None
    reason: str | None = None

    def __call__(self, letter: "DeadLetter | None") -> bool:
        """Whether it is about this one."""
        if letter is None:
            return False
        reason = self.reason
        return (
            self.sink in {None, letter.sink}
            and self.entry_id in {None, letter.entry_id}
            and (reason is None or reason == str(letter.status) or reason.lower() in letter.reason.lower())
        )


@dataclass(slots=True)
class _Tally:
    """What a command did and could not do."""

    owned: int = 0
    owners: set[int] = field(default_factory=set[int])
    unreadable: int = 0
    done: int = 0
    left: int = 0
    faults: int = 0

    def status(self) -> int:
        """The command's exit status; tells on stderr what was not looked at."""
        if self.unreadable:
            tell(f"{self.unreadable} lines are no whole letters, as a crash leaves them; they were skipped")
        if self.owned:
            pids = ", ".join(map(str, sorted(self.owners)))
            tell(f"{self.owned} letters belong to running processes ({pids}) and were left alone; stop these first")
        if self.faults:
            return FAULT
        if self.left:
            return LEFT
        return OWNED if self.owned and not self.done else DONE


# ---- list and show -----------------------------------------------------------------------------------------------


@command_of(dead_letters, "list")
def list_letters(*, file: ConfigFile = None, log_dir: LogDir = None, as_json: AsJson = False) -> None:
    """List the sinks with dead letters: how many, since when, and why."""
    safe_output()
    config = loaded(file, log_dir)
    tally = _Tally()
    rows = [_summary(folder, runs, tally) for folder, runs in _runs(config, tally)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print_table(rows)
    raise typer.Exit(tally.status())


@command_of(dead_letters, "show")
def show(
    *,
    sink: SinkName = None,
    entry_id: EntryId = None,
    reason: Reason = None,
    limit: Annotated[int, Option(("--limit",), "Letters at most, the newest.", least=1)] = 50,
    file: ConfigFile = None,
    log_dir: LogDir = None,
    as_json: AsJson = False,
) -> None:
    """Show letters, the oldest first: time, sink, entry, why it was refused, and the bytes that were."""
    safe_output()
    wanted, tally = Wanted(sink, entry_id, reason), _Tally()
    letters = [letter for _, sheet in _sheets(loaded(file, log_dir), tally) for letter in sheet.letters]
    chosen = sorted((letter for letter in letters if letter and wanted(letter)), key=lambda letter: letter.time_ns)
    for letter in chosen[-limit:]:
        typer.echo(letter.line(), nl=False) if as_json else _print_letter(letter)
    if len(chosen) > limit:
        tell(f"{len(chosen) - limit} older letters are not shown; --limit shows more")
    raise typer.Exit(tally.status())


def _folders(config: "LoggerConfig") -> list[Path]:
    from metaexpert.logger.dead_letters.inspection import folders_in  # noqa: PLC0415 - only when a command runs

    try:
        return folders_in(config.log_dir)
    except OSError as error:
        tell(f"error: {error}")
        raise typer.Exit(FAULT) from None


def _runs(config: "LoggerConfig", tally: _Tally) -> Iterator[tuple[Path, list["Run"]]]:
    """The runs in each sink's folder; a folder that cannot be looked into is told."""
    from metaexpert.logger.dead_letters.inspection import runs_in  # noqa: PLC0415 - only when a command runs

    for folder in _folders(config):
        try:
            yield folder, runs_in(folder)
        except OSError as error:
            _fault(error, tally)


def _sheets(config: "LoggerConfig", tally: _Tally) -> Iterator[tuple["Run", "Sheet"]]:
    """Every file of letters there is; what cannot be read is told."""
    for _, runs in _runs(config, tally):
        for run in runs:
            for path in run.paths:
                yield from _sheet_or_none(run, path, tally)


def _sheet_or_none(run: "Run", path: Path, tally: _Tally) -> Iterator[tuple["Run", "Sheet"]]:
    from metaexpert.logger.dead_letters.inspection import read_sheet  # noqa: PLC0415 - only when a command runs

    try:
        sheet = read_sheet(path)
    except FileNotFoundError:
        return
    except OSError as error:
        _fault(error, tally)
        return
    tally.unreadable += sheet.unreadable
    yield run, sheet


def _summary(folder: Path, runs: "Sequence[Run]", tally: _Tally) -> dict[str, Any]:
    statuses, unreadable_before = Counter[str](), tally.unreadable
    sinks, times, size_bytes = dict[tuple[str, str], None](), list[str](), 0
    for run in runs:
        for _, sheet in (found for path in run.paths for found in _sheet_or_none(run, path, tally)):
            size_bytes += sum(map(len, sheet.lines))
            for letter in filter(None, sheet.letters):
                statuses[str(letter.status)] += 1
                sinks[letter.sink, letter.kind] = None
                times.append(letter.time)
    name, kind = next(iter(sinks), (folder.name, ""))
    return {
        "sink": name,
        "type": kind,
        "letters": statuses.total(),
        "bytes": size_bytes,
        "oldest": min(times, default=None),
        "newest": max(times, default=None),
        "statuses": dict(statuses.most_common()),
        "running": sorted({run.pid for run in runs if _is_live(run)}),
        "unreadable": tally.unreadable - unreadable_before,
    }


def _is_live(run: "Run") -> bool:
    try:
        return run.is_live()
    except OSError:  # another user's, whose lock we may not try
        return True


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        tell("no dead letters")
        return
    columns = ("sink", "type", "letters", "size", "oldest", "newest", "status", "running process")
    print_table(columns, map(_cells, rows))


def _cells(row: dict[str, Any]) -> Sequence[object]:
    statuses = ", ".join(f"{status} ({count})" for status, count in row["statuses"].items())
    times = (to_the_second(row["oldest"]), to_the_second(row["newest"]))
    what = (row["sink"], row["type"], row["letters"], size_text(row["bytes"]))
    return (*what, *times, statuses, ", ".join(map(str, row["running"])))


def _print_letter(letter: "DeadLetter") -> None:
    from metaexpert.cli.logs_redelivery import one_line  # noqa: PLC0415 - only when a command runs

    where = f"{letter.time}  {letter.sink}  {letter.entry_id}  {letter.level_name}  {letter.log_type}"
    typer.echo(one_line(f"{where}  status {letter.status}: {letter.reason}"))
    typer.echo(f"    {one_line(letter.text, _SHOWN_CHARACTERS)}")


# ---- resubmit ----------------------------------------------------------------------------------------------------


@command_of(dead_letters, "resubmit")
def resubmit(
    *,
    sink: SinkName = None,
    entry_id: EntryId = None,
    reason: Reason = None,
    file: ConfigFile = None,
    log_dir: LogDir = None,
    as_json: AsJson = False,
) -> None:
    """Send letters again, byte for byte, through the configured sink; those it takes are removed.

    Only letters of processes that ended. One attempt each; a destination that does not answer ends its sink's turn.
    """
    import asyncio  # noqa: PLC0415 - only when a command runs

    safe_output()
    config, tally = loaded(file, log_dir), _Tally()
    asyncio.run(_resubmit(config, Wanted(sink, entry_id, reason), tally, as_json=as_json))
    tell(f"{tally.done} delivered, {tally.left} left")
    raise typer.Exit(tally.status())


async def _resubmit(config: "LoggerConfig", wanted: Wanted, tally: _Tally, *, as_json: bool) -> None:
    from metaexpert.cli.logs_redelivery import Redelivery, sink_options  # noqa: PLC0415 - only when a command runs
    from metaexpert.exceptions import ConfigError  # noqa: PLC0415 - as above

    for kind, name in _sinks_of(config, wanted, tally):
        try:
            options = sink_options(config, kind, name)
        except ConfigError as error:
            tell(f"error: {error}")
            tally.faults += 1
            continue
        async with Redelivery(config, options) as redelivery:
            await _resubmit_sink(config, Wanted(name, wanted.entry_id, wanted.reason), redelivery, tally, as_json)


def _sinks_of(config: "LoggerConfig", wanted: Wanted, tally: _Tally) -> list[tuple[str, str]]:
    found = (letter for _, sheet in _sheets(config, tally) for letter in sheet.letters)
    return sorted({(letter.kind, letter.sink) for letter in found if letter and wanted(letter)})


async def _resubmit_sink(
    config: "LoggerConfig",
    wanted: Wanted,
    redelivery: "Redelivery",
    tally: _Tally,
    as_json: bool,  # noqa: FBT001 - handed on
) -> None:
    going_on = True
    for run, path in [(run, sheet.path) for run, sheet in _sheets(config, _Tally()) if _chosen(sheet, wanted)]:
        with _held(run, path, wanted, tally) as found:
            if found is None:
                continue
            sheet, positions = found
            if going_on:
                audit(config.log_dir, "dead-letters resubmit", file=path.name, entries=len(positions))
                going_on = await _resubmit_sheet(sheet, positions, redelivery, tally, as_json=as_json)
            else:
                tally.left += len(positions)


async def _resubmit_sheet(
    sheet: "Sheet", positions: Sequence[int], redelivery: "Redelivery", tally: _Tally, *, as_json: bool
) -> bool:
    """Send these letters of one file, and leave in it what was not delivered; whether to go on with the next file."""
    from metaexpert.cli.logs_redelivery import Fate  # noqa: PLC0415 - only when a command runs

    delivered: set[int] = set()
    going_on = True
    try:
        for group in _groups(sheet, positions):
            fates = await _send(sheet, group, redelivery) if going_on else [Fate("kept", 0, "not tried")] * len(group)
            delivered |= {at for at, fate in zip(group, fates, strict=True) if fate.outcome == "delivered"}
            for at, fate in zip(group, fates, strict=True):
                _print_fate(sheet.letters[at], fate, as_json=as_json)
            going_on = going_on and all(fate.outcome != "kept" for fate in fates)
    finally:  # also when interrupted: what was delivered is not to be sent again
        sheet.keep([at for at in range(len(sheet.lines)) if at not in delivered])
        tally.done += len(delivered)
        tally.left += len(positions) - len(delivered)
    return going_on


def _groups(sheet: "Sheet", positions: Sequence[int]) -> Iterator[list[int]]:
    group, size_bytes = list[int](), 0
    for at in positions:
        group.append(at)
        size_bytes += len(sheet.lines[at])
        if len(group) >= _BATCH_ENTRIES or size_bytes >= _BATCH_BYTES:
            yield group
            group, size_bytes = [], 0
    if group:
        yield group


async def _send(sheet: "Sheet", group: Sequence[int], redelivery: "Redelivery") -> list["Fate"]:
    from metaexpert.cli.logs_redelivery import Fate, stored_entry  # noqa: PLC0415 - only when a command runs

    fates = dict.fromkeys(group, Fate("refused", 0, "the sink could not encode it, there is nothing to send"))
    sent = [(at, letter, letter.part) for at in group if (letter := sheet.letters[at]) and letter.part is not None]
    if sent:
        entries = [
            stored_entry(letter.seq, letter.entry_time_ns, letter.level, letter.log_type, len(part))
            for _, letter, part in sent
        ]
        answered = await redelivery.send(entries, [part for _, _, part in sent])
        fates |= {at: fate for (at, _, _), fate in zip(sent, answered, strict=True)}
    return [fates[at] for at in group]


def _print_fate(letter: "DeadLetter | None", fate: "Fate", *, as_json: bool) -> None:
    from metaexpert.cli.logs_redelivery import one_line  # noqa: PLC0415 - only when a command runs

    if letter is None:
        return
    if as_json:
        facts = {"sink": letter.sink, "id": letter.entry_id, "outcome": fate.outcome}
        typer.echo(json.dumps(facts | {"status": fate.status, "reason": fate.reason}))
        return
    why = "" if fate.outcome == "delivered" else f"  {fate.status or ''} {fate.reason}"
    typer.echo(one_line(f"{fate.outcome:<9}  {letter.sink}  {letter.entry_id}{why}"))


# ---- drop --------------------------------------------------------------------------------------------------------


@command_of(dead_letters, "drop")
def drop(
    *,
    sink: SinkName = None,
    entry_id: EntryId = None,
    reason: Reason = None,
    yes: Yes = False,
    file: ConfigFile = None,
    log_dir: LogDir = None,
) -> None:
    """Delete letters of processes that ended; writes an audit line, and prints how many they were."""
    safe_output()
    config, wanted, tally = loaded(file, log_dir), Wanted(sink, entry_id, reason), _Tally()
    found = [(run, sheet) for run, sheet in _sheets(config, tally) if _chosen(sheet, wanted)]
    total = sum(len(_chosen(sheet, wanted)) for _, sheet in found)
    if total and not confirmed(f"Delete up to {total} dead letters for good?", yes=yes):
        raise typer.Exit(LEFT)
    for run, sheet in found:
        _drop(config, run, sheet.path, wanted, tally)
    typer.echo(tally.done)
    raise typer.Exit(tally.status())


def _drop(config: "LoggerConfig", run: "Run", path: Path, wanted: Wanted, tally: _Tally) -> None:
    with _held(run, path, wanted, tally) as found:
        if found is not None:
            sheet, chosen = found
            audit(config.log_dir, "dead-letters drop", file=path.name, entries=len(chosen))
            sheet.keep([at for at in range(len(sheet.lines)) if at not in {*chosen}])
            tally.done += len(chosen)


# ---- what changing them takes ------------------------------------------------------------------------------------


def _chosen(sheet: "Sheet", wanted: Wanted) -> list[int]:
    return [at for at, letter in enumerate(sheet.letters) if wanted(letter)]


@contextmanager
def _held(run: "Run", path: Path, wanted: Wanted, tally: _Tally) -> Generator[tuple["Sheet", list[int]] | None]:
    """A file of a run that ended, held while the block lasts, and which of its letters are meant; None without any.

    What the disk refuses within the block is told and counted.
    """
    from metaexpert.logger.dead_letters.inspection import read_sheet  # noqa: PLC0415 - only when a command runs

    with ExitStack() as stack:
        found = None
        try:
            ours = stack.enter_context(run.held())
            sheet = read_sheet(path)  # as it is now: somebody may have dealt with it until we held it
            chosen = _chosen(sheet, wanted)
            if chosen and not ours:
                tally.owned += len(chosen)
                tally.owners.add(run.pid)
            found = (sheet, chosen) if chosen and ours else None
        except FileNotFoundError:
            pass  # somebody has dealt with all of it
        except OSError as error:
            _fault(error, tally)
        try:
            yield found
        except OSError as error:
            _fault(error, tally)


def _fault(error: OSError, tally: _Tally) -> None:
    tell(f"error: {error}")
    tally.faults += 1
