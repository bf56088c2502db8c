"""`metaexpert logs …`: what concerns logging; each command is imported when it is asked for."""

import typer

from metaexpert.cli.for_typer import SETTINGS, LogsGroup

logs = typer.Typer(
    name="logs",
    help="Read logs; look after their files, disk queues and dead letters; show the configuration.",
    cls=LogsGroup,
    no_args_is_help=True,
    **SETTINGS,
)
