"""Which errors in logs are the same one: an entry's fingerprint by the rule of `faults.fingerprint`; pure."""

from dataclasses import dataclass
from typing import Any, cast, final

from metaexpert.logger.faults.fingerprint import digest_of, normalised, raised_at
from metaexpert.logger.files.reading.entries import LogEntry

__all__ = ["Fingerprint", "fingerprint_of", "normalised"]


@final
@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the occurrences of one error have in common.

    Attributes:
        digest: eight hexadecimal digits that name it.
        kind: the exception's type; empty for an entry without exception.
        place: module and function where it was raised, else where it was logged.
        message: what the exception says, else the entry, with `<n>`, `<text>`, `<id>` and `<time>` for what varies.
    """

    digest: str
    kind: str
    place: str
    message: str


def fingerprint_of(entry: LogEntry) -> Fingerprint:
    """The entry's fingerprint; one that its line brings along (`fingerprint`, else the exception's own) names it."""
    told = _exception(entry)
    kind, said, traceback = (str(told.get(key) or "") for key in ("type", "message", "traceback"))
    place = raised_at(traceback) or _logged_at(entry)
    message = normalised(said or entry.message)
    brought = entry.value("fingerprint") or told.get("fingerprint")
    digest = brought if isinstance(brought, str) and brought else digest_of(kind, place, message)
    return Fingerprint(digest, kind, place, message)


def _exception(entry: LogEntry) -> dict[str, Any]:
    told = entry.values.get("exception")
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def _logged_at(entry: LogEntry) -> str:
    module, function = entry.values.get("module"), entry.values.get("function")
    return f"{module}.{function}" if module and function else entry.logger
