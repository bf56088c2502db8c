"""What an option takes: a plain value, a table of options, a table with free keys, or a list.

Read off the annotations, so that whoever walks a configuration by keys knows nothing of particular options.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, TypeAliasType, Union, cast, final, get_args, get_origin

from pydantic import BaseModel

_NOTHING: Final[Any] = object()


@final
@dataclass(frozen=True, slots=True)
class Shape:
    """What an option takes.

    Attributes:
        models: the options a table may have; several where a `type` tells them apart.
        element: the annotation of a list's elements.
        free: the annotation of the values of a table with free keys.
    """

    models: tuple[type[BaseModel], ...] = ()
    element: Any = _NOTHING
    free: Any = _NOTHING

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return self.element is not _NOTHING

    @property
    def is_table(self) -> bool:
        """Whether it has keys."""
        return bool(self.models) or self.has_free_keys

    @property
    def has_free_keys(self) -> bool:
        """Whether it is a table whose keys nobody knows beforehand."""
        return self.free is not _NOTHING

    @property
    def is_plain(self) -> bool:
        """Whether it is neither a list nor a table."""
        return not (self.is_list or self.is_table)

    @property
    def keys(self) -> list[str]:
        """The keys its tables may have."""
        return list(dict.fromkeys(name for model in self.models for name in model.model_fields))

    def below(self, key: str) -> "Shape":
        """What stands under `key` of a table, or in a list."""
        if self.is_list:
            return shape_of(self.element)
        fields = [model.model_fields[key] for model in self.models if key in model.model_fields]
        if fields:
            return _joined(shape_of(field.annotation) for field in fields)
        return shape_of(self.free) if self.has_free_keys else Shape()

    @property
    def types(self) -> frozenset[object]:
        """What tells its tables apart, where they have a `type`."""
        return frozenset(map(_type_of, self.models)) - {None}

    def of_type(self, name: object) -> "Shape":
        """The same, with the options of this `type` alone where there are such."""
        models = tuple(model for model in self.models if _type_of(model) == name)
        return Shape(models or self.models, self.element, self.free)


def shape_of(annotation: Any) -> Shape:
    """The shape of what an annotation admits."""
    if isinstance(annotation, TypeAliasType):
        return shape_of(annotation.__value__)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return shape_of(arguments[0])
    if origin in {Union, UnionType}:
        return _joined(map(shape_of, arguments))
    if origin in {tuple, list, set, frozenset}:
        return Shape(element=arguments[0])
    if origin is dict:
        return Shape(free=arguments[1])
    is_table = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return Shape(models=(cast("type[BaseModel]", annotation),)) if is_table else Shape()


def _joined(shapes: Iterable[Shape]) -> Shape:
    models: dict[type[BaseModel], None] = {}
    element = free = _NOTHING
    for shape in shapes:
        models |= dict.fromkeys(shape.models)
        element = shape.element if shape.is_list else element
        free = shape.free if shape.has_free_keys else free
    return Shape(tuple(models), element, free)


def _type_of(model: type[BaseModel]) -> object:
    field = model.model_fields.get("type")
    return field.default if field else None
