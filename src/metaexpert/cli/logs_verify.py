"""`metaexpert logs verify`: whether log files are what was written, file by file, and the first entry that is not.

Exit status: 0 nothing was tampered with, as far as can be told; 1 something cannot be read, or the configuration is in
the way; 2 wrong usage; 3 tampering was found.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from metaexpert.cli.declared import Option
from metaexpert.cli.logs_operations import DONE, FAULT, safe_output, tell
from metaexpert.cli.logs_places import configured_places
from metaexpert.cli.logs_reading import ending_well
from metaexpert.cli.options import AsJson, ConfigFile, Places

if TYPE_CHECKING:
    from metaexpert.logger.files.evidence.anchors import Held
    from metaexpert.logger.files.evidence.verdict import FileVerdict, Report, SealsVerdict

TAMPERED: Final = 3

_MODE: Final = 0o600
_SHOWN_PURGED: Final = 3


def verify(
    places: Places = None,
    *,
    key_file: Annotated[
        Path | None, Option(("--key-file", "-k"), "The file with the secret that the chains are signed with.")
    ] = None,
    anchors: Annotated[
        list[Path] | None,
        Option(("--anchors", "-a"), "An export (NDJSON) of what collectors hold of the seals; several allowed."),
    ] = None,
    partial: Annotated[
        bool, Option(("--partial",), "The anchors may be about other logs too: none of those counts as missing.")
    ] = False,
    file: ConfigFile = None,
    as_json: AsJson = False,
    new_key: Annotated[
        Path | None, Option(("--new-key",), "Make a new secret in this file, and verify nothing.")
    ] = None,
) -> None:
    """Verify log files against their hash chains, and name the first entry that was tampered with.

    Status 3 where tampering is found: an entry that was changed, removed, inserted or reordered, a file that was
    truncated, replaced or rolled back or is missing, a chain or seals that were rewritten.
    """
    safe_output()
    with ending_well():
        if new_key is not None:
            _make_key(new_key)
            return
        named = places or configured_places(file)
        report = _verified(named, key_file, anchors or [], is_partial=partial, progress=not as_json)
    if as_json:
        typer.echo(json.dumps(_document(report), indent=2))
    else:
        _print(report)
    if not report.is_intact:
        raise typer.Exit(TAMPERED)
    raise typer.Exit(DONE if report.is_readable else FAULT)


def _make_key(path: Path) -> None:
    from metaexpert.logger.files.evidence.chain_keys import new_secret  # noqa: PLC0415 - the command line imports what it needs when it runs

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        tell(f"error: {path} is there already; a key in use must not be lost: choose another name")
        raise typer.Exit(FAULT) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as made:
        made.write(f"{new_secret()}\n")
    typer.echo(f"A new secret is in {path}. Name it as tamper_evidence.key_file, start once, and when each log has a")
    typer.echo("`.seals.key` beside it, take the secret off this machine: who verifies needs it, and nobody else.")


def _verified(
    places: list[Path], key_file: Path | None, anchors: list[Path], *, is_partial: bool, progress: bool
) -> "Report":
    from metaexpert.cli.logs_progress import Progress  # noqa: PLC0415 - as above
    from metaexpert.logger.files.evidence.chain_keys import read_chain_secret  # noqa: PLC0415 - as above
    from metaexpert.logger.files.evidence.verify import verify as verify_logs  # noqa: PLC0415 - as above

    secret = None if key_file is None else read_chain_secret(key_file)
    held = [anchor for path in anchors for anchor in _held(path)]
    done_bytes = 0

    def count(verdict: "FileVerdict") -> None:
        nonlocal done_bytes
        done_bytes += verdict.size_bytes

    with Progress("verifying", 0, lambda: done_bytes, wanted=progress):
        return verify_logs(places, secret=secret, anchors=held, is_partial=is_partial, told=count)


def _held(path: Path) -> "Iterator[Held]":
    from metaexpert.logger.files.evidence.anchors import held_in  # noqa: PLC0415 - as above

    with path.open("rb") as lines:
        yield from held_in(lines)


# ---- for people -------------------------------------------------------------------------------------------------


def _print(report: "Report") -> None:
    from metaexpert.cli.tables import Column, table_lines  # noqa: PLC0415 - as above
    from metaexpert.logger.files.evidence.verdict import State  # noqa: PLC0415 - as above

    shown = [each for each in report.files if each.state != State.PURGED]
    rows = [_row(each) for each in shown] + [_seals_row(each) for each in report.seals]
    columns = (Column("file"), Column("is"), Column("lines", right=True), Column("signature"))
    if rows:
        for line in table_lines(columns, rows):
            typer.echo(line)
    for text in _remarks(report):
        typer.echo(text)
    typer.echo("")
    typer.echo(_summary(report))


def _row(verdict: "FileVerdict") -> tuple[str, ...]:
    from metaexpert.logger.files.evidence.verdict import State  # noqa: PLC0415 - as above

    name = verdict.name if verdict.path is None else verdict.path.name
    is_known = verdict.state not in {State.MISSING, State.UNCHAINED}
    return name, verdict.state, f"{verdict.lines:,}" if is_known else "", "valid" if verdict.signed else ""


def _seals_row(seals: "SealsVerdict") -> tuple[str, ...]:
    state = "tampered" if seals.findings else "intact"
    return seals.path.name, state, f"{seals.lines:,}", "valid" if seals.signed else ""


def _remarks(report: "Report") -> Iterator[str]:
    """What is wrong first, then what else there is to say."""
    from metaexpert.logger.files.evidence.verdict import State  # noqa: PLC0415 - as above
    from metaexpert.logger.formats.controls import neutralised  # noqa: PLC0415 - as above

    purged = [each for each in report.files if each.state == State.PURGED]
    wrong = [(each.path or each.name, each.finding) for each in report.files if each.finding is not None]
    wrong += [(seals.path, finding) for seals in report.seals for finding in seals.findings]
    shown = [each for each in report.files if each.state != State.PURGED] + purged[:_SHOWN_PURGED]
    notes = [(each.path or each.name, note) for each in shown for note in each.notes]
    notes += [(seals.path, note) for seals in report.seals for note in seals.notes]
    if wrong:
        yield "\nTampering, the first of it in each file:"
    for where, finding in wrong:
        yield f"  {where}\n    {finding.kind}: {neutralised(finding.text)}"
    if notes or report.notes:
        yield "\nNotes:"
    for where, note in notes:
        yield f"  {where}\n    {neutralised(note)}"
    if len(purged) > _SHOWN_PURGED:
        yield f"  {len(purged) - _SHOWN_PURGED} more were purged by retention; --json names them"
    for note in report.notes:
        yield f"  {note}"


def _summary(report: "Report") -> str:
    from metaexpert.cli.tables import count_text  # noqa: PLC0415 - as above
    from metaexpert.logger.files.evidence.verdict import HARMED, State  # noqa: PLC0415 - as above

    told = [
        count_text(number, f"file {words}", f"files {words}")
        for states, words in (
            ((State.INTACT,), "intact"),
            ((State.LIVE,), "being written and intact so far"),
            ((State.CUT_SHORT,), "unsealed, intact as far as covered"),
            ((State.UNCHAINED,), "without a chain"),
            ((State.PURGED,), "purged by retention"),
            ((State.UNREADABLE,), "unreadable"),
            (HARMED, "tampered with or missing"),
        )
        if (number := report.count(states))
    ]
    lines = sum(each.lines for each in report.files)
    told.append(f"{lines:,} lines proven")
    if report.anchors:
        told.append(f"{count_text(report.anchors, 'anchor')} compared")
    verdict = "no tampering found" if report.is_intact else "TAMPERING FOUND"
    return f"{verdict}: {', '.join(told)}"


# ---- for programs -----------------------------------------------------------------------------------------------


def _document(report: "Report") -> dict[str, Any]:
    return {
        "intact": report.is_intact,
        "files": [asdict(each) | {"path": each.path and str(each.path)} for each in report.files],
        "seals": [asdict(each) | {"log": str(each.log), "path": str(each.path)} for each in report.seals],
        "anchors": report.anchors,
        "notes": report.notes,
    }
