"""`metaexpert logs hold …`: legal holds on log files, placed, listed and released; each leaves an audit line.

Exit status: 0 done; 1 the disk, or a damaged file of holds, is in the way; 2 wrong usage; 3 not confirmed.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from metaexpert.cli.declared import Argument, Option
from metaexpert.cli.for_typer import SETTINGS, command_of
from metaexpert.cli.logs_operations import (
    DONE,
    FAULT,
    LEFT,
    audit,
    confirmed,
    loaded,
    print_table,
    safe_output,
    tell,
    to_the_second,
    user_name,
)
from metaexpert.cli.options import AsJson, ConfigFile, LogDir, LogName, SinceUtc, UntilUtc, Yes

if TYPE_CHECKING:
    from metaexpert.logger.files.keeping.hold import Hold

hold = typer.Typer(
    name="hold",
    help="Legal holds: log files that nothing deletes until the hold is released.",
    no_args_is_help=True,
    **SETTINGS,
)


@command_of(hold, "add")
def add(
    *,
    reason: Annotated[str, Option(("--reason",), "Why, such as the number of a case.")],
    log: LogName = None,
    pattern: Annotated[str, Option(("--pattern",), "Only files with such a name; * and ? stand for any.")] = "",
    since: SinceUtc = None,
    until: UntilUtc = None,
    actor: Annotated[str | None, Option(("--actor",), "Who asks for it, when it is not you.")] = None,
    file: ConfigFile = None,
    log_dir: LogDir = None,
) -> None:
    """Place a hold and print its id. Without --log, --pattern, --since and --until it is over every log file."""
    from metaexpert.logger.files.keeping.hold import HoldError, place  # noqa: PLC0415 - only when a command runs

    safe_output()
    config = loaded(file, log_dir)
    facts = {
        "reason": reason,
        "actor": actor or user_name(),
        "log": log or "",
        "pattern": pattern,
        "since": moment(since, "--since"),
        "until": moment(until, "--until"),
    }
    try:
        config.log_dir.mkdir(parents=True, exist_ok=True)
        audit(config.log_dir, "hold add", **facts)
        placed = place(config.log_dir, **facts)  # pyright: ignore[reportArgumentType] - as they are made above
    except (HoldError, OSError) as error:
        tell(f"error: {error}")
        raise typer.Exit(FAULT) from None
    typer.echo(placed.id)
    raise typer.Exit(DONE)


@command_of(hold, "list")
def list_holds(*, file: ConfigFile = None, log_dir: LogDir = None, as_json: AsJson = False) -> None:
    """List the holds in force."""
    from metaexpert.logger.files.keeping.hold import read_holds  # noqa: PLC0415 - only when a command runs

    safe_output()
    holds = read_holds(loaded(file, log_dir).log_dir)
    if holds.damage:
        tell(f"error: everything is held: {holds.damage}")
        raise typer.Exit(FAULT)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in holds.holds], indent=2))
    elif holds.holds:
        columns = ("id", "log", "pattern", "since", "until", "reason", "actor", "placed")
        print_table(columns, map(_cells, holds.holds))
    else:
        tell("no holds")
    raise typer.Exit(DONE)


@command_of(hold, "release")
def release(
    hold_id: Annotated[str, Argument("The hold's id, as `list` shows it.", "ID")],
    *,
    reason: Annotated[str, Option(("--reason",), "Why it may be released.")],
    yes: Yes = False,
    file: ConfigFile = None,
    log_dir: LogDir = None,
) -> None:
    """Release a hold: what was under it alone is deleted when its time has come."""
    from metaexpert.logger.files.keeping.hold import HoldError, find  # noqa: PLC0415 - only when a command runs
    from metaexpert.logger.files.keeping.hold import release as release_hold  # noqa: PLC0415 - as above

    safe_output()
    config = loaded(file, log_dir)
    try:
        found = find(config.log_dir, hold_id)
        if not confirmed(f"Release hold {found.id} ({found.reason})?", yes=yes):
            raise typer.Exit(LEFT)
        audit(config.log_dir, "hold release", id=found.id, placed_for=found.reason, reason=reason)
        release_hold(config.log_dir, hold_id)
    except (HoldError, OSError) as error:
        tell(f"error: {error}")
        raise typer.Exit(FAULT) from None
    typer.echo(found.id)
    raise typer.Exit(DONE)


def moment(text: str | None, option: str) -> float | None:
    """The time a person wrote, seconds since 1970; wrong ones end the command."""
    from metaexpert.logger.files.reading.moments import SECOND_NS, moment_ns  # noqa: PLC0415 - only when a command runs

    if text is None:
        return None
    time_ns = moment_ns(text, datetime.now(UTC), UTC)
    if time_ns is None:
        raise typer.BadParameter(f"{text!r} is no time; write 2026-11-23T14:00, or 30d", param_hint=option)
    return time_ns / SECOND_NS


def _cells(each: "Hold") -> Sequence[object]:
    what = (each.id, each.log or "all", each.pattern or "*", _time(each.since), _time(each.until))
    return (*what, each.reason, each.actor, to_the_second(each.placed_at))


def _time(seconds: float | None) -> str:
    return "" if seconds is None else to_the_second(datetime.fromtimestamp(seconds, UTC).isoformat())
