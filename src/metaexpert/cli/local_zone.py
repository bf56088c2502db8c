"""The machine's own time zone with its changes over the year, as the C library knows it."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import final, override


@final
class LocalZone(tzinfo):
    """The zone of this machine, or of TZ; the second of two equal hours in autumn has `fold=1`."""

    @override
    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None if dt is None else _as_local(dt).utcoffset()

    @override
    def dst(self, dt: datetime | None) -> timedelta | None:
        return None

    @override
    def tzname(self, dt: datetime | None) -> str | None:
        return None if dt is None else _as_local(dt).tzname()

    @override
    def fromutc(self, dt: datetime) -> datetime:
        local = dt.replace(tzinfo=UTC).astimezone()
        first = local.replace(tzinfo=self, fold=0)
        return first if first.utcoffset() == local.utcoffset() else first.replace(fold=1)


def _as_local(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None).astimezone()
