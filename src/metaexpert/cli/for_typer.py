"""Commands as typer knows them: declarations turned into its own; a group that imports each command when asked for."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from importlib import import_module
from typing import Annotated, Any, Final, cast, final, override

import typer
import typer.core
import typer.main

from metaexpert.cli.commands import COMMANDS
from metaexpert.cli.declared import PARAMETERS, REQUIRED, Argument, Option, Parameter, parameters_of

SETTINGS: Final[Mapping[str, Any]] = {"add_completion": False, "pretty_exceptions_show_locals": False}
"""What every group of commands has."""


def command_of[**P](group: typer.Typer, name: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Add a function, its parameters declared as `declared` tells, to a group as the command of a name."""

    def add(function: Callable[P, None]) -> Callable[P, None]:
        group.command(name)(for_typer(function))
        return function

    return add


def for_typer(command: Callable[..., None]) -> Callable[..., None]:
    """A function whose annotations are typer's own."""

    @wraps(command)
    def run(**given: Any) -> None:
        command(**given)

    run.__dict__.pop(PARAMETERS, None)
    run.__dict__["__signature__"] = inspect.Signature(list(_signature(parameters_of(command))))
    run.__annotations__ = {}
    return run


def _signature(parameters: Iterable[Parameter]) -> Iterable[inspect.Parameter]:
    for each in parameters:
        annotation = each.annotation if each.declared is None else Annotated[each.kind, _made(each.declared)]
        default = inspect.Parameter.empty if each.default is REQUIRED else each.default
        yield inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _made(declared: Option | Argument) -> Any:
    if isinstance(declared, Argument):
        return typer.Argument(help=declared.help, metavar=declared.metavar, show_default=False)
    return typer.Option(
        *declared.names,
        help=declared.help,
        rich_help_panel=declared.panel,
        min=declared.least,
        autocompletion=declared.complete,
        show_default=declared.shows_default,
    )


@final
class LogsGroup(typer.core.TyperGroup):
    """The commands of `metaexpert logs`, each made when it is asked for, so that one does not wait for all others."""

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            self.commands[cmd_name] = _command(cmd_name)
        return self.commands.get(cmd_name)

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS:
            for name in COMMANDS:  # a similar name is suggested from those that are made
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


def _command(name: str) -> Any:
    module, attribute = COMMANDS[name]
    found: object = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group: Any = typer.main.get_command(found)
        group.name = name
        return group
    one = typer.Typer(**SETTINGS)
    one.command(name)(for_typer(cast("Callable[..., None]", found)))
    return typer.main.get_command(one)
