"""An exception as its entry tells of it: type, message, traceback, and beside them what else is known of it.

Made in the call, while frames still stand. Whatever fails here costs a part and never the entry.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic_ns
from types import FrameType
from typing import Any, Final, final

import orjson

from metaexpert.logger.described import described, type_name
from metaexpert.logger.errors import MESSAGE_LIMIT_BYTES, traceback_of
from metaexpert.logger.faults.api_errors import api_error_of
from metaexpert.logger.faults.fingerprint import TOLD_BEFORE, digest_of, normalised
from metaexpert.logger.faults.frames import LocalLimits, coroutines_of_task, last_frame, raised_in, shown_locals
from metaexpert.logger.faults.glimpse import Rules
from metaexpert.logger.faults.groups import Group, GroupRules, groups
from metaexpert.logger.faults.structure import structure_of
from metaexpert.logger.nesting import nesting
from metaexpert.logger.texts import safe_text

_STRUCTURE_BYTES: Final = 12 * 1024
"""What causes, members and notes may take; where they are more, the traceback alone shows them."""
_PLACE_BYTES: Final = 1024


@final
@dataclass(slots=True)
class ErrorCall:
    """The call that logs an exception.

    Attributes:
        level: stdlib level number.
        logger: the logger's name.
        log_type: the entry's log type.
        frame: the caller's.
        message: makes the entry's message; asked where the exception itself says nothing.
    """

    level: int
    logger: str
    log_type: str
    frame: FrameType
    message: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRules:
    """What is told of exceptions.

    Attributes:
        locals: how much of local variables; None for none.
        task_stack: whether the running task's coroutines are.
        group: when a repeated error is told in full; None for always.
        entry_id: the id of an entry by its number; errors are grouped only where it is known.
    """

    locals: LocalLimits | None = None
    task_stack: bool = True
    group: GroupRules | None = None
    entry_id: Callable[[int], str] | None = None


@final
class Faults:
    """Tells of exceptions by some rules.

    Args:
        rules: what is told.
    """

    def __init__(self, rules: FaultRules | None = None) -> None:
        self._rules = rules or FaultRules()

    def told(self, error: BaseException, call: ErrorCall, redaction: Rules) -> tuple[bytes, Group | None]:
        """The exception as JSON, and the group to be told which entry tells of it in full, if one is to be."""
        nesting.depth += 1
        try:
            return self._told(error, call, redaction)
        except Exception as failure:  # noqa: BLE001 - nothing known does; the entry must arrive whatever an exception is
            shown = {"type": redaction.scrub(type_name(error)), "message": f"<not describable: {type_name(failure)}>"}
            return orjson.dumps({**shown, "traceback": "", "fingerprint": ""}), None
        finally:
            nesting.depth -= 1

    def _told(self, error: BaseException, call: ErrorCall, redaction: Rules) -> tuple[bytes, Group | None]:
        scrub = redaction.scrub
        kind, message = scrub(type_name(error)), scrub(described(error, str, MESSAGE_LIMIT_BYTES))
        place = _or_nothing("", raised_in, error)
        digest = digest_of(kind, place, normalised(message or call.message()))
        group = self._group(digest, kind, place, call)
        if group is not None:
            group.message = message
        told: dict[str, Any] = {"type": kind, "message": message}
        told |= self._whole(error, call, redaction) if group is None else self._one_of(group, error, call, redaction)
        told["fingerprint"] = digest
        api = _or_nothing(None, api_error_of, error, scrub)
        if api:
            told["api_error"] = api
        is_whole = group is not None and "same_as" not in told
        return orjson.dumps(told), group if is_whole else None

    def _group(self, digest: str, kind: str, place: str, call: ErrorCall) -> Group | None:
        rules = self._rules.group
        if rules is None or self._rules.entry_id is None or call.level < logging.ERROR:
            return None
        groups.seen += 1
        # sinks choose by level, logger and log type: what one entry refers to goes wherever it goes itself
        # and an entry of this run has never to be looked for in another
        key = (digest, call.level, call.logger, call.log_type, self._rules.entry_id(0))
        return groups.group_of(key, Group(digest, kind, place, call.logger, monotonic_ns() + rules.window_ns))

    def _one_of(self, group: Group, error: BaseException, call: ErrorCall, redaction: Rules) -> dict[str, Any]:
        """In full or with a reference to the entry that tells it in full."""
        rules, entry_id, number = self._rules.group, self._rules.entry_id, group.see()
        if rules is None or entry_id is None or number <= rules.tracebacks or not group.number:
            return self._whole(error, call, redaction)
        group.left_out += 1
        groups.left_out += 1
        same = entry_id(group.number)
        place = safe_text(_or_nothing("", _last_line, error), _PLACE_BYTES)
        said = group.message.split("\n", 1)[0]
        ends = f"{group.kind}: {safe_text(said, _PLACE_BYTES)}" if said else group.kind
        shown = f"{TOLD_BEFORE}{same}; seen {number} times since]\n{place}{ends}\n"
        return {"traceback": redaction.scrub(shown), "same_as": same, "seen": number}

    def _whole(self, error: BaseException, call: ErrorCall, redaction: Rules) -> dict[str, Any]:
        told: dict[str, Any] = {"traceback": traceback_of(error, redaction.scrub)}
        structure = _or_nothing({}, structure_of, error, redaction.scrub)
        if structure and len(orjson.dumps(structure)) <= _STRUCTURE_BYTES:
            told |= structure
        if self._rules.task_stack and (coroutines := _or_nothing([], coroutines_of_task, call.frame)):
            told["task_stack"] = [redaction.scrub(safe_text(each, _PLACE_BYTES)) for each in coroutines]
        if self._rules.locals is not None:
            told["locals"] = _or_nothing([], shown_locals, error, redaction, self._rules.locals)
        return told


def _last_line(error: BaseException) -> str:
    last = last_frame(error)
    if last is None:
        return ""
    return f'  File "{last[0].co_filename}", line {last[1]}, in {last[0].co_name}\n'


def _or_nothing[T, **P](nothing: T, tell: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `tell` says, `nothing` where it fails: an exception's own code may do anything."""
    try:
        return tell(*args, **kwargs)
    except Exception:  # noqa: BLE001 - the part is left out; type, message and traceback are told all the same
        return nothing


PLAIN: Final = Faults()
"""Before logging starts: nothing is grouped, no locals."""
