"""`metaexpert logs config` and `schema`: the effective configuration with its sources, and what may stand in it."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaexpert.cli.declared import Option
from metaexpert.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from metaexpert.logger import LoggerConfig


def config(
    *,
    check: Annotated[
        bool, Option(("--check",), "Also try what a start needs: folders, secrets, certificates.")
    ] = False,
    file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the effective configuration with the source of each value, secrets hidden.

    The lines are TOML. What is wrong is told on stderr, all of it, and ends the command with status 1.
    """
    from metaexpert.exceptions import ConfigError  # noqa: PLC0415 - only when a command runs
    from metaexpert.logger import LoggerConfig  # noqa: PLC0415 - only when a command runs

    made, errors, warnings = None, list[str](), list[str]()
    try:
        made = LoggerConfig.load(file)
    except ConfigError as error:
        errors = str(error).splitlines()
    if made is not None and check:
        from metaexpert.logger.configuring.check import findings  # noqa: PLC0415 - only when a command runs

        found = findings(made)
        errors, warnings = list(found.errors), list(found.warnings)
    if as_json:
        _print_json(made, errors, warnings)
    elif made is not None:
        _print_lines(made)
    _tell(errors, warnings, checked=check)
    raise typer.Exit(1 if errors else 0)


def schema() -> None:
    """Print the JSON schema of metaexpert.toml, for editors."""
    from metaexpert.logger.configuring.schema import schema_text  # noqa: PLC0415 - only when a command runs

    typer.echo(schema_text(), nl=False)


def _print_lines(made: "LoggerConfig") -> None:
    from rich.console import Console  # noqa: PLC0415 - only when a command runs
    from rich.text import Text  # noqa: PLC0415 - only when a command runs

    from metaexpert.logger.configuring.settings import as_lines, settings  # noqa: PLC0415 - only when a command runs

    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # to a file or pipe Windows writes in its code page
    console = Console(soft_wrap=True, highlight=False)
    for line, comment in as_lines(list(settings(made))):
        console.print(Text.assemble(line, (comment, "dim")))
    console.print(Text(f"\n# sinks: {', '.join(options.name for options in made.all_sinks()) or 'none'}", "dim"))


def _print_json(made: "LoggerConfig | None", errors: list[str], warnings: list[str]) -> None:
    import json  # noqa: PLC0415 - only when a command runs

    from metaexpert.logger.configuring.settings import settings  # noqa: PLC0415 - only when a command runs

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
