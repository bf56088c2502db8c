"""`metaexpert logs …`: what concerns logging; each command imports what it needs when it runs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaexpert.cli.logs_dead_letters import dead_letters
from metaexpert.cli.logs_errors import errors
from metaexpert.cli.logs_export import export
from metaexpert.cli.logs_grep import grep
from metaexpert.cli.logs_hold import hold
from metaexpert.cli.logs_last_crash import last_crash
from metaexpert.cli.logs_query import query
from metaexpert.cli.logs_restore import restore
from metaexpert.cli.logs_retention import retention
from metaexpert.cli.logs_spool import spool
from metaexpert.cli.logs_stats import stats
from metaexpert.cli.logs_tail import tail
from metaexpert.cli.logs_trades import trades
from metaexpert.cli.logs_verify import verify

if TYPE_CHECKING:
    from metaexpert.logger import LoggerConfig

logs = typer.Typer(
    name="logs",
    help="Read logs; look after their files, disk queues and dead letters; show the configuration.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


logs.add_typer(dead_letters)
logs.add_typer(spool)
logs.add_typer(hold)
logs.command("last-crash")(last_crash)
logs.command()(retention)
logs.command()(restore)
logs.command()(tail)
logs.command()(grep)
logs.command()(errors)
logs.command()(export)
logs.command()(query)
logs.command()(stats)
logs.command()(trades)
logs.command()(verify)


@logs.command()
def config(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Also try what a start needs: folders, secrets, certificates.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="A TOML file, instead of metaexpert.toml or pyproject.toml here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")] = False,
) -> None:
    """Print the effective configuration with the source of each value, secrets hidden.

    The lines are TOML. What is wrong is told on stderr, all of it, and ends the command with status 1.
    """
    from metaexpert.exceptions import ConfigError  # noqa: PLC0415 - as the module says
    from metaexpert.logger import LoggerConfig  # noqa: PLC0415 - as the module says

    made, errors, warnings = None, list[str](), list[str]()
    try:
        made = LoggerConfig.load(file)
    except ConfigError as error:
        errors = str(error).splitlines()
    if made is not None and check:
        from metaexpert.logger.configuring.check import findings  # noqa: PLC0415 - as the module says

        found = findings(made)
        errors, warnings = list(found.errors), list(found.warnings)
    if as_json:
        _print_json(made, errors, warnings)
    elif made is not None:
        _print_lines(made)
    _tell(errors, warnings, checked=check)
    raise typer.Exit(1 if errors else 0)


@logs.command()
def schema() -> None:
    """Print the JSON schema of metaexpert.toml, for editors."""
    from metaexpert.logger.configuring.schema import schema_text  # noqa: PLC0415 - as the module says

    typer.echo(schema_text(), nl=False)


def _print_lines(made: "LoggerConfig") -> None:
    from rich.console import Console  # noqa: PLC0415 - as the module says
    from rich.text import Text  # noqa: PLC0415 - as the module says

    from metaexpert.logger.configuring.settings import as_lines, settings  # noqa: PLC0415 - as the module says

    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # to a file or pipe Windows writes in its code page
    console = Console(soft_wrap=True, highlight=False)
    for line, comment in as_lines(list(settings(made))):
        console.print(Text.assemble(line, (comment, "dim")))
    console.print(Text(f"\n# sinks: {', '.join(options.name for options in made.all_sinks()) or 'none'}", "dim"))


def _print_json(made: "LoggerConfig | None", errors: list[str], warnings: list[str]) -> None:
    import json  # noqa: PLC0415 - as the module says

    from metaexpert.logger.configuring.settings import settings  # noqa: PLC0415 - as the module says

    document: dict[str, Any] = {
        "settings": [each.as_json() for each in settings(made)] if made else [],
        "sinks": [options.name for options in made.all_sinks()] if made else [],
        "errors": errors,
        "warnings": warnings,
    }
    typer.echo(json.dumps(document, indent=2))


def _tell(errors: list[str], warnings: list[str], *, checked: bool) -> None:
    for error in errors:
        typer.echo(f"error: {error}", err=True)
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    if checked and not errors:
        typer.echo("the configuration can be used", err=True)
