"""The command line's commands: each imports what it needs when it runs, so that `--help` stays quick."""

from typing import Annotated

import typer

from metaexpert.__version__ import __version__
from metaexpert.cli.alerts import alerts
from metaexpert.cli.logs import logs

app = typer.Typer(
    name="metaexpert",
    help="Crypto trading experts in Python, with logging that never blocks the event loop.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(logs)
app.add_typer(alerts)


def main() -> None:
    """Run the command line with the process's arguments; exits the process with the command's status."""
    app(prog_name="metaexpert")


def _print_version(wanted: bool) -> None:  # noqa: FBT001  typer calls an option's callback positionally
    if wanted:
        typer.echo(f"metaexpert {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Crypto trading experts in Python, with logging that never blocks the event loop."""


@app.command(
    add_help_option=False,  # the demo's own parser answers --help, with its own options
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def demo(context: typer.Context) -> None:
    """Run an expert, an exchange and a failing collector on loopback, and compare every ledger with what arrived."""
    from metaexpert.demo import main as run_demo  # noqa: PLC0415  only the demo pays for what the demo imports

    raise typer.Exit(run_demo(context.args))
