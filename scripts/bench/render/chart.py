"""The report's chart as SVG: small panels of horizontal bars, one for each figure that matters. Pure.

Bars are linear from zero within a panel, the best on top, each with its value; what was lost is written behind it.
Colours follow the reader's light or dark scheme. A value below zero (noise of a difference) is drawn as zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.peers.registry import OURS, PEERS
from bench.summary import Cell, Summary

WIDTH = 1040
_COLUMNS = 2
_PANEL_WIDTH = WIDTH // _COLUMNS
_ROW_HEIGHT = 20
_TITLE_HEIGHT = 40
_LABEL_WIDTH = 230
_BAR_WIDTH = 170
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 13px; }
.ours { fill: #0a7f5a; } .peer { fill: #9aa4b2; } .own { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .ours { fill: #2fbf8f; } .peer { fill: #5b6673; }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One figure, and how its values are written."""

    title: str
    measure: str
    figure: str
    scale: float = 1.0
    digits: int = 1
    lower_is_better: bool = True

    def label(self, cell: Cell) -> str:
        """The figure's text, and what was lost on the way to it."""
        lost = f", {cell.lost:,} lost" if cell.lost else ""
        return f"{cell.figures[self.figure] / self.scale:,.{self.digits}f}{lost}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    peer: str
    value: float
    label: str


PANELS: tuple[Panel, ...] = (
    Panel(title="Log call, p50, µs", measure="latency", figure="p50_ns", scale=1000, digits=2),
    Panel(title="Log call, p99, µs", measure="latency", figure="p99_ns", scale=1000, digits=1),
    Panel(
        title="Sustained to a JSON file, 1 000 entries/s (more is better)",
        measure="sustained",
        figure="entries_per_second",
        scale=1000,
        digits=0,
        lower_is_better=False,
    ),
    Panel(title="CPU per entry, call to file, µs", measure="sustained", figure="cpu_us_per_entry", digits=1),
    Panel(title="Added loop lag p99 at 10 000/s, ms", measure="lag", figure="added_steady_p99_ms", digits=2),
    Panel(title="Added loop lag p99 in a 50 000 burst, ms", measure="lag", figure="added_burst_p99_ms", digits=2),
    Panel(title="Memory over idle at 10 000/s, MiB", measure="memory", figure="over_idle_mib", digits=1),
    Panel(title="Disabled level, ns", measure="disabled", figure="disabled_ns", digits=0),
)


def svg(summary: Summary) -> str:
    """The whole picture; panels without a figure are left out."""
    drawn = [(panel, _bars(panel, summary)) for panel in PANELS]
    drawn = [(panel, bars) for panel, bars in drawn if bars]
    parts: list[str] = []
    top = 0
    for start in range(0, len(drawn), _COLUMNS):
        row = drawn[start : start + _COLUMNS]
        parts += [_panel(panel, bars, column * _PANEL_WIDTH, top) for column, (panel, bars) in enumerate(row)]
        top += _TITLE_HEIGHT + _ROW_HEIGHT * max(len(bars) for _, bars in row)
    height = top + _ROW_HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Benchmark medians of metaexpert.logger and its peers">\n<style>{_STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _bars(panel: Panel, summary: Summary) -> list[Bar]:
    """The panel's bars, the best first."""
    bars = [
        Bar(peer, cell.figures[panel.figure], panel.label(cell))
        for (measure, peer), cell in summary.items()
        if measure == panel.measure and panel.figure in cell.figures
    ]
    return sorted(bars, key=lambda bar: bar.value, reverse=not panel.lower_is_better)


def _panel(panel: Panel, bars: Sequence[Bar], left: int, top: int) -> str:
    longest = max((bar.value for bar in bars), default=0.0) or 1.0
    lines = [f'<text class="title" x="{left + 8}" y="{top + 28}">{escape(panel.title)}</text>']
    for index, bar in enumerate(bars):
        width = max(1.0, max(0.0, bar.value) / longest * _BAR_WIDTH)
        lines += _drawn(bar, width, left, top + _TITLE_HEIGHT + index * _ROW_HEIGHT)
    return "\n".join(lines)


def _drawn(bar: Bar, width: float, left: int, y: int) -> list[str]:
    bar_left, baseline = left + _LABEL_WIDTH + 8, y + 14
    kind, own = ("ours", ' class="own"') if bar.peer == OURS else ("peer", "")
    title = escape(PEERS[bar.peer].title)
    return [
        f'<text{own} x="{left + _LABEL_WIDTH}" y="{baseline}" text-anchor="end">{title}</text>',
        f'<rect class="{kind}" x="{bar_left}" y="{y + 3}" width="{width:.1f}" height="14" rx="2"/>',
        f'<text{own} x="{bar_left + width + 6:.1f}" y="{baseline}">{escape(bar.label)}</text>',
    ]
