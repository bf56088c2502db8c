"""One dead letter as one JSON line: when, by whom and why an entry was refused, and the bytes that were refused.

`bytes` holds what the sink made of the entry, `base64` the same where it is no UTF-8; where the sink could not encode
the entry at all, `entry` holds its JSON line, to be read but not sent.
"""

import base64
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self, cast, final

import orjson

from metaexpert.logger.entry import LEVEL, LOG_TYPE, RECOVERED_FROM, SEQ, TIME_NS, Capture
from metaexpert.logger.formats.controls import harmless
from metaexpert.logger.outcome import Rejection
from metaexpert.logger.values import safe_text

_MOST_REASON_BYTES: Final = 4096
_MOST_STATUS: Final = 2**31
_NANOSECONDS: Final = 1_000_000_000
_ENTRY_ID: Final = re.compile(rb"(?P<id>[0-9a-f]{17}-(\d+))")
_KEYED_ID: Final = re.compile(rb'"(?:_id|id|entry_id)": ?"(?P<id>[0-9a-f]{17}-\d+)"')


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An entry that was refused for good.

    Attributes:
        time_ns: when it was refused, nanoseconds since the epoch.
        sink: the sink's name.
        kind: the sink's type.
        entry_id: the entry's id.
        seq: its number in its run.
        entry_time_ns: when it was logged, nanoseconds since the epoch.
        level: its level number.
        log_type: its log type.
        status: the answer's status; 0 where there was none.
        reason: the answer's words.
        part: what the sink made of the entry; None where it could not encode it.
        entry: the entry's JSON line where the sink could not encode it, else empty.
    """

    time_ns: int
    sink: str
    kind: str
    entry_id: str
    seq: int
    entry_time_ns: int
    level: int
    log_type: str
    status: int
    reason: str
    part: bytes | None
    entry: str = ""

    @property
    def level_name(self) -> str:
        """Level name as stdlib logging knows it."""
        return logging.getLevelName(self.level)

    @property
    def time(self) -> str:
        """When it was refused, UTC."""
        return _utc(self.time_ns)

    @property
    def text(self) -> str:
        """What was refused, for people."""
        return self.entry if self.part is None else self.part.decode("utf-8", "replace")

    def line(self) -> bytes:
        """The letter as one line, newline included."""
        document = {
            "time": self.time,
            "time_ns": self.time_ns,
            "sink": safe_text(self.sink),
            "type": safe_text(self.kind),
            "id": safe_text(self.entry_id),
            "seq": self.seq,
            "entry_time_ns": self.entry_time_ns,
            "level": safe_text(self.level_name),
            "level_number": self.level,
            "log_type": safe_text(self.log_type),
            "status": self.status,
            "reason": safe_text(self.reason, _MOST_REASON_BYTES),
            **self._refused(),
        }
        return harmless(orjson.dumps(document)) + b"\n"

    def _refused(self) -> dict[str, str]:
        if self.part is None:
            return {"entry": safe_text(self.entry)}
        try:
            return {"bytes": self.part.decode("utf-8")}
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(self.part).decode()}

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """The letter a line holds.

        Raises:
            ValueError: it is none, or not all of one.
        """
        try:
            document = cast("dict[str, Any]", orjson.loads(line))
            return cls(
                time_ns=int(document["time_ns"]),
                sink=str(document["sink"]),
                kind=str(document["type"]),
                entry_id=str(document["id"]),
                seq=int(document["seq"]),
                entry_time_ns=int(document["entry_time_ns"]),
                level=int(document["level_number"]),
                log_type=str(document["log_type"]),
                status=int(document["status"]),
                reason=str(document["reason"]),
                part=_part(document),
                entry=str(document.get("entry", "")),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a dead letter: {type(error).__name__} {error}") from error


def _part(document: dict[str, Any]) -> bytes | None:
    if "bytes" in document:
        return str(document["bytes"]).encode()
    return base64.b64decode(document["base64"], validate=True) if "base64" in document else None


def new_letter(
    entry: Capture, rejection: Rejection, part: bytes | None, *, sink: str, kind: str, boot_id: str, time_ns: int
) -> DeadLetter:
    """The letter of an entry that a sink refused just now."""
    entry_id = entry_id_in(part or b"", entry[SEQ], boot_id)
    return DeadLetter(
        time_ns=time_ns,
        sink=sink,
        kind=kind,
        entry_id=entry_id,
        seq=int(entry_id.rpartition("-")[2]),
        entry_time_ns=entry[TIME_NS],
        level=entry[LEVEL],
        log_type=entry[LOG_TYPE],
        status=max(-_MOST_STATUS, min(int(rejection.status), _MOST_STATUS)),
        reason=str(rejection.reason),
        part=part,
    )


def entry_id_in(part: bytes, seq: int, boot_id: str) -> str:
    """The entry's id: where it may be of an earlier run, read back from disk, only its bytes say which run that was."""
    if seq >= RECOVERED_FROM:
        theirs = _KEYED_ID.search(part) or _ENTRY_ID.search(part)
        return f"{boot_id}-{seq}" if theirs is None else theirs["id"].decode()
    ours = f"{boot_id}-{seq}"
    if not part or ours.encode() in part:
        return ours
    number = str(seq).encode()
    found = next((match for match in _ENTRY_ID.finditer(part) if match[2] == number), None)
    return ours if found is None else found[0].decode()


def _utc(time_ns: int) -> str:
    second, nanosecond = divmod(time_ns, _NANOSECONDS)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{nanosecond:09d}Z"
