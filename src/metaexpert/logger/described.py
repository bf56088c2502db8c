"""What stands for a value in a text: its repr or str, bounded, and never raising.

Built-in containers are described item by item until the bound is reached; what an object's own `__repr__` costs, it
costs.
"""

from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final, cast, final

from metaexpert.logger.exception_parts import arguments_of, made_text_by
from metaexpert.logger.nesting import nesting
from metaexpert.logger.texts import safe_text

DESCRIPTION_BYTES: Final = 1024
_NAME_BYTES: Final = 200
NOT_LOOKED_AT: Final = "not looked at: log calls within log calls"
_ARGUMENTS_BYTES: Final = 4 * 1024
_CONTAINER_COST: Final = 8
_MAX_LEVELS: Final = 6
_LONG_INTEGER_BITS: Final = 4096
"""Larger integers are written in hexadecimal: decimal takes quadratic time, and CPython refuses it at some size."""

_qualname: Final = cast("Callable[[type], object]", vars(type)["__qualname__"].__get__)
_module: Final = cast("Callable[[type], object]", vars(type)["__module__"].__get__)

_EMPTY: Final[dict[object, object]] = {}
VIEWS: Final[tuple[type, ...]] = tuple(type(view) for view in (_EMPTY.keys(), _EMPTY.values(), _EMPTY.items()))
"""Of dicts: their keys, values and items."""

_BRACKETS: Final[dict[type, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
    array: ("array([", "])"),
    dict: ("{", "}"),
    OrderedDict: ("OrderedDict({", "})"),
    defaultdict: ("defaultdict({", "})"),
    Counter: ("Counter({", "})"),
    **{view: (f"{view.__name__}([", "])") for view in VIEWS},
}
_TEXTS: Final = frozenset({str, bytes, bytearray})
_BUILT_IN: Final = frozenset({int, float, bool, complex, type(None), *_TEXTS, *_BRACKETS})


def type_name(value: object) -> str:
    """The value's type, qualified by its module except for builtins."""
    return name_of(type(value))


def name_of(kind: type) -> str:
    """A type's name, qualified by its module except for builtins; read past its metaclass."""
    try:
        module, name = _module(kind), _qualname(kind)
    except Exception:  # noqa: BLE001 - a class may have lost its module
        return "type without a name"
    text = f"{module}.{name}" if type(module) is str and module != "builtins" else str(name)
    return safe_text(text, _NAME_BYTES)


def described(value: object, describe: Callable[[object], str] = repr, limit_bytes: int = DESCRIPTION_BYTES) -> str:
    """`repr` or `str` of a value whose own code may fail, bounded."""
    if type(value) is str and describe is str:
        return safe_text(value, limit_bytes)
    nesting.depth += 1
    try:
        if describe is str and issubclass(type(value), BaseException):
            return error_text(cast("BaseException", value), limit_bytes)
        return safe_text(_Description(limit_bytes, describe).of(value, 0), limit_bytes)
    except Exception as failure:  # noqa: BLE001 - the value is the user's code; the entry must arrive whatever it does
        return f"<{type_name(value)} not describable: {type_name(failure)}>"
    finally:
        nesting.depth -= 1


def error_text(error: BaseException, limit_bytes: int) -> str:
    """`str` of an exception, bounded where its text is only made of its arguments."""
    kind = made_text_by(error)
    if kind is not BaseException:
        if nesting.too_deep:
            return NOT_LOOKED_AT
        if kind is not KeyError:
            return safe_text(str(error), limit_bytes)
        if len(arguments_of(error)) == 1:
            return described(arguments_of(error)[0], limit_bytes=min(limit_bytes, _ARGUMENTS_BYTES))
    arguments = arguments_of(error)
    if not arguments:
        return ""
    only = arguments[0] if len(arguments) == 1 else arguments
    return described(only, str, limit_bytes if type(only) is str else min(limit_bytes, _ARGUMENTS_BYTES))


def integer_text(value: int, limit: int) -> str:
    """An integer in decimal, or its first `limit` hexadecimal digits when it is long."""
    bits = value.bit_length()
    if bits <= _LONG_INTEGER_BITS:
        return str(value)
    cut = max(bits // 4 - max(limit, 1), 0)
    return f"{hex(value >> cut * 4)}…[cut {cut} digits]" if cut else hex(value)


@final
class _Description:
    """One description, with the characters it may still use."""

    def __init__(self, limit: int, describe: Callable[[object], str]) -> None:
        self._left = limit
        self._describe = describe

    def of(self, value: Any, level: int) -> str:
        kind = cast("type[Any]", type(value))
        if type(kind) is not type or kind not in _BUILT_IN:  # a metaclass may have a hash of its own
            return self._own(value)
        if kind in _BRACKETS:
            return self._container(value, level, *_BRACKETS[kind])
        if kind in _TEXTS:
            return self._text(value)
        text = integer_text(value, self._left) if kind is int else repr(value)
        self._left -= len(text)
        return text

    def _own(self, value: object) -> str:
        if nesting.too_deep:
            return f"<{type_name(value)} {NOT_LOOKED_AT}>"
        try:
            if self._describe is repr and _shows_arguments(value):
                arguments = arguments_of(cast("BaseException", value))
                return f"{_qualname(type(value))}{self._container(arguments, 0, '(', ')')}"
            text = safe_text(self._describe(value), max(self._left, _NAME_BYTES))
        except Exception as failure:  # noqa: BLE001 - as in described()
            text = f"<{type_name(value)} not describable: {type_name(failure)}>"
        self._left -= len(text)
        return text

    def _text(self, value: str | bytes | bytearray) -> str:
        room = max(self._left, 0)
        text = repr(value[:room])
        self._left -= len(text)
        return text if len(value) <= room else f"{text}…[cut {len(value) - room} more]"

    def _container(self, value: Iterable[Any], level: int, opening: str, closing: str) -> str:
        if level >= _MAX_LEVELS:
            return f"{opening}…{closing}"
        self._left -= _CONTAINER_COST
        describe, self._describe = self._describe, repr
        parts: list[str] = []
        for member in islice(_members(value), self._left // 2 + 1):
            if self._left <= 0:
                break
            parts.append(": ".join(self.of(each, level + 1) for each in member))
            self._left -= 2
        self._describe = describe
        size = len(cast("list[object]", value))
        if len(parts) < size:
            parts.append(f"…[cut {size - len(parts)} items]")
        comma = "," if opening == "(" and size == 1 else ""
        return f"{opening}{', '.join(parts)}{comma}{closing}"


def _shows_arguments(value: object) -> bool:
    if not issubclass(type(value), BaseException):
        return False
    return made_text_by(cast("BaseException", value), "__repr__") is BaseException


def _members(value: Iterable[Any]) -> Iterable[tuple[Any, ...]]:
    return cast("Mapping[Any, Any]", value).items() if isinstance(value, Mapping) else ((each,) for each in value)
