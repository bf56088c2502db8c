"""`metaexpert logs retention`: what is compressed, archived and deleted of finished log files, and why; shown, or done.

Exit status: 0 all is as the configuration wants it, or was shown; 1 the configuration or the disk is in the way;
2 wrong usage; 3 files stay against a bound, within their term or under a hold, nothing was confirmed, or more is to be
done by now than was shown; 4 another process keeps the files at this moment.
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaexpert.cli.declared import Option
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
from metaexpert.cli.options import AsJson, ConfigFile, LogDir, LogName, Yes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metaexpert.logger import LoggerConfig
    from metaexpert.logger.files.keeping.housekeeping import Housekeeper, Planned
    from metaexpert.logger.files.keeping.kept_logs import KeptLog
    from metaexpert.logger.files.keeping.retention import Action, KeptFile


def retention(
    *,
    dry_run: Annotated[bool, Option(("--dry-run",), "Only show what would be done, and why.")] = False,
    adopt: Annotated[
        bool, Option(("--adopt",), "First make those files of the archive this program's own that nobody claims.")
    ] = False,
    log: LogName = None,
    yes: Yes = False,
    file: ConfigFile = None,
    log_dir: LogDir = None,
    as_json: AsJson = False,
) -> None:
    """Compress, archive and delete finished log files as the configuration says; shows what goes and why, and asks.

    A running program does the same by itself. Files with a writer, within their term or under a hold stay.
    """
    safe_output()
    config = loaded(file, log_dir)
    logs = logs_named(config, log)
    keeper = _keeper(config, logs)
    if adopt and not dry_run:
        _adopt(config, keeper, logs, yes=yes)
    plans = _plans(keeper, logs)
    status = LEFT if any(_conflicts(each) for each in plans) else DONE
    done: dict[str, Any] | None = None
    if not as_json:
        _print_table(plans)
    if not dry_run and any(_rows(each, todo=True) for each in plans):
        status, done = _carry_out(config, keeper, plans, yes=yes)
    if as_json:
        _print_json(plans, done)
    raise typer.Exit(status)


def _adopt(config: "LoggerConfig", keeper: "Housekeeper", logs: "Sequence[KeptLog]", *, yes: bool) -> None:
    """Have logs count and delete, by their own rules, what nobody claims in their archives, once that is confirmed."""
    plans = _plans(keeper, logs)
    nobodys = [each for plan in plans for each in plan.files if each.is_ours is None]
    if not nobodys:
        return
    if not confirmed(f"Adopt {files_text(len(nobodys))} of the archive?", yes=yes):
        raise typer.Exit(LEFT)
    try:
        audit(config.log_dir, "adopt", files=[str(each.file.path) for each in nobodys])
        for log in logs:
            keeper.adopt(log)
    except OSError as error:
        tell(f"error: {error}")
        raise typer.Exit(FAULT) from None


def logs_named(config: "LoggerConfig", name: str | None) -> "tuple[KeptLog, ...]":
    """The configured logs, or the one of that name; there has to be one."""
    from metaexpert.logger.files.keeping.kept_logs import kept_logs  # noqa: PLC0415 - only when a command runs

    logs = kept_logs(config)
    chosen = tuple(each for each in logs if name in {None, each.path.name, str(each.path)})
    if name is not None and not chosen:
        known = ", ".join(each.path.name for each in logs) or "none"
        raise typer.BadParameter(f"{name!r} is no log of the configuration; there are: {known}", param_hint="--log")
    return chosen


def files_text(count: int) -> str:
    """A number of files, for people."""
    return f"{count} file" if count == 1 else f"{count} files"


def _keeper(config: "LoggerConfig", logs: "Sequence[KeptLog]") -> "Housekeeper":
    from metaexpert.logger.files.keeping.housekeeping import Housekeeper  # noqa: PLC0415 - only when a command runs
    from metaexpert.logger.files.keeping.pace import Pace  # noqa: PLC0415 - as above
    from metaexpert.logger.notices import Notices  # noqa: PLC0415 - as above

    notices = Notices()
    notices.at_end = True  # written at once: this process ends soon
    return Housekeeper(config.log_dir, logs, notices.say, pace=Pace(rest_seconds=0.0))


def _plans(keeper: "Housekeeper", logs: "Sequence[KeptLog]") -> "list[Planned]":
    try:
        return [keeper.planned(log) for log in logs]
    except OSError as error:
        tell(f"error: {error}")
        raise typer.Exit(FAULT) from None


def _carry_out(
    config: "LoggerConfig", keeper: "Housekeeper", plans: "Sequence[Planned]", *, yes: bool
) -> tuple[int, dict[str, Any] | None]:
    """Do it, once it is confirmed and written down; the exit status and what was done."""
    rows = [row for each in plans for row in _rows(each, todo=True)]
    doomed = [row for row in rows if row["action"] == "delete"]
    size = size_text(sum(row["bytes"] for row in doomed))
    if doomed and not confirmed(f"Delete {files_text(len(doomed))} ({size})?", yes=yes):
        return LEFT, None
    try:
        audit(config.log_dir, "retention", files={row["file"]: f"{row['action']}: {row['reason']}" for row in rows})
    except OSError as error:
        tell(f"error: {error}")
        return FAULT, None
    shown = [action for each in plans for action in each.actions]
    keeper.permit(shown)  # the plan may be another one by now
    free = keeper.keep()
    counters = keeper.counters
    done = {key: value for key, value in asdict(counters).items() if key != "passes"}
    if not free:
        tell("another process keeps the files of a folder at this moment; try again")
    more = _more_than(shown, keeper, [each.log for each in plans])
    if more:
        tell(
            f"{files_text(more)} more would be compressed, archived or deleted by now: run it again to see and confirm"
        )
    is_left = more or counters.conflicts
    status = FAULT if counters.failures else OWNED if not free else LEFT if is_left else DONE
    counts = f"{counters.packed} compressed, {counters.archived} archived, {counters.purged} deleted"
    tell(f"{counts}, {counters.failures} failed")
    return status, done


def _more_than(shown: "Sequence[Action]", keeper: "Housekeeper", logs: "Sequence[KeptLog]") -> int:
    """Files with which something would be done now that was not shown."""
    from metaexpert.logger.files.keeping.housekeeping import deed_of  # noqa: PLC0415 - only when a command runs
    from metaexpert.logger.files.keeping.retention import Conflict  # noqa: PLC0415 - as above

    keeper.permit(None)
    known = {Conflict, *map(deed_of, shown)}
    actions = [action for each in _plans(keeper, logs) for action in each.actions if deed_of(action) not in known]
    return len({action.kept.file.path for action in actions if not isinstance(action, Conflict)})


def _print_json(plans: "Sequence[Planned]", done: dict[str, Any] | None) -> None:
    files = [row for each in plans for row in _rows(each)]
    conflicts = [text for each in plans for text in _conflicts(each)]
    typer.echo(json.dumps({"files": files, "conflicts": conflicts, "done": done}, indent=2))


def _print_table(plans: "Sequence[Planned]") -> None:
    rows = [row for each in plans for row in _rows(each)]
    if rows:
        columns = ("file", "size", "last entry", "what", "why")
        print_table(columns, ([*_what(row), row["action"], row["reason"]] for row in rows))
    else:
        tell("no log files")
    for text in [text for each in plans for text in _conflicts(each)]:
        tell(text)


def _what(row: dict[str, Any]) -> list[object]:
    return [row["file"], size_text(row["bytes"]), to_the_second(row["last_entry"])]


def _conflicts(planned: "Planned") -> list[str]:
    from metaexpert.logger.files.keeping.retention import Conflict  # noqa: PLC0415 - only when a command runs

    name = planned.log.path.name
    return [f"{name}: {each.bound}: {each.reason}" for each in planned.actions if isinstance(each, Conflict)]


def _rows(planned: "Planned", *, todo: bool = False) -> list[dict[str, Any]]:
    """Each file of a log with what is done with it, the oldest first; `todo` for those alone that do not stay."""
    from metaexpert.logger.files.keeping.retention import Archive, Pack, Purge  # noqa: PLC0415 - only when a command runs

    verbs = {Pack: "compress", Archive: "archive", Purge: "delete"}
    actions: dict[Path, tuple[str, str]] = {}
    for action in planned.actions:
        if isinstance(action, Pack | Archive | Purge):
            path = action.kept.file.path
            verb = ", ".join(filter(None, (actions.get(path, ("",))[0], verbs[type(action)])))
            actions[path] = ("delete" if isinstance(action, Purge) else verb, action.reason)
    for path, why in _kept_against(planned).items():
        verb, reason = actions.get(path, ("keep", ""))
        actions[path] = (verb, "; ".join(filter(None, (reason, f"may not be deleted: {why}"))))
    found = sorted(planned.files, key=lambda each: (each.modified_at, each.file))
    rows = [(each, actions.get(each.file.path, ("keep", _why_kept(planned, each)))) for each in found]
    return [_row(each, verb, reason) for each, (verb, reason) in rows if verb != "keep" or not todo]


def _kept_against(planned: "Planned") -> dict[Path, str]:
    """The files that a bound would have deleted, and why they stay."""
    from metaexpert.logger.files.keeping.retention import Conflict  # noqa: PLC0415 - only when a command runs

    conflicts = [action for action in planned.actions if isinstance(action, Conflict)]
    kept = {each.file: each for conflict in conflicts for each in conflict.kept}
    return {file.path: planned.protection(each) for file, each in kept.items()}


def _row(kept: "KeptFile", verb: str, reason: str) -> dict[str, Any]:
    return {
        "log": kept.file.log.name,
        "file": str(kept.file.path),
        "bytes": kept.size_bytes,
        "last_entry": datetime.fromtimestamp(kept.modified_at, UTC).isoformat(timespec="seconds"),
        "archived": kept.is_archived,
        "action": verb,
        "reason": reason,
    }


def _why_kept(planned: "Planned", kept: "KeptFile") -> str:
    if kept.is_written:
        return "it is being written"
    if not kept.is_ours:
        return "nobody claims it (--adopt)" if kept.is_ours is None else "it is another program's"
    return planned.protection(kept) or "within every bound"
