"""What a destination holds, entry by entry: missing, double, out of order and changed ones all show.

Every entry that a soak logs carries the run of the process it came from, the thread within it and its number there;
so one array for each thread tells of millions of entries which came, under which id, and with which bytes.
"""

import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_FAULTS_KEPT = 10


@dataclass(slots=True)
class Stream:
    """What came of one thread's entries.

    Attributes:
        arrived: different ones.
        duplicates: how many more came under an id that was there, with the same bytes.
        disordered: how many came for the first time behind one of their lane with a higher number.
    """

    arrived: int = 0
    duplicates: int = 0
    disordered: int = 0
    _seqs: "array[int]" = field(default_factory=lambda: array("q"))
    _checksums: "array[int]" = field(default_factory=lambda: array("I"))
    _last: dict[int, int] = field(default_factory=dict[int, int])

    def take(self, number: int, seq: int, checksum: int, lane: int) -> str:
        """Note an entry; what is wrong with it, or nothing."""
        self._reach(number)
        if self._seqs[number]:
            self.duplicates += 1
            return self._repeated(number, seq, checksum)
        self._seqs[number], self._checksums[number] = seq, checksum
        self.arrived += 1
        last = self._last.get(lane, -1)
        self.disordered += number < last
        self._last[lane] = max(number, last)
        return ""

    def __contains__(self, number: int) -> bool:
        return number < len(self._seqs) and self._seqs[number] != 0

    def missing(self, count: int) -> Iterator[int]:
        """The numbers below `count` that never came."""
        return (number for number in range(count) if number not in self)

    def _reach(self, number: int) -> None:
        more = number + 1 - len(self._seqs)
        if more > 0:
            more = max(more, len(self._seqs) // 8)
            self._seqs.extend([0] * more)
            self._checksums.extend([0] * more)

    def _repeated(self, number: int, seq: int, checksum: int) -> str:
        if self._seqs[number] != seq:
            return f"number {number} came under sequence {self._seqs[number]} and under {seq}"
        return "" if self._checksums[number] == checksum else f"number {number} came with other bytes"


def _one_lane(_number: int) -> int:
    return 0


class Arrivals:
    """Every entry of the soak's own that a destination holds.

    Args:
        lane_of: tells by an entry's number within which others it keeps its order; by default within all of its thread.

    Attributes:
        others: entries of the pipeline's own (markers, gaps), counted alone.
        faults: what must not be, in words; the first ones.
        fault_count: how many there were.
    """

    def __init__(self, lane_of: Callable[[int], int] = _one_lane) -> None:
        self._lane_of = lane_of
        self.others = 0
        self.faults: list[str] = []
        self.fault_count = 0
        self._streams: dict[tuple[int, int], Stream] = {}
        self._boots: dict[int, str] = {}

    def take(self, entry: Mapping[str, Any], entry_id: str, content: bytes) -> None:
        """Note a decoded entry under its id; `content` is what must be the same each time it comes."""
        fields: Mapping[str, Any] = entry.get("extra") or entry.get("trade_data") or {}
        if "soak_run" not in fields:
            self.others += 1
            return
        run, thread = fields["soak_run"], fields["soak_thread"]
        boot, _, seq = entry_id.rpartition("-")
        if self._boots.setdefault(run, boot) != boot:
            self.note(f"run {run} logged under boot id {self._boots[run]} and came under {boot}")
        number = fields["soak_number"]
        fault = self.stream(run, thread).take(number, int(seq), zlib.crc32(content), self._lane_of(number))
        if fault:
            self.note(f"run {run}, thread {thread}: {fault}")

    def stream(self, run: int, thread: int) -> Stream:
        """What came of that thread's entries."""
        return self._streams.setdefault((run, thread), Stream())

    def note(self, fault: str) -> None:
        """Remember what must not be."""
        self.fault_count += 1
        if len(self.faults) < _FAULTS_KEPT:
            self.faults.append(fault)

    @property
    def distinct(self) -> int:
        """Different entries of the soak's own."""
        return sum(stream.arrived for stream in self._streams.values())

    @property
    def duplicates(self) -> int:
        """Entries that came again."""
        return sum(stream.duplicates for stream in self._streams.values())

    @property
    def received(self) -> int:
        """Everything that came, repeats and the pipeline's own entries too."""
        return self.distinct + self.duplicates + self.others
