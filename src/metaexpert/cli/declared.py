"""How a command's parameters are declared: once, in the annotations of its function, without importing typer.

`for_typer` makes typer's declarations of them, for help, completion and all that can be wrong with a command line;
`quick` reads plain command lines by them, which takes a tenth of the time that importing typer does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, final, get_args, get_type_hints

REQUIRED: Final = object()
"""The default of a parameter that has none."""


@final
@dataclass(frozen=True, slots=True)
class Option:
    """An option; the metadata of an `Annotated` type.

    Attributes:
        names: as they are written, such as `("--level", "-l")`; a flag's name for no stands behind a slash.
        help: what it does.
        panel: the heading it stands under in the help.
        least: the least number allowed.
        complete: what a shell offers for a word that is begun.
        shows_default: whether the help tells the default.
    """

    names: tuple[str, ...]
    help: str
    panel: str | None = None
    least: int | None = None
    complete: Callable[[str], list[str]] | None = None
    shows_default: bool = True


@final
@dataclass(frozen=True, slots=True)
class Argument:
    """An argument; the metadata of an `Annotated` type.

    Attributes:
        help: what it is.
        metavar: how the help names it, where not by the parameter's name.
    """

    help: str
    metavar: str | None = None


class Parameter(NamedTuple):
    """A parameter of a command.

    Attributes:
        name: its name in the function.
        kind: its type.
        declared: how it is written; None where only typer knows that.
        annotation: its type as it is annotated.
        default: what it is when it is left out, or `REQUIRED`.
    """

    name: str
    kind: Any
    declared: Option | Argument | None
    annotation: Any
    default: Any


def parameters_of(command: Callable[..., object], defaults: Mapping[str, Any] | None = None) -> tuple[Parameter, ...]:
    """The parameters of a function, or the fields of a class, in their order.

    Args:
        command: what is annotated.
        defaults: its defaults by name; those of its keyword-only parameters when left out.
    """
    made = getattr(command, PARAMETERS, None)
    if made is not None:
        return made
    if defaults is None:
        defaults = _defaults_of(command)
    hints = get_type_hints(command, include_extras=True)
    hints.pop("return", None)
    return tuple(_parameter(name, hint, defaults.get(name, REQUIRED)) for name, hint in hints.items())


PARAMETERS: Final = "__parameters_declared__"
"""Where a function has its parameters that takes them from elsewhere than its annotations."""


def _defaults_of(command: Callable[..., object]) -> dict[str, Any]:
    keywords: Mapping[str, Any] = getattr(command, "__kwdefaults__", None) or {}
    values: tuple[Any, ...] = getattr(command, "__defaults__", None) or ()
    code = getattr(command, "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()
    return {**dict(zip(names[len(names) - len(values) :], values, strict=True)), **keywords}


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    kind, *metadata = get_args(hint) if hasattr(hint, "__metadata__") else (hint,)
    declared = next((each for each in metadata if isinstance(each, Option | Argument)), None)
    return Parameter(name, kind, declared, hint, default)
