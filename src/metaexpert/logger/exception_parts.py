"""What an exception is made of, read past whatever its class makes of it: causes, traceback, arguments, members, notes.

CPython keeps these in the object itself; a class may put properties, `__getattr__` or its metaclass before them, which
raise, hang or change things. Nothing here runs code of anybody's, or raises.
"""

from abc import ABCMeta
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import GetSetDescriptorType, ModuleType, TracebackType
from typing import Any, Final, cast

_own: Final = vars(BaseException)
_cause: Final = cast("Callable[[BaseException], BaseException | None]", _own["__cause__"].__get__)
_context: Final = cast("Callable[[BaseException], BaseException | None]", _own["__context__"].__get__)
_suppressed: Final = cast("Callable[[BaseException], bool]", _own["__suppress_context__"].__get__)
_dict: Final = cast("Callable[[BaseException], dict[Any, Any]]", _own["__dict__"].__get__)
_plain: Final[Any] = dict
_MARK: Final = True
_exceptions: Final = cast(
    "Callable[[BaseException], tuple[BaseException, ...]]", vars(BaseExceptionGroup)["exceptions"].__get__
)
_class_dict: Final = cast("Callable[[type], Mapping[str, Any]]", vars(type)["__dict__"].__get__)
_class_mro: Final = cast("Callable[[type], tuple[type, ...]]", vars(type)["__mro__"].__get__)
_class_flags: Final = cast("Callable[[type], int]", vars(type)["__flags__"].__get__)
_class_name: Final = cast("Callable[[type], str]", vars(type)["__name__"].__get__)
_class_module: Final = cast("Callable[[type], object]", vars(type)["__module__"].__get__)

traceback_of: Final = cast("Callable[[BaseException], TracebackType | None]", _own["__traceback__"].__get__)
"""The traceback it has."""

arguments_of: Final = cast("Callable[[BaseException], tuple[Any, ...]]", _own["args"].__get__)
"""Its arguments."""

_ASKED: Final = frozenset(
    {
        "__cause__", "__context__", "__suppress_context__", "__traceback__", "__notes__", "exceptions", "__bool__",
        "__len__", "__getattribute__", "__getattr__", "__class__",
    }
)  # fmt: skip
"""What Python's own formatting asks an exception for."""

_LISTING: Final = frozenset({"__dir__", "__getattribute__", "__getattr__", "__dict__", "__class__"})
"""What it runs to guess which attribute was meant."""

_TEXTS: Final[tuple[Any, ...]] = (str, bytes, bytearray)
_BUILT_IN: Final = frozenset({object, BaseException, Exception, BaseExceptionGroup, ExceptionGroup})
_METACLASSES: Final = frozenset({type, ABCMeta})
_WRITTEN_IN_PYTHON: Final = 1 << 9
"""Among a class's flags: made at run time (`Py_TPFLAGS_HEAPTYPE`)."""

_MOST_GUESSED: Final = 200
_MOST_LISTED: Final = 256


def cause_of(error: BaseException) -> BaseException | None:
    """What it was raised from."""
    return _cause(error)


def came_of(error: BaseException) -> BaseException | None:
    """What it was raised from, else what was being handled then, as printed tracebacks show it; either may be false."""
    cause = _cause(error)
    return cause if cause is not None or _suppressed(error) else _context(error)


def sources_of(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """Both of them."""
    return _cause(error), _context(error)


def members_of(error: BaseException, most: int | None = None) -> tuple[BaseException, ...]:
    """The first `most` members of a group; none of what is no group."""
    return _exceptions(error)[:most] if issubclass(type(error), BaseExceptionGroup) else ()


def notes_in(error: BaseException) -> list[object]:
    """What `add_note` added, as it is."""
    notes: object = _plain.get(_dict(error), "__notes__")
    return cast("list[object]", notes) if type(notes) is list else []


def remember(error: BaseException, name: str) -> None:
    """Mark an exception."""
    _plain.__setitem__(_dict(error), name, _MARK)


def is_remembered(error: BaseException, name: str) -> bool:
    """Whether it was marked."""
    return _plain.get(_dict(error), name) is _MARK


def made_text_by(error: BaseException, method: str = "__str__") -> type:
    """The class whose `__str__`, or `__repr__`, makes its text."""
    return next(kind for kind in _class_mro(type(error)) if method in _class_dict(kind))


def classes_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """The top module and the name of its class and of each above it."""
    for kind in _class_mro(type(error)):
        try:
            module = _class_module(kind)
        except AttributeError:  # a class may have lost it
            module = ""
        yield (module.partition(".")[0] if type(module) is str else ""), _class_name(kind)


def speaks_for_itself(error: BaseException) -> bool:
    """Whether Python's own formatting would run nobody's code but `__str__`, and take no long guess at a name."""
    kind = type(error)
    if type(kind) not in _METACLASSES:
        return False
    if any(_ASKED & _class_dict(each).keys() for each in _class_mro(kind) if each not in _BUILT_IN):
        return False
    return not issubclass(kind, AttributeError) or _is_guessed(_of(error, AttributeError, "obj"))


def _lists_itself(kind: type) -> bool:
    own = _class_dict(kind)
    return any(type(own[name]) is not GetSetDescriptorType for name in _LISTING & own.keys())


def _of(error: BaseException, kind: type, name: str) -> object:
    return vars(kind)[name].__get__(error)


def _is_guessed(owner: object) -> bool:
    """Whether looking for the attribute that was meant is harmless and short."""
    kind = type(owner)
    classes = [each for each in _class_mro(kind) if _class_flags(each) & _WRITTEN_IN_PYTHON]
    if issubclass(kind, ModuleType | type) or any(map(_lists_itself, classes)):
        return False
    return sum(len(_class_dict(each)) for each in classes) <= _MOST_GUESSED


def is_large(part: object, limit: int) -> bool:
    """Whether a value of built-in types makes a text beyond `limit` characters; other types are not looked into."""
    return _weight(part, limit, 0) > limit


def _weight(part: Any, limit: int, level: int) -> int:
    kind = cast("type[Any]", type(part))
    for text in _TEXTS:
        if issubclass(kind, text):
            return text.__len__(part)
    if kind is int:
        return part.bit_length() // 3
    if kind is dict:
        return _sum((each for pair in _first(part.items()) for each in pair), len(part), limit, level)
    if kind in {list, tuple, set, frozenset}:
        return _sum(_first(part), len(part), limit, level)
    return 0


def _first(members: Any) -> list[Any]:
    return list(islice(members, _MOST_LISTED))


def _sum(members: Any, size: int, limit: int, level: int) -> int:
    if size > _MOST_LISTED or level > 4:  # noqa: PLR2004 - as deep as anybody reads
        return limit + 1
    total = 0
    for each in members:
        total += _weight(each, limit, level + 1) + 2
        if total > limit:
            break
    return total
