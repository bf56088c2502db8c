"""Values of local variables as short texts, without running any code of theirs.

Only built-in types, a few immutable ones of the standard library, and the fields of dataclasses and models are looked
into, past whatever their classes define; anything else is named by its type. So a `__repr__` that raises, hangs, logs
or changes things does nothing here. Each text is looked through for secrets before it is cut, and each key is judged.
"""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import GetSetDescriptorType, MemberDescriptorType, NoneType, SimpleNamespace
from typing import Any, Final, Protocol, cast, final
from uuid import UUID
from zoneinfo import ZoneInfo

from metaexpert.logger.described import integer_text, name_of, type_name
from metaexpert.logger.secret_patterns import REDACTED
from metaexpert.logger.texts import safe_text

TEXT_CHARACTERS: Final = 256
_SEARCHED_CHARACTERS: Final = 2048
"""How much of a text is looked through, so that a secret at the cut is seen whole."""

_DIGITS: Final = 64
_PAIR: Final = 2
_PLAIN: Final = frozenset({NoneType, bool, float, complex, Decimal, date, timedelta})
_JOINABLE: Final = frozenset({str, int})
"""What a pseudonym can be made of without running the value's own code."""

_CLOCKED: Final = frozenset({datetime, time})
_ZONES: Final = frozenset({NoneType, timezone, ZoneInfo})
_PATHS: Final = frozenset({PosixPath, WindowsPath, PurePosixPath, PureWindowsPath})
_tuple: Final[Any] = tuple  # read past what a subclass makes of it
_dict: Final[Any] = dict
_SEQUENCES: Final = cast(
    "tuple[tuple[Any, str, str], ...]",
    (
        (tuple, "(", ")"),
        (list, "[", "]"),
        (deque, "deque([", "])"),
        (frozenset, "frozenset({", "})"),
        (set, "{", "}"),
    ),
)
_NAMED_DICTS: Final = frozenset({OrderedDict, defaultdict, Counter})
_MODELS: Final = frozenset({"__dataclass_fields__", "__pydantic_fields__", "__attrs_attrs__"})
"""What classes carry whose instances are their fields."""

_SLOTS: Final = frozenset({GetSetDescriptorType, MemberDescriptorType})
"""What CPython itself reads an attribute with."""

_class_dict: Final = cast("Callable[[type], Mapping[str, Any]]", vars(type)["__dict__"].__get__)
_class_mro: Final = cast("Callable[[type], tuple[type, ...]]", vars(type)["__mro__"].__get__)


class Rules(Protocol):
    """What is hidden."""

    def hides(self, key: str) -> bool:
        """Whether a value under `key` must not be shown."""
        ...

    def in_place_of(self, key: str, value: object) -> str:
        """What is shown of it instead."""
        ...

    def scrub(self, text: str) -> str:
        """`text` without what looks like a secret."""
        ...


