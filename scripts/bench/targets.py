"""The numbers to be reached, and whether they are. Pure.

Each target is a sentence about figures of one run; it is reached, not reached, or not measured, and always shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.peers.registry import OURS
from bench.summary import Cell, Summary


class State(StrEnum):
    """How a target stands."""

    REACHED = "reached"
    NOT_REACHED = "not reached"
    NOT_MEASURED = "not measured"
    VOID = "void: the machine was too busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A target and how it stands."""

    what: str
    target: str
    figure: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound on a figure of ours, absolute or relative to peers.

    ``void_above`` is a figure of ours and the value from which on it shows the machine's noise instead of a logger.
    ``against`` names the peers it is relative to: their figure times ``bound`` (the best of them, if several). An empty
    ``against`` makes the bound absolute.
    """

    what: str
    measure: str
    figure: str
    bound: float
    unit: str
    lower_is_better: bool = True
    against: Sequence[str] = ()
    all_peers: bool = False
    scale: float = 1.0
    nothing_lost: bool = False
    void_above: tuple[str, float] | None = None

    def judge(self, summary: Summary) -> Verdict:
        """Compare the figure with the bound; a figure for entries some of which were lost reaches nothing."""
        ours = _figure(summary, self.measure, OURS, self.figure)
        bound = self._bound(summary)
        if ours is None or bound is None:
            return self._verdict(self._bound_text(bound), "-", State.NOT_MEASURED)
        if self._is_noise(summary):
            return self._verdict(self._bound_text(bound), self._text(ours), State.VOID)
        lost = summary[self.measure, OURS].lost if self.nothing_lost else 0
        within = ours <= bound if self.lower_is_better else ours >= bound
        text = self._text(ours) + (f", {lost:,} lost" if lost else "")
        return self._verdict(self._bound_text(bound), text, State.REACHED if within and not lost else State.NOT_REACHED)

    def _is_noise(self, summary: Summary) -> bool:
        if self.void_above is None:
            return False
        name, limit = self.void_above
        figure = _figure(summary, self.measure, OURS, name)
        return figure is not None and figure > limit

    def _bound(self, summary: Summary) -> float | None:
        if not (self.against or self.all_peers):
            return self.bound
        pick = min if self.lower_is_better else max
        figures = [
            figure
            for measure, peer in summary
            if measure == self.measure and peer != OURS and (self.all_peers or peer in self.against)
            if (figure := _figure(summary, measure, peer, self.figure)) is not None
        ]
        return pick(figures) * self.bound if figures else None

    def _bound_text(self, bound: float | None) -> str:
        sign = "≤" if self.lower_is_better else "≥"
        if self.all_peers:
            whose = f"{'below' if self.lower_is_better else 'above'} every peer"
        elif self.against:
            whose = f"{sign} {self.bound:.2g} of {', '.join(self.against)}"
        else:
            return f"{sign} {self._text(self.bound)}"
        return whose if bound is None else f"{whose} ({self._text(bound)})"

    def _text(self, value: float) -> str:
        return f"{value / self.scale:,.{0 if value / self.scale >= 1000 else 2}f} {self.unit}".strip()

    def _verdict(self, target: str, figure: str, state: State) -> Verdict:
        return Verdict(what=self.what, target=target, figure=figure, state=state)


def _figure(summary: Summary, measure: str, peer: str, name: str) -> float | None:
    cell: Cell | None = summary.get((measure, peer))
    return cell.figures.get(name) if cell is not None else None


# The cap that memory is held to before a dead collector: by default 32 MiB for the sink and twice that for ingress.
STALLED_CAP_MIB = 96.0
MIB_PER_MB = 1e6 / 2**20
# An idle loop on a machine that is left alone is 0.1 to 0.2 ms late at p99; what is subtracted beyond that is noise,
# and noise flatters.
BUSY_MACHINE = ("idle_p99_ms", 0.5)
# A disk that by itself takes half of the bound, without any load, is what such a figure would be about.
SLOW_DISK = ("disk_p95_ms", 10.0)
# A machine whose loop comes as late without a rotation shows nothing about one.
BUSY_BEFORE = ("calm_max_ms", 5.0)

TARGETS: tuple[Target, ...] = (
    Target(what="log call, p50", measure="latency", figure="p50_ns", bound=2_000, unit="µs", scale=1000),
    Target(
        what="log call, p50",
        measure="latency",
        figure="p50_ns",
        bound=0.5,
        unit="µs",
        scale=1000,
        against=("picologging-queue",),
    ),
    Target(
        what="log call, p50",
        measure="latency",
        figure="p50_ns",
        bound=0.2,
        unit="µs",
        scale=1000,
        against=("stdlib-queue",),
    ),
    Target(
        what="log call, p50",
        measure="latency",
        figure="p50_ns",
        bound=0.2,
        unit="µs",
        scale=1000,
        against=("stdlib-file",),
    ),
    Target(what="disabled level, times an empty call", measure="disabled", figure="ratio", bound=1.5, unit="times"),
    Target(
        what="sustained to a JSON file, nothing lost",
        measure="sustained",
        figure="entries_per_second",
        bound=150_000,
        unit="/s",
        lower_is_better=False,
        nothing_lost=True,
    ),
    Target(
        what="sustained to a JSON file, nothing lost",
        measure="sustained",
        figure="entries_per_second",
        bound=1.0,
        unit="/s",
        lower_is_better=False,
        all_peers=True,
        nothing_lost=True,
    ),
    Target(
        what="CPU per entry",
        measure="sustained",
        figure="cpu_us_per_entry",
        bound=7.0,
        unit="µs",
        nothing_lost=True,
    ),
    Target(
        what="CPU per entry",
        measure="sustained",
        figure="cpu_us_per_entry",
        bound=1.0,
        unit="µs",
        all_peers=True,
        nothing_lost=True,
    ),
    Target(
        what="added loop lag p99 at 10 000/s",
        measure="lag",
        figure="added_steady_p99_ms",
        bound=0.15,
        unit="ms",
        nothing_lost=True,
        void_above=BUSY_MACHINE,
    ),
    Target(
        what="added loop lag p99 at 10 000/s",
        measure="lag",
        figure="added_steady_p99_ms",
        bound=1.0,
        unit="ms",
        all_peers=True,
        nothing_lost=True,
        void_above=BUSY_MACHINE,
    ),
    Target(
        what="added loop lag p99 in a 50 000 burst",
        measure="lag",
        figure="added_burst_p99_ms",
        bound=1.0,
        unit="ms",
        nothing_lost=True,
        void_above=BUSY_MACHINE,
    ),
    Target(
        what="added loop lag p99 in a 50 000 burst",
        measure="lag",
        figure="added_burst_p99_ms",
        bound=1.0,
        unit="ms",
        all_peers=True,
        nothing_lost=True,
        void_above=BUSY_MACHINE,
    ),
    Target(
        what="memory over idle at 10 000/s",
        measure="memory",
        figure="over_idle_mib",
        bound=30 * MIB_PER_MB,
        unit="MB",
        scale=MIB_PER_MB,
        nothing_lost=True,
    ),
    Target(
        what="memory, stalled collector, 1 000 000 offered",
        measure="stalled",
        figure="over_idle_mib",
        bound=STALLED_CAP_MIB,
        unit="MiB",
    ),
    Target(
        what="to Loki",
        measure="loki",
        figure="entries_per_second",
        bound=25_000,
        unit="/s",
        lower_is_better=False,
        nothing_lost=True,
    ),
    Target(
        what="to Elasticsearch",
        measure="elasticsearch",
        figure="entries_per_second",
        bound=25_000,
        unit="/s",
        lower_is_better=False,
        nothing_lost=True,
    ),
    Target(
        what="log.error on top of log.info, p50",
        measure="protected",
        figure="error_over_info_ns",
        bound=3_000,
        unit="µs",
        scale=1000,
        nothing_lost=True,
    ),
    Target(
        what="what the journal adds to log.error, p50",
        measure="protected",
        figure="error_journal_ns",
        bound=3_000,
        unit="µs",
        scale=1000,
        nothing_lost=True,
    ),
    Target(
        what="what the journal adds to a trade call, p50",
        measure="protected",
        figure="trade_journal_ns",
        bound=3_000,
        unit="µs",
        scale=1000,
        nothing_lost=True,
    ),
    Target(
        what="checks of a trade event, over the same as audit, p50",
        measure="desk",
        figure="trade_checks_ns",
        bound=3_000,
        unit="µs",
        scale=1000,
        nothing_lost=True,
    ),
    Target(
        what="search for secrets in text of 60 characters of a new form, p50",
        measure="desk",
        figure="text_search_ns",
        bound=3_000,
        unit="µs",
        scale=1000,
        nothing_lost=True,
    ),
    Target(
        what="search for secrets in an address of 80 characters of a new form, p50",
        measure="desk",
        figure="address_search_ns",
        bound=3_000,
        unit="µs",
        scale=1000,
        nothing_lost=True,
    ),
    Target(
        what="CRITICAL, call to fsynced, p95, under load",
        measure="fsynced",
        figure="all_p95_ms",
        bound=20.0,
        unit="ms",
        nothing_lost=True,
        void_above=SLOW_DISK,
    ),
    Target(
        what="disk queue worked off to Loki",
        measure="spool",
        figure="drained_per_second",
        bound=50_000,
        unit="/s",
        lower_is_better=False,
        nothing_lost=True,
    ),
    Target(
        what="start with a disk queue of 10 GB",
        measure="spool",
        figure="start_10_gb_seconds",
        bound=1.0,
        unit="s",
    ),
    Target(
        what="rotation of a 4 GB file, worst loop lag",
        measure="rotation",
        figure="rotation_4_gb_max_ms",
        bound=5.0,
        unit="ms",
        nothing_lost=True,
        void_above=BUSY_BEFORE,
    ),
    Target(
        what="filtering JSON lines",
        measure="reading",
        figure="where_mb_per_second",
        bound=400,
        unit="MB/s",
        lower_is_better=False,
    ),
    Target(what="tail of a folder of 10 GB", measure="reading", figure="tail_10_gb_ms", bound=100, unit="ms"),
    Target(
        what="tail command, whole, of a folder of 10 GB",
        measure="reading",
        figure="tail_command_10_gb_ms",
        bound=100,
        unit="ms",
    ),
)


def judge_all(summary: Summary) -> list[Verdict]:
    """Every target, reached or not."""
    return [target.judge(summary) for target in TARGETS]
