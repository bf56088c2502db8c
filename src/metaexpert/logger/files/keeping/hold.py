"""Legal holds: which log files nothing deletes, whatever their age and however full the disk, until a hold is released.

They stand in one file of the log folder, `holds.json`, replaced as a whole. A file of holds that cannot be read or
understood holds everything: a damaged list must never be the reason why something is gone.
"""

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, cast, final

from metaexpert.exceptions import MetaExpertError
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.journal.segments import sync_folder
from metaexpert.logger.owner_lock import OwnerLock

HOLDS_FILE: Final = "holds.json"
_LOCK_FILE: Final = "holds.lock"
_MODE: Final = 0o600
_VERSION: Final = 1
_ID_BYTES: Final = 4


class HoldError(MetaExpertError):
    """A hold cannot be placed or released; the message says why."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold; a file is under it when all that is given of log, pattern and time range fits.

    Attributes:
        id: what it is released by.
        reason: why, such as the number of a case.
        actor: who placed it.
        placed_at: when, ISO 8601 in UTC.
        log: the log's name, such as `trades.log`; any when empty.
        pattern: what a file's name has to match, with `*` and `?`; any when empty.
        since: begin of the time range, seconds since 1970; none when left out. A file is in it that may have an entry
            in it.
        until: its end.
    """

    id: str
    reason: str
    actor: str
    placed_at: str
    log: str = ""
    pattern: str = ""
    since: float | None = None
    until: float | None = None

    def covers(self, file: LogFile, began_at: float, ended_at: float) -> bool:
        """Whether a file with entries from `began_at` to `ended_at`, seconds since 1970, is under it."""
        return (
            self.log in {"", file.log.name}
            and fnmatchcase(file.path.name, self.pattern or "*")
            and (self.since is None or ended_at >= self.since)
            and (self.until is None or began_at <= self.until)
        )


@final
@dataclass(frozen=True, slots=True)
class Holds:
    """All holds in force.

    Attributes:
        holds: the holds.
        damage: why the file of holds cannot be understood; everything is held then. Empty when all is well.
    """

    holds: tuple[Hold, ...] = ()
    damage: str = ""

    def over(self, file: LogFile, began_at: float, ended_at: float) -> str:
        """What holds a file, for people; empty when nothing does. For the times see `Hold.covers`."""
        if self.damage:
            return f"everything is held: {self.damage}"
        covering = (each for each in self.holds if each.covers(file, began_at, ended_at))
        return ", ".join(f"hold {each.id} ({each.reason})" for each in covering)


def read_holds(log_dir: Path) -> Holds:
    """The holds in force in a log folder; none where there is no such file."""
    path = log_dir / HOLDS_FILE
    try:
        return Holds(_parsed(path.read_bytes()))
    except FileNotFoundError:
        return Holds()
    except (OSError, ValueError, TypeError, KeyError) as error:
        return Holds(damage=f"{path} cannot be read ({error}); mend it, or put it back from a backup")


def place(
    log_dir: Path,
    *,
    reason: str,
    actor: str,
    log: str = "",
    pattern: str = "",
    since: float | None = None,
    until: float | None = None,
) -> Hold:
    """Place a hold; see `Hold` for what is given.

    Raises:
        HoldError: there is no reason, the time range is empty, or the present holds cannot be understood.
        OSError: it cannot be written.
    """
    if not reason.strip():
        raise HoldError("a hold needs a reason, such as the number of a case")
    if since is not None and until is not None and until < since:
        raise HoldError("the time range of a hold must not end before it begins")
    hold = Hold(
        id=secrets.token_hex(_ID_BYTES),
        reason=reason,
        actor=actor,
        placed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        log=log,
        pattern=pattern,
        since=since,
        until=until,
    )
    _change(log_dir, lambda holds: (*holds, hold))
    return hold


def release(log_dir: Path, hold_id: str) -> Hold:
    """Release a hold; what was under it alone goes when its time has come.

    Raises:
        HoldError: there is none with this id, or the holds cannot be understood.
        OSError: it cannot be written.
    """
    released = find(log_dir, hold_id)
    _change(log_dir, lambda holds: tuple(each for each in holds if each.id != hold_id))
    return released


def find(log_dir: Path, hold_id: str) -> Hold:
    """The hold with this id.

    Raises:
        HoldError: there is none, or the holds cannot be understood.
    """
    holds = _understood(log_dir)
    for each in holds:
        if each.id == hold_id:
            return each
    known = ", ".join(each.id for each in holds) or "none"
    raise HoldError(f"there is no hold {hold_id!r}; there are: {known}")


def _understood(log_dir: Path) -> tuple[Hold, ...]:
    holds = read_holds(log_dir)
    if holds.damage:
        raise HoldError(holds.damage)
    return holds.holds


def _change(log_dir: Path, changed: Callable[[tuple[Hold, ...]], tuple[Hold, ...]]) -> None:
    log_dir.mkdir(parents=True, exist_ok=True)
    lock = OwnerLock.acquire(log_dir / _LOCK_FILE)
    if lock is None:
        raise HoldError("somebody else changes the holds at this moment; try again")
    try:
        _write(log_dir, changed(_understood(log_dir)))
    finally:
        lock.release(delete=True)


def _write(log_dir: Path, holds: tuple[Hold, ...]) -> None:
    path = log_dir / HOLDS_FILE
    temporary = path.with_name(f"{HOLDS_FILE}.tmp")
    document = {"version": _VERSION, "holds": [asdict(each) for each in holds]}
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - of a descriptor
        file.write(json.dumps(document, indent=2) + "\n")
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    sync_folder(log_dir)


def _parsed(data: bytes) -> tuple[Hold, ...]:
    document: Any = json.loads(data)
    if document["version"] != _VERSION:
        message = f"version {document['version']!r} is not known"
        raise ValueError(message)
    return tuple(_hold(cast("dict[str, Any]", each)) for each in document["holds"])


def _hold(values: dict[str, Any]) -> Hold:
    texts = {name: _text(values[name]) for name in ("id", "reason", "actor", "placed_at", "log", "pattern")}
    return Hold(since=_time(values["since"]), until=_time(values["until"]), **texts)


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = f"{value!r} is no text"
        raise TypeError(message)
    return value


def _time(value: object) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    message = f"{value!r} is no time"
    raise TypeError(message)
