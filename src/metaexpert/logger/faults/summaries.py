"""Says, when an error's window has ended, how often it was seen and between when and when; beside the dispatcher."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from metaexpert.logger.entry import Capture
from metaexpert.logger.faults.groups import Group, groups
from metaexpert.logger.formats.timestamps import utc_parts
from metaexpert.logger.own_entries import own_entry

SUMMARY_LOGGER: Final = "metaexpert.errors"
_LONGEST_REST_SECONDS: Final = 5.0
_SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class ErrorFigures:
    """What became of repeated errors, since the process began.

    Attributes:
        seen: exceptions in entries of ERROR and above.
        left_out: entries among them that refer to another one for their traceback.
        watched: errors whose window lasts now.
        crowded_out: errors whose window was ended early, since there were too many kinds.
    """

    seen: int
    left_out: int
    watched: int
    crowded_out: int


@final
class ErrorSummaries:
    """A companion that speaks for the tracebacks that were left out.

    Args:
        report: the way into the pipeline.
    """

    def __init__(self, report: Callable[[Capture], None]) -> None:
        self._report = report

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            self._say(groups.ended())
            rest = groups.next_end_seconds()
            await asyncio.sleep(_LONGEST_REST_SECONDS if rest is None else min(rest + 0.001, _LONGEST_REST_SECONDS))

    async def finish(self, most_seconds: float) -> None:  # noqa: ARG002 - it waits for nothing
        """Report what there is: nobody counts on."""
        self._say(groups.ended(all_of_them=True))

    def figures(self) -> ErrorFigures:
        """How many errors were seen, and left out."""
        return ErrorFigures(groups.seen, groups.left_out, len(groups), groups.crowded_out)

    def _say(self, ended: list[Group]) -> None:
        for group in ended:
            self._report(summary_of(group))


def summary_of(group: Group) -> Capture:
    """The entry that speaks for the tracebacks left out of a group."""
    first, last = moment(group.first_ns), moment(group.last_ns)
    where = f" in {group.place}" if group.place else ""
    said = f": {group.message[:_SHOWN_CHARACTERS]}" if group.message else ""
    message = f"{group.kind}{where} seen {group.seen} times, first {first}, last {last}{said}"
    told = {
        "fingerprint": group.digest,
        "exception_type": group.kind,
        "place": group.place,
        "seen": group.seen,
        "tracebacks_left_out": group.left_out,
        "first": first,
        "last": last,
        "by": group.logger,
    }
    return own_entry(logging.WARNING, message, told, logger=SUMMARY_LOGGER)


def moment(time_ns: int) -> str:
    """A time for people, UTC, milliseconds."""
    second, fraction = utc_parts(time_ns)
    return f"{second.decode()}.{fraction.decode()[:3]}Z"
