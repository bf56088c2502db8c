"""The report's tables as text cells: one for each measurement, one row for each peer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.peers.registry import OURS, PEERS
from bench.stats import ratio
from bench.summary import Cell, Summary

MISSING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One figure, or several of a kind side by side, and how each is shown: divided by ``scale``, with ``digits``."""

    figures: tuple[str, ...]
    header: str
    digits: int = 1
    scale: float = 1.0

    def text(self, cell: Cell) -> str:
        """The figures of a cell, or a dash."""
        if any(name not in cell.figures for name in self.figures):
            return MISSING
        return " / ".join(f"{cell.figures[name] / self.scale:,.{self.digits}f}" for name in self.figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A measurement's table; the first column is the one that peers are compared by."""

    measure: str
    title: str
    columns: Sequence[Column]
    lower_is_better: bool = True
    counts_arrivals: bool = True
    ours_alone: bool = False
    how: str

    @property
    def headers(self) -> list[str]:
        """Column titles, the peer's name first."""
        lost = ["lost"] if self.counts_arrivals else []
        ratio_header = [] if self.ours_alone else ["ratio"]
        return ["", *[column.header for column in self.columns], *ratio_header, *lost]

    def rows(self, summary: Summary) -> list[list[str]]:
        """A row for each peer that was measured, the best first, those without a figure last."""
        cells = {peer: cell for (measure, peer), cell in summary.items() if measure == self.measure}
        return [self._row(peer, cells[peer], cells.get(OURS)) for peer in sorted(cells, key=self._order(cells))]

    def _order(self, cells: dict[str, Cell]) -> "_Order":
        return _Order(cells, self.columns[0].figures[0], self.lower_is_better)

    def _row(self, peer: str, cell: Cell, ours: Cell | None) -> list[str]:
        lost = [f"{cell.lost:,} of {cell.offered:,}" if cell.lost else "0"] if self.counts_arrivals else []
        if not cell.figures:
            lost = [MISSING for _ in lost]
        ratio_cell = [] if self.ours_alone else [self._ratio(cell, ours)]
        return [PEERS[peer].title, *[column.text(cell) for column in self.columns], *ratio_cell, *lost]

    def _ratio(self, cell: Cell, ours: Cell | None) -> str:
        name = self.columns[0].figures[0]
        if ours is None or cell is ours or name not in cell.figures or name not in ours.figures:
            return MISSING
        quotient = ratio(ours.figures[name], cell.figures[name], lower_is_better=self.lower_is_better)
        return MISSING if quotient is None else f"{quotient:.2g}" if quotient < 10 else f"{quotient:,.0f}"


@dataclass(frozen=True, slots=True)
class _Order:
    """Sorts peers by a figure, the best first, those without it last."""

    cells: dict[str, Cell]
    figure: str
    lower_is_better: bool

    def __call__(self, peer: str) -> tuple[bool, float]:
        value = self.cells[peer].figures.get(self.figure)
        return (True, 0.0) if value is None else (False, value if self.lower_is_better else -value)


def _three(span: str) -> tuple[str, str, str]:
    return f"{span}_p50_ms", f"{span}_p99_ms", f"{span}_max_ms"


def _four(span: str) -> tuple[str, str, str, str]:
    return f"{span}_p50_ms", f"{span}_p95_ms", f"{span}_p99_ms", f"{span}_max_ms"


def _p50_p99(kind: str) -> tuple[str, str]:
    return f"default_{kind}_p50_ns", f"default_{kind}_p99_ns"


def _plain_protected(figure: str) -> tuple[str, ...]:
    return tuple(figure.format(kind) for kind in ("info", "error", "critical", "audit", "trade"))


_KINDS = "info / error / critical / audit / trade"


SECTIONS: tuple[Section, ...] = (
    Section(
        measure="latency",
        title="Log call, nanoseconds",
        columns=(
            Column(figures=("p50_ns",), header="p50", digits=0),
            Column(figures=("p99_ns",), header="p99", digits=0),
            Column(figures=("p99_9_ns",), header="p99.9", digits=0),
            Column(figures=("max_ns",), header="max", digits=0),
            Column(figures=("clock_ns",), header="clock, subtracted", digits=0),
        ),
        how="Calls in a coroutine, in chunks of 50 with 5 ms for the loop between, garbage collection as by default. "
        "Each call is timed on its own; the median of an empty function timed in the same way is subtracted.",
    ),
    Section(
        measure="disabled",
        title="Disabled level, nanoseconds",
        columns=(
            Column(figures=("disabled_ns",), header="call", digits=1),
            Column(figures=("empty_ns",), header="empty method", digits=1),
            Column(figures=("ratio",), header="times", digits=2),
        ),
        counts_arrivals=False,
        how="`debug` at level INFO, beside an empty method of the same signature with the same arguments; blocks of "
        "1 000 alternate, the bare loop is subtracted from both.",
    ),
    Section(
        measure="sustained",
        title="Sustained, to a JSON file",
        columns=(
            Column(figures=("entries_per_second",), header="entries/s", digits=0),
            Column(figures=("cpu_us_per_entry",), header="CPU µs/entry", digits=2),
            Column(figures=("offered_per_second",), header="offered/s", digits=0),
        ),
        lower_is_better=False,
        how="A coroutine logs as fast as it can, with a turn for the loop after each 100 entries and the library's own "
        "backpressure where it has one, for 200 000 entries or 5 s. The clock stops when the library says that all is "
        "written; what is on disk then has arrived. CPU is the process's, all threads.",
    ),
    Section(
        measure="lag",
        title="Lag of a 1 ms heartbeat on the loop, milliseconds",
        columns=(
            Column(figures=("added_burst_p99_ms",), header="added p99 burst", digits=3),
            Column(figures=("added_steady_p99_ms",), header="added p99 10k/s", digits=3),
            Column(figures=_three("idle"), header="idle p50 / p99 / max", digits=2),
            Column(figures=_three("steady"), header="10k/s p50 / p99 / max", digits=2),
            Column(figures=_three("burst"), header="burst p50 / p99 / max", digits=2),
            Column(figures=("burst_per_second",), header="burst rate/s", digits=0),
        ),
        how="A timerfd beats each millisecond and the loop reads it as it would a socket; a beat that the loop could "
        "not take in time counts with its own lateness. Entries come from one coroutine: at each turn it logs what is "
        "due by the clock, at most 25 before it gives the loop back with sleep(0), and sleeps 1 ms when nothing is "
        "due. Rounds of 1 s idle, 1 s at 10 000 a second, and 50 000 in one second (cut after 3 s where the calls are "
        "too slow for that); a burst's span lasts until the file has stopped growing. Medians over the rounds, the "
        "maximum of all. 'Added' is less idle, in the same process, and zero where idle is the larger.",
    ),
    Section(
        measure="memory",
        title="Memory over idle at 10 000/s, MiB",
        columns=(
            Column(figures=("over_idle_mib",), header="peak over idle", digits=2),
            Column(figures=("set_up_mib",), header="set up, idle", digits=2),
        ),
        how="The kernel's high-water mark of resident memory, reset with the logger open and warmed up.",
    ),
    Section(
        measure="stalled",
        title="Memory over idle, collector that never answers, MiB",
        columns=(
            Column(figures=("over_idle_mib",), header="peak over idle", digits=1),
            Column(figures=("offered",), header="offered", digits=0),
            Column(figures=("offered_per_second",), header="offered/s", digits=0),
            Column(figures=("held_entries",), header="held", digits=0),
            Column(figures=("dropped_entries",), header="dropped", digits=0),
            Column(figures=("unexplained_entries",), header="unexplained", digits=0),
        ),
        counts_arrivals=False,
        how="1 000 000 entries, or 15 s of them, offered as fast as the calls go, without backpressure, to a collector "
        "that accepts connections, reads, and never answers. Nothing can arrive; what counts is what is held, and "
        "whether the library can tell what became of each entry.",
    ),
    Section(
        measure="loki",
        title="To Loki",
        columns=(
            Column(figures=("entries_per_second",), header="entries/s", digits=0),
            Column(figures=("cpu_us_per_entry",), header="CPU µs/entry", digits=2),
            Column(figures=("requests",), header="requests", digits=0),
        ),
        lower_is_better=False,
        how="Over HTTP on loopback to a collector in a process of its own, which checks and counts every entry; the "
        "clock stops when all is acknowledged.",
    ),
    Section(
        measure="elasticsearch",
        title="To Elasticsearch",
        columns=(
            Column(figures=("entries_per_second",), header="entries/s", digits=0),
            Column(figures=("cpu_us_per_entry",), header="CPU µs/entry", digits=2),
            Column(figures=("requests",), header="requests", digits=0),
        ),
        lower_is_better=False,
        how="As to Loki, over the bulk interface.",
    ),
    Section(
        measure="otlp",
        title="To OTLP/HTTP",
        columns=(
            Column(figures=("entries_per_second",), header="entries/s", digits=0),
            Column(figures=("cpu_us_per_entry",), header="CPU µs/entry", digits=2),
            Column(figures=("requests",), header="requests", digits=0),
        ),
        lower_is_better=False,
        how="As to Loki, as protobuf.",
    ),
    Section(
        measure="protected",
        title="Protected call, nanoseconds",
        columns=(
            Column(figures=_p50_p99("info"), header="info p50 / p99", digits=0),
            Column(figures=_p50_p99("error"), header="error p50 / p99", digits=0),
            Column(figures=_p50_p99("critical"), header="critical p50 / p99", digits=0),
            Column(figures=_p50_p99("audit"), header="audit p50 / p99", digits=0),
            Column(figures=_p50_p99("trade"), header="trade p50 / p99", digits=0),
        ),
        ours_alone=True,
        how="The ordinary call beside those whose entries are in the journal when they return, in the default "
        "configuration. Chunks of 50 calls of each kind alternate, with 5 ms for the loop behind each; each call is "
        "timed on its own, the median of an empty function timed in the same way is subtracted.",
    ),
    Section(
        measure="protected",
        title="What journal and flight recorder add to a call, nanoseconds",
        columns=(
            Column(figures=_plain_protected("{}_over_info_ns"), header=f"over info: {_KINDS}", digits=0),
            Column(figures=_plain_protected("{}_journal_ns"), header="over the same without journal", digits=0),
            Column(figures=_plain_protected("{}_recorder_ns"), header="over the same without recorder", digits=0),
        ),
        ours_alone=True,
        how="Differences of medians of the same run. Configurations follow one another in rounds, in one process: the "
        "default one, one without the journal (which has no flight recorder either), one with the journal and without "
        "the flight recorder.",
    ),
    Section(
        measure="desk",
        title="Trade events, secrets, exceptions and timers, nanoseconds",
        columns=(
            Column(figures=_p50_p99("trade"), header="trade event p50 / p99", digits=0),
            Column(figures=("trade_checks_ns",), header="of it checks", digits=0),
            Column(
                figures=("plain_search_ns", "text_search_ns", "address_search_ns"),
                header="search for secrets: none to search / new text / new address",
                digits=0,
            ),
            Column(figures=_p50_p99("exception"), header="exception p50 / p99", digits=0),
            Column(
                figures=("default_exception_p50_ns", "locals_exception_p50_ns"),
                header="without / with locals, p50",
                digits=0,
            ),
            Column(
                figures=("timer_block_ns", "timer_function_ns", "timer_record_ns"),
                header="timer: block / decorator / duration told",
                digits=0,
            ),
        ),
        ours_alone=True,
        how="As protected calls. The checks of a trade event are its cost beside an audit entry with the same fields. "
        "The search for secrets is what the same calls cost less without it. The exception comes through three frames. "
        "Timers are what the plain call costs more with one.",
    ),
    Section(
        measure="fsynced",
        title="CRITICAL, from the call until it is on the disk itself, milliseconds",
        columns=(
            Column(figures=("all_p95_ms",), header="p95 under load", digits=2),
            Column(figures=_four("steady"), header="10k/s p50 / p95 / p99 / max", digits=2),
            Column(figures=_four("burst"), header="burst p50 / p95 / p99 / max", digits=2),
            Column(figures=_four("disk"), header="the disk's own p50 / p95 / p99 / max", digits=2),
            Column(figures=("steady_samples", "burst_samples"), header="calls in 10k/s / burst", digits=0),
        ),
        ours_alone=True,
        how="From before `log.critical` until `await receipt` returns, some 20 times a second at irregular intervals, "
        "each in a task of its own, while another coroutine logs to a JSON file: 4 s at 10 000 a second, then 50 000 "
        "in one second, in rounds. The disk's own time is that of syncing one written block of a file that has its "
        "room already, in a thread, between the rounds, without load.",
    ),
    Section(
        measure="spool",
        title="Disk queue",
        columns=(
            Column(figures=("drained_per_second",), header="to Loki, entries/s", digits=0),
            Column(figures=("cpu_us_per_entry",), header="CPU µs/entry", digits=2),
            Column(figures=("start_seconds",), header="start, s", digits=3),
            Column(figures=("spool_gib",), header="with GiB on disk", digits=2),
            Column(figures=("spool_entries",), header="entries there", digits=0),
        ),
        lower_is_better=False,
        ours_alone=True,
        how="300 000 entries are logged to a collector that refuses connections, and logging stops, so that all are on "
        "disk. The next start finds them; the clock runs from before it until all is acknowledged by a collector in a "
        "process of its own, which checks and counts every entry. The start with a large queue is timed until the "
        "statistics tell its entries. That queue is laid out in files of 8 MiB, the first in full, the others with "
        "their first and last frames where they would be and a hole between, for a start reads no more of them; they "
        "come from the page cache.",
    ),
    Section(
        measure="rotation",
        title="Rotation, loop lag in milliseconds",
        columns=(
            Column(figures=("rotation_p99_ms", "rotation_max_ms"), header="around it p99 / max", digits=2),
            Column(figures=("calm_p99_ms", "calm_max_ms"), header="before it p99 / max", digits=2),
            Column(figures=("rotated_gb",), header="file, GB", digits=2),
        ),
        ours_alone=True,
        how="A file is filled to just below its size for rotation; entries at 10 000 a second take it past. A 1 ms "
        "heartbeat tells how late the loop comes within a quarter of a second of the moment at which the new file "
        "begins, and in the seconds before. Both files are read back.",
    ),
    Section(
        measure="reading",
        title="Reading back",
        columns=(
            Column(figures=("where_mb_per_second",), header="condition, MB/s", digits=0),
            Column(figures=("text_mb_per_second",), header="text, MB/s", digits=0),
            Column(figures=("one_mb_per_second", "jq_mb_per_second"), header="one file: ours / jq", digits=0),
            Column(figures=("packed_mb_per_second", "zgrep_mb_per_second"), header="packed: ours / zgrep", digits=0),
            Column(
                figures=("tail_ms", "tail_command_ms", "bare_python_ms"),
                header="tail / tail command, whole / python, ms",
                digits=0,
            ),
            Column(figures=("tail_gib",), header="of GiB", digits=2),
        ),
        lower_is_better=False,
        ours_alone=True,
        how="A gigabyte of JSON lines in ten files, one line in a thousand about another symbol: found by "
        "`symbol=SOLUSDT` and as text, in as many processes as the reader chooses; one of the files beside `jq`, and "
        "packed by gzip beside `zgrep` (megabytes unpacked), where these are installed. Files come from the page "
        "cache, what is found is counted. The tail is of the last 10 entries of 160 files laid out sparsely: in a "
        "process that runs, by `metaexpert logs tail` from the process's start to its first line, and what Python "
        "itself takes to print one.",
    ),
)


def faults(summary: Summary) -> list[str]:
    """Everything that went wrong, in words, each once: no figure, duplicates, callers named wrongly."""
    found: dict[str, list[str]] = {}
    for (measure, peer), cell in summary.items():
        for text in _faults(cell):
            found.setdefault(f"{PEERS[peer].title}: {text}", []).append(measure)
    return [f"{text} ({', '.join(dict.fromkeys(measures))})" for text, measures in found.items()]


def _faults(cell: Cell) -> list[str]:
    duplicates = [f"{cell.duplicates:,} duplicates"] if cell.duplicates else []
    caller = [] if cell.caller_right else ["names another function than the one that logged"]
    return [*(fault.strip().splitlines()[-1] for fault in cell.faults), *duplicates, *caller]
