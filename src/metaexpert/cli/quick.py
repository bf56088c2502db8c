"""Plain command lines of the reading commands, run without typer.

Typer takes longer to import than the last lines of a log take to be read. What is plain is read here, by the same
declarations: known options with their values, flags, and places. Everything else, wrong or merely unusual, is typer's:
help, completion, `-n5`, a value that begins with a dash. So there is one declaration of each option, and one
place that tells what is wrong.
"""

import os
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args

from metaexpert.cli.commands import COMMANDS
from metaexpert.cli.declared import PARAMETERS, REQUIRED, Argument, Option, Parameter

_COMPLETION: Final = "_METAEXPERT_COMPLETE"
_EXPANDED: Final = frozenset("*?[~$%")
"""What the command line expands itself where the shell does not."""

_VALUES: Final = (str, Path, int)


class _NotPlainError(Exception):
    """It is typer's."""


def ran(words: Sequence[str]) -> bool:
    """Run the command that these words ask for, where they are plain; whether they are."""
    if words[:1] != ["logs"] or len(words) < 2 or words[1] not in COMMANDS or _COMPLETION in os.environ:  # noqa: PLR2004 - logs, command
        return False
    module, attribute = COMMANDS[words[1]]
    command = getattr(import_module(module), attribute)
    parameters: tuple[Parameter, ...] | None = getattr(command, PARAMETERS, None)
    given = None if parameters is None else parsed(parameters, words[2:])
    if given is None:
        return False
    command(**given)
    return True


def parsed(parameters: Iterable[Parameter], words: Iterable[str]) -> dict[str, Any] | None:
    """The values of a command's parameters; None where the words are not plain."""
    parameters = tuple(parameters)
    try:
        options = dict(_options(parameters))
        texts, values = _taken(options, deque(words))
        values |= _arguments(parameters, texts)
    except _NotPlainError:
        return None
    return _with_defaults(parameters, values)


def _with_defaults(parameters: Iterable[Parameter], values: dict[str, Any]) -> dict[str, Any] | None:
    found = {each.name: values.get(each.name, each.default) for each in parameters}
    return None if any(value is REQUIRED for value in found.values()) else found


def _options(parameters: Iterable[Parameter]) -> Iterable[tuple[str, tuple[Parameter, bool | None]]]:
    """Each name of an option, with what a flag of this name says."""
    for each in parameters:
        if each.declared is None:
            raise _NotPlainError
        if isinstance(each.declared, Option):
            is_flag = _plain_kind(each.kind) is bool
            for written in each.declared.names:
                name, _, opposite = written.partition("/")
                yield name, (each, True if is_flag else None)
                if opposite:
                    yield opposite, (each, False)


def _plain_kind(kind: Any) -> Any:
    """A type without its None."""
    if isinstance(kind, UnionType):
        return next(each for each in get_args(kind) if each is not type(None))
    return kind


def _taken(options: dict[str, tuple[Parameter, bool | None]], words: deque[str]) -> tuple[list[str], dict[str, Any]]:
    """What is no option, and what the options say."""
    texts, values = list[str](), dict[str, Any]()
    while words:
        word = words.popleft()
        if word[:1] != "-":
            texts.append(word)
            continue
        name, equals, text = word.partition("=")
        if name not in options or (equals and name[:2] != "--"):
            raise _NotPlainError
        parameter, flag = options[name]
        if flag is not None and not equals:
            values[parameter.name] = flag
        elif flag is None and (equals or words):
            _put(values, parameter, text if equals else words.popleft())
        else:
            raise _NotPlainError
    return texts, values


def _put(values: dict[str, Any], parameter: Parameter, text: str) -> None:
    kind = _plain_kind(parameter.kind)
    if _is_list(kind):
        values.setdefault(parameter.name, []).append(_value(parameter, get_args(kind)[0], text))
    else:
        values[parameter.name] = _value(parameter, kind, text)


def _is_list(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is list


def _value(parameter: Parameter, kind: Any, text: str) -> Any:
    unusual = not text or text[0] == "-" or (os.name == "nt" and not _EXPANDED.isdisjoint(text))
    if unusual or kind not in _VALUES:
        raise _NotPlainError
    if kind is not int:
        return kind(text)
    least = parameter.declared.least if isinstance(parameter.declared, Option) else None
    if not (text.isascii() and text.isdecimal()) or int(text) < (least or 0):
        raise _NotPlainError
    return int(text)


def _arguments(parameters: Iterable[Parameter], texts: list[str]) -> dict[str, Any]:
    """The arguments, of which the last one may be several."""
    values, left = dict[str, Any](), deque(texts)
    for each in parameters:
        if isinstance(each.declared, Argument):
            is_several = _is_list(_plain_kind(each.kind))
            while left and (is_several or each.name not in values):
                _put(values, each, left.popleft())
    if left:
        raise _NotPlainError
    return values


def main() -> None:
    """Run the command line with the process's arguments; exits the process with the command's status."""
    if not ran(sys.argv[1:]):
        from metaexpert.cli.app import main as run  # noqa: PLC0415 - the whole of it, only where it is needed

        run()
