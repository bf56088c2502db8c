"""From when to when the entries of log files can be, as far as names and the files around them tell; pure.

What nobody can tell is taken for the wider span, since by it files are held: an entry may be older than the end of the
file before its own, where it waited for the disk; one of a run that was killed stands in the first files of a later
run; a file's date may have been changed.
"""

from bisect import bisect_left
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from metaexpert.logger.files.keeping.retention import KeptFile
    from metaexpert.logger.files.names import Run

_RECOVERY_SECONDS: Final = 600.0
"""How long after its begin a run may write what former ones left."""

_SECOND: Final = 1.0
"""What a name's time is exact to."""


def with_spans(files: "Sequence[KeptFile]") -> "Iterator[KeptFile]":
    """All files of a log, each with the times between which its entries are."""
    spans = _Spans(files)
    for each in files:
        yield replace(each, began_at=spans.began_at(each), ended_at=spans.ended_at(each))


@final
class _Spans:
    """What is known of all files of a log."""

    def __init__(self, files: "Sequence[KeptFile]") -> None:
        self._dated: dict[tuple[Run, int], float] = {}
        ends: dict[Run, float] = {}
        for each in files:
            run, at = each.file.run, each.modified_at
            place = run, each.file.number
            self._dated[place] = min(at, self._dated.get(place, at))  # copies of one may be dated later
            ends[run] = max(at, ends.get(run, at))
        self._start = {run: run.started_at.timestamp() for run in ends}
        self._by_start = sorted(self._start.values())
        self._by_end = sorted((end, self._start[run]) for run, end in ends.items())

    def began_at(self, kept: "KeptFile") -> float:
        """The time before which none of its entries is; 0 where nothing tells."""
        run, number = kept.file.run, kept.file.number
        start = self._start[run]
        if number <= 2:  # noqa: PLR2004 - the one before it is the run's first
            return self._former(start)
        before = self._dated.get((run, number - 2), 0.0)  # what the one before it began with may have waited
        if not start <= before <= kept.modified_at:
            return start if number > 3 else self._former(start)  # noqa: PLR2004 - what was left fills few files
        return before if before > start + _RECOVERY_SECONDS else self._former(start)

    def _former(self, start: float) -> float:
        """The begin of the runs before a time that may have left something: the last to begin and the last to end."""
        began = bisect_left(self._by_start, start)
        ended = bisect_left(self._by_end, (start, start))
        if not began:
            return 0.0
        return min(self._by_start[began - 1], self._by_end[ended - 1][1] if ended else start)

    def ended_at(self, kept: "KeptFile") -> float:
        """The time behind which none of its entries is; infinite where its date cannot be true and no other tells."""
        run, number = kept.file.run, kept.file.number
        least = max(self._start[run] - _SECOND, self._dated.get((run, number - 1), 0.0))
        dates = (kept.modified_at, self._dated.get((run, number + 1), 0.0))
        return next((date for date in dates if date >= least), inf)