@final
class Glimpse:
    """One pass over some variables, with the characters it may still use.

    Args:
        rules: what is hidden.
        limit_characters: what all texts may take together.
        depth: how many containers deep it looks.
        items: how many members of each it shows.
    """

    def __init__(self, rules: Rules, limit_characters: int, *, depth: int = 3, items: int = 16) -> None:
        self._rules = rules
        self.left_characters = limit_characters
        self._depth = depth
        self._items = items

    def variable(self, name: str, value: object) -> str:
        """The text of one variable; it never raises."""
        try:
            text = self._under(name, value, 0)
        except Exception as failure:  # noqa: BLE001 - such as a container that another thread changes meanwhile
            text = f"<{type_name(value)} not looked at: {type_name(failure)}>"
        # once more as a whole: what stands beside one another in a container may be a secret together
        text = safe_text(self._rules.scrub(text), max(self.left_characters, 0))
        self.left_characters -= len(text) + len(name)
        return text

    def text(self, text: str) -> str:
        """A text beside the variables."""
        return safe_text(self._short(text))

    def _under(self, key: str, value: object, level: int) -> str:
        if self._rules.hides(key[:TEXT_CHARACTERS]):
            return self._rules.in_place_of(key, value) if _is_one(type(value), _JOINABLE) else REDACTED
        return self._of(value, level)

    def _of(self, value: Any, level: int) -> str:
        kind = cast("type[Any]", type(value))
        if kind is str:
            return repr(self._short(value))
        if kind is int:
            return integer_text(value, _DIGITS)
        if _is_one(kind, _PLAIN):
            return repr(value)[:TEXT_CHARACTERS]
        if kind is bytes or kind is bytearray:
            return self._short(repr(value[:_SEARCHED_CHARACTERS]))
        return self._compound(value, kind, level)

    def _compound(self, value: Any, kind: type[Any], level: int) -> str:
        if _is(kind, dict):
            named = f"{name_of(kind)}(" if _is_one(kind, _NAMED_DICTS) or kind is not dict else ""
            opening, closing = f"{named}{{", f"}}{')' if named else ''}"
            return self._joined(self._pairs(_dict.items(value), level), _dict.__len__(value), level, opening, closing)
        if kind is tuple and len(value) == _PAIR and type(value[0]) is str:
            # as in headers: a key and its value
            return f"({self._of(value[0], level + 1)}, {self._under(value[0], value[1], level + 1)})"
        if _is(kind, tuple) and (names := _names_in(value, kind)):
            return self._named(zip(names, _tuple.__iter__(value), strict=True), kind, level)
        for base, opening, closing in _SEQUENCES:
            if _is(kind, base):
                named = "" if kind is base else name_of(kind)
                members = (self._of(each, level + 1) for each in base.__iter__(value))
                return f"{named}{self._joined(members, base.__len__(value), level, opening, closing)}"
        return self._object(value, kind, level)

    def _object(self, value: Any, kind: type[Any], level: int) -> str:
        if _is_one(kind, _PATHS):
            return self._short(f"{kind.__name__}({str(value)[:_SEARCHED_CHARACTERS]!r})")
        if kind is UUID:
            return f"UUID({value.int:032x})"
        if _is_one(kind, _CLOCKED) and type(value.tzinfo) in _ZONES:
            return repr(value)
        if issubclass(kind, Enum) and type(name := _instance_dict(value, kind).get("_name_")) is str:
            return f"{name_of(kind)}.{name}"
        fields = _fields_of(value, kind)
        if fields is None:
            return f"<{name_of(kind)}>"
        return self._named(fields, kind, level)

    def _named(self, fields: Iterable[tuple[str, Any]], kind: type[Any], level: int) -> str:
        pairs = (f"{name}={self._under(name, each, level + 1)}" for name, each in fields)
        return self._joined(pairs, None, level, f"{name_of(kind)}(", ")")

    def _pairs(self, pairs: Iterable[tuple[Any, Any]], level: int) -> Iterator[str]:
        for key, value in pairs:
            shown = self._under(key, value, level + 1) if type(key) is str else self._of(value, level + 1)
            yield f"{self._of(key, level + 1)}: {shown}"

    def _joined(self, members: Iterable[str], size: int | None, level: int, opening: str, closing: str) -> str:
        if level >= self._depth:
            return f"{opening}…{closing}"
        room = min(self.left_characters, TEXT_CHARACTERS * self._items)
        parts: list[str] = []
        for member in islice(members, self._items + 1):
            room -= len(member)
            if len(parts) >= self._items or room < 0:
                parts.append("…" if size is None else f"…[{size - len(parts)} more]")
                break
            parts.append(member)
        return f"{opening}{', '.join(parts)}{closing}"

    def _short(self, text: str) -> str:
        searched = self._rules.scrub(str.__getitem__(text, slice(0, _SEARCHED_CHARACTERS)))
        cut = len(searched) > TEXT_CHARACTERS or len(text) > _SEARCHED_CHARACTERS
        return f"{searched[:TEXT_CHARACTERS]}…[{len(text)} characters]" if cut else searched


def _is(kind: type, base: Any) -> bool:
    return issubclass(kind, base)


def _is_one(kind: type, among: frozenset[type]) -> bool:
    """Whether it is one of those, none of which has a metaclass: another's may have a hash of its own."""
    return type(kind) is type and kind in among


def _names_in(value: tuple[Any, ...], kind: type) -> tuple[str, ...]:
    """The names of a named tuple's members; none for any other tuple."""
    size: int = _tuple.__len__(value)
    for each in _class_mro(kind):
        names = cast("tuple[object, ...]", _class_dict(each).get("_fields"))
        if type(names) is tuple and len(names) == size and all(type(name) is str for name in names):
            return cast("tuple[str, ...]", names)
    return ()


def _fields_of(value: object, kind: type) -> Iterable[tuple[str, Any]] | None:
    """The fields of a dataclass or model, read past its class; None of any other object."""
    mro = _class_mro(kind)
    if kind is not SimpleNamespace and not any(_MODELS & _class_dict(each).keys() for each in mro):
        return None
    slots = [
        (name, found)
        for each in mro
        for name, found in _class_dict(each).items()
        if type(found) is MemberDescriptorType and type(name) is str and not name.startswith("__")
    ]
    own = [(name, each) for name, each in _instance_dict(value, kind).items() if type(name) is str]
    return [*own, *_set_slots(value, slots)]


def _set_slots(value: object, slots: Iterable[tuple[str, MemberDescriptorType]]) -> Iterator[tuple[str, Any]]:
    for name, slot in slots:
        try:
            yield name, slot.__get__(value)
        except AttributeError:
            continue  # it was never set


def _instance_dict(value: object, kind: type) -> Mapping[Any, Any]:
    """The instance's own dictionary, unless its class gives something else out for it."""
    for each in _class_mro(kind):
        found = _class_dict(each).get("__dict__")
        if found is not None:
            own = found.__get__(value) if type(found) in _SLOTS else None
            return cast("dict[Any, Any]", own) if type(own) is dict else {}
    return {}
