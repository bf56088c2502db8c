"""Files read by several processes at once, in about the order in which the merge will ask for their parts.

The part whose first entry is the earliest is handed out next, from whatever file. A bounded number of parts is under
way, and a bounded number of bytes waits to be asked for, so that memory does not grow with the input. A part whose
process ended is looked through here.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, final

from metaexpert.logger.files.reading.bounds import Range, aligned, times_at
from metaexpert.logger.files.reading.entries import LogEntry
from metaexpert.logger.files.reading.helpers import Helper
from metaexpert.logger.files.reading.parts import Answer, Looking, Part
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.report import ReadReport
from metaexpert.logger.files.reading.sources import ReadError, Source

PART_BYTES: Final = 4 * 1024 * 1024
_LEAST_PART_BYTES: Final = 256 * 1024
_ALL_PARTS_BYTES: Final = 32 * 1024 * 1024
_PACKED_PART_BYTES: Final = 16 * 1024 * 1024
_UNDER_WAY: Final = 3
"""Parts a process has at once: one it is at, and what follows."""

_WAITING_PARTS: Final = 256


@final
@dataclass(slots=True)
class _Ticket:
    part: Part
    future: Future[Answer]
    helper: int


@final
@dataclass(slots=True)
class _File:
    """How far a file was handed out."""

    source: Source
    start: int
    end: int | None
    time_ns: int
    tickets: deque[_Ticket] = field(default_factory=deque["_Ticket"])
    helper: int | None = None
    """Which process has it open, where it is compressed."""
    is_begun: bool = False
    """Whether a part of it was handed out."""
    is_awaited: bool = False
    """Whether it is compressed, and where it goes on is not known yet."""
    is_out: bool = False
    """Whether nothing of it is left to be handed out."""

    def go_on(self, answer: Answer) -> None:
        """Take from the answer where a compressed file goes on."""
        self.is_awaited = False
        self.is_out = answer.next_start is None
        self.start, self.time_ns = answer.next_start or 0, answer.time_ns


@final
class Ahead:
    """The files of one reading, and the processes that look through them.

    Args:
        files: what of each file to read.
        query: what to keep.
        processes: how many processes, at least one.
        report: what reading comes upon.
        opened: how many files the merge reads at once.

    Raises:
        OSError: a process cannot be started; none is left running.
    """

    def __init__(
        self,
        files: Sequence[tuple[Source, Range]],
        query: Query,
        processes: int,
        report: ReadReport,
        opened: Callable[[], int],
    ) -> None:
        self._files = [_File(source, part.start, part.end, part.begin_ns) for source, part in files]
        self._report = report
        self._opened = opened
        self._here = Looking(query)
        self._due = [(file.time_ns, number) for number, file in enumerate(self._files)]
        heapq.heapify(self._due)
        self._helpers = _started(query, processes)
        self._ended = set[int]()
        self._tickets = list[_Ticket]()

    def close(self) -> None:
        """End the processes."""
        for helper in self._helpers:
            helper.close()

    def batches(self, number: int) -> Iterator[list[LogEntry]]:
        """What a file holds, part by part."""
        file = self._files[number]
        while file.tickets or not file.is_out:
            if not file.tickets:
                self._hand_out(number)
            self._hand_out_more()
            ticket = file.tickets.popleft()
            answer = self._answer(ticket)
            self._tickets.remove(ticket)
            if file.is_awaited and not file.tickets:
                file.go_on(answer)
                self._push(number)
            self._report.add(answer.report)
            yield answer.entries(file.source)

    def _answer(self, ticket: _Ticket) -> Answer:
        try:
            return ticket.future.result()
        except (OSError, EOFError):
            self._ended.add(ticket.helper)
            return self._here.through(ticket.part)
        except Exception as error:
            raise ReadError(f"{ticket.part.source.path} cannot be read: {error or type(error).__name__}") from error

    def _push(self, number: int) -> None:
        if not self._files[number].is_out:
            heapq.heappush(self._due, (self._files[number].time_ns, number))

    def _hand_out(self, number: int) -> None:
        """Have the next part of a file looked through."""
        file = self._files[number]
        part = self._next_plain(file) if file.end is not None else self._next_packed(file)
        if file.end is not None:
            self._push(number)
        helper = self._helper_for(file)
        if file.end is None:
            file.helper = helper
        ticket = _Ticket(part, self._ask(helper, part), helper)
        file.tickets.append(ticket)
        self._tickets.append(ticket)

    def _ask(self, helper: int, part: Part) -> Future[Answer]:
        if helper not in self._ended:
            return self._helpers[helper].ask(part)
        future: Future[Answer] = Future()
        future.set_exception(EOFError())
        return future

    def _next_plain(self, file: _File) -> Part:
        size = max(_LEAST_PART_BYTES, min(PART_BYTES, _ALL_PARTS_BYTES // (self._opened() + 1)))
        if not file.is_begun:  # how many files overlap is seen when their first parts are there
            file.is_begun, size = True, min(size, _ALL_PARTS_BYTES // len(self._files) + _LEAST_PART_BYTES)
        end = file.end or 0
        found = aligned(file.source, file.start + size) if file.start + size < end else end
        until = end if found is None else min(found, end)
        part = Part(file.source, file.start, until, file.time_ns, 0)
        file.start, file.is_out = until, until >= end
        if not file.is_out:
            file.time_ns = min(times_at(file.source, until), default=file.time_ns)
        return part

    def _next_packed(self, file: _File) -> Part:
        file.is_awaited = True
        return Part(file.source, file.start, None, file.time_ns, _PACKED_PART_BYTES)

    def _helper_for(self, file: _File) -> int:
        if file.helper is not None and file.helper not in self._ended:
            return file.helper
        loads = self._loads()
        return min(range(len(loads)), key=loads.__getitem__)

    def _loads(self) -> list[int]:
        """How many parts each process has."""
        loads = [_UNDER_WAY if number in self._ended else 0 for number in range(len(self._helpers))]
        for ticket in self._tickets:
            if not ticket.future.done():
                loads[ticket.helper] += 1
        return loads

    def _hand_out_more(self) -> None:
        """Give the processes enough to do."""
        self._go_on_with_packed()
        while self._due and self._has_room():
            loads, passed, chosen = self._loads(), list[tuple[int, int]](), None
            while self._due and chosen is None and min(loads) < _UNDER_WAY:
                due = heapq.heappop(self._due)
                file = self._files[due[1]]
                if file.is_out or file.is_awaited:
                    continue
                if file.helper is not None and loads[file.helper] >= _UNDER_WAY:
                    passed.append(due)
                else:
                    chosen = due[1]
            for due in passed:
                heapq.heappush(self._due, due)
            if chosen is None:
                return
            self._hand_out(chosen)

    def _has_room(self) -> bool:
        done = [ticket.future for ticket in self._tickets if ticket.future.done()]
        held_bytes = sum(future.result().kept_bytes for future in done if future.exception() is None)
        return len(self._tickets) < _WAITING_PARTS and held_bytes < _ALL_PARTS_BYTES

    def _go_on_with_packed(self) -> None:
        """Compressed files whose last part is there can be gone on with, though nobody asked for it yet."""
        for number, file in enumerate(self._files):
            if file.is_awaited and file.tickets:
                future = file.tickets[-1].future
                if future.done() and future.exception() is None:
                    file.go_on(future.result())
                    self._push(number)


def _started(query: Query, processes: int) -> list[Helper[Part, Answer]]:
    helpers: list[Helper[Part, Answer]] = []
    try:
        for _ in range(processes):
            helpers.append(Helper(Looking(query)))  # noqa: PERF401 - those there are end where one cannot be started
    except BaseException:
        for helper in helpers:
            helper.close()
        raise
    return helpers
