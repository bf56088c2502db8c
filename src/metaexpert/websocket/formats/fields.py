"""Typed access to a decoded frame's members; a wrong type or value is a `MalformedFieldError` that names the member."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from decimal import Decimal, InvalidOperation

from metaexpert.exceptions import MetaExpertError

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None

NS_PER_MS = 1_000_000
_MAX_EXPONENT = 30


class MalformedFieldError(MetaExpertError):
    """A member of a frame is missing or not what its exchange documents."""


class Fields:
    """One JSON object of a frame."""

    __slots__ = ("_value",)

    def __init__(self, value: dict[str, Json]) -> None:
        self._value = value

    def __contains__(self, name: str) -> bool:
        return name in self._value

    def names(self) -> AbstractSet[str]:
        """The members' names."""
        return self._value.keys()

    def get(self, name: str) -> Json:
        """A member as it is; None when it is missing."""
        return self._value.get(name)

    def text(self, name: str) -> str:
        """A non-empty string."""
        value = self._value.get(name)
        if not isinstance(value, str) or not value:
            raise MalformedFieldError(f"{name} is {value!r}, not a text")
        return value

    def flag(self, name: str) -> bool:
        """A boolean."""
        value = self._value.get(name)
        if not isinstance(value, bool):
            raise MalformedFieldError(f"{name} is {value!r}, not true or false")
        return value

    def integer(self, name: str) -> int:
        """An integer, or a string of digits."""
        value = self._value.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        raise MalformedFieldError(f"{name} is {value!r}, not an integer")

    def milliseconds_as_ns(self, name: str) -> int:
        """A time in milliseconds since the epoch, as nanoseconds."""
        return self.integer(name) * NS_PER_MS

    def amount(self, name: str) -> Decimal:
        """A finite decimal from 0 up, exactly as written.

        A JSON number goes through its shortest representation, which is what the exchange wrote as long as it wrote
        no more than 15 significant digits.
        """
        value = self._value.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise MalformedFieldError(f"{name} is {value!r}, not a decimal number")
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            raise MalformedFieldError(f"{name} is {value!r}, not a decimal number") from None
        if not amount.is_finite() or amount < 0 or abs(amount.adjusted()) > _MAX_EXPONENT:
            raise MalformedFieldError(f"{name} is {value!r}, not a finite number from 0 up")
        return amount

    def price(self, name: str) -> Decimal:
        """A finite decimal above 0."""
        price = self.amount(name)
        if not price:
            raise MalformedFieldError(f"{name} is {self._value.get(name)!r}, not a price above 0")
        return price

    def object(self, name: str) -> "Fields":
        """An object."""
        value = self._value.get(name)
        if not isinstance(value, dict):
            raise MalformedFieldError(f"{name} is {type(value).__name__}, not an object")
        return Fields(value)

    def objects(self, name: str) -> Iterator["Fields"]:
        """The objects of an array."""
        value = self._value.get(name)
        if not isinstance(value, list):
            raise MalformedFieldError(f"{name} is {type(value).__name__}, not an array")
        for member in value:
            if not isinstance(member, dict):
                raise MalformedFieldError(f"{name} holds a {type(member).__name__}, not objects only")
            yield Fields(member)
