"""What the classes of options say about each option: the docstring below it.

Read off the source when somebody asks; pydantic would read it at each import, which costs a sixth of it.
"""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from textwrap import dedent

from pydantic import BaseModel


def words_of(model: type[BaseModel], name: str) -> str:
    """What the option's class says of it, else a class above it; empty where none does."""
    return next((words for words in _said_of(model, name) if words), "")


def _said_of(model: type[BaseModel], name: str) -> Iterator[str]:
    for kind in model.__mro__:
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            field = kind.model_fields.get(name)
            yield (field.description or "" if field is not None else "") or _docstrings(kind).get(name, "")


@cache
def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The options that stand in this class itself, each with the string that follows it."""
    (tree,) = ast.parse(dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101 - the source of a class is one
    return {
        option.target.id: inspect.cleandoc(words.value.value)
        for option, words in pairwise(tree.body)
        if isinstance(option, ast.AnnAssign)
        and isinstance(option.target, ast.Name)
        and isinstance(words, ast.Expr)
        and isinstance(words.value, ast.Constant)
        and isinstance(words.value.value, str)
    }
