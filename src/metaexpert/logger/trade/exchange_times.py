"""Times by an exchange's clock, in whatever form it tells them: is one before another; in doubt it is not. Pure."""

from datetime import UTC, datetime
from decimal import Decimal

type _Moment = Decimal | datetime


def is_before(time: object, other: object) -> bool:
    """Whether a time is before another; never where their forms or units are not the same."""
    first, second = _moment(time), _moment(other)
    if isinstance(first, datetime) and isinstance(second, datetime):
        return first < second
    if isinstance(first, Decimal) and isinstance(second, Decimal):
        return first.adjusted() == second.adjusted() and first < second
    return False


def _moment(value: object) -> _Moment | None:
    if type(value) is int or type(value) is float or (type(value) is str and value.isascii() and value.isdecimal()):
        number = Decimal(str(value))
        return number if number > 0 and number.is_finite() else None
    return _of_text(value) if type(value) is str else None


def _of_text(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
