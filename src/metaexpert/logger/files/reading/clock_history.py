"""What clock entries of a log say together: offset over time, jumps, spans without knowledge, the worst. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

QUALITY: Final = "quality"
JUMP: Final = "jump"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement on the clock's quality, or a jump.

    Attributes:
        time_ns: when, by the clock itself, UTC nanoseconds.
        event: `QUALITY` or `JUMP`.
        source: who said so; empty for a jump.
        offset_seconds: what had to be added to have UTC; None when unknown.
        bound_seconds: how far that might be off; None when unknown.
        jump_seconds: by how much the clock was set; None for a statement on quality.
        run: whose statement it is.
        preliminary: said at the run's start, before those who know were asked.
    """

    time_ns: int
    event: str
    source: str = ""
    offset_seconds: float | None = None
    bound_seconds: float | None = None
    jump_seconds: float | None = None
    run: str = ""
    preliminary: bool = False

    @property
    def worst_seconds(self) -> float | None:
        """The farthest the clock may have been from UTC; None when unknown."""
        known = self.offset_seconds is not None and self.bound_seconds is not None
        return abs(self.offset_seconds or 0.0) + (self.bound_seconds or 0.0) if known else None


@dataclass(frozen=True, slots=True)
class UnknownSpan:
    """A time in which nobody knew how far the clock was from UTC.

    Attributes:
        first_ns: the first statement that said so.
        until_ns: the next one that knew, or the last one of all.
        statements: how many said so.
    """

    first_ns: int
    until_ns: int
    statements: int


def statement_of(time_ns: int, told: Mapping[str, Any], run: str = "") -> Statement | None:
    """What the fields of a clock entry say; None where they are of no known form."""
    if told.get("event") == JUMP and (jump := _number(told.get("jump_seconds"))) is not None:
        return Statement(time_ns, JUMP, jump_seconds=jump, run=run)
    if told.get("event") == QUALITY:
        offset, bound = _number(told.get("offset_seconds")), _number(told.get("bound_seconds"))
        preliminary = told.get("preliminary") is True
        return Statement(time_ns, QUALITY, str(told.get("source")), offset, bound, run=run, preliminary=preliminary)
    return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


@final
@dataclass(slots=True)
class ClockHistory:
    """Statements are added in the order of time, those of several runs as they come.

    A preliminary one counts where its run ended without another.

    Attributes:
        statements: all of them.
    """

    statements: list[Statement] = field(default_factory=list[Statement])
    _preliminary: dict[str, Statement] = field(default_factory=dict[str, Statement])

    def add(self, statement: Statement) -> None:
        """The next one."""
        if statement.event == QUALITY:
            first = self._preliminary.pop(statement.run, None)
            if first is not None:
                self.statements.remove(first)
            if statement.preliminary:
                self._preliminary[statement.run] = statement
        self.statements.append(statement)

    @property
    def qualities(self) -> list[Statement]:
        """Statements on quality."""
        return [each for each in self.statements if each.event == QUALITY]

    @property
    def jumps(self) -> list[Statement]:
        """Jumps."""
        return [each for each in self.statements if each.event == JUMP]

    @property
    def worst(self) -> Statement | None:
        """The statement with the largest distance; None when none knew any."""
        known = [each for each in self.qualities if each.worst_seconds is not None]
        return max(known, key=lambda each: each.worst_seconds or 0.0, default=None)

    def unknown_spans(self) -> list[UnknownSpan]:
        """The times without knowledge, one after another; what one run does not know another one may."""
        spans: list[UnknownSpan] = []
        going: dict[str, int] = {}
        for each in self.qualities:
            unknown, at = each.worst_seconds is None, going.pop(each.run, None)
            if at is not None:
                spans[at] = UnknownSpan(spans[at].first_ns, each.time_ns, spans[at].statements + unknown)
            elif unknown:
                at = len(spans)
                spans.append(UnknownSpan(each.time_ns, each.time_ns, 1))
            if unknown and at is not None:
                going[each.run] = at
        return spans

    def within(self, limit_seconds: float) -> bool:
        """Whether every statement knew the clock to be no farther from UTC than this, and there is one at all."""
        worst = [each.worst_seconds for each in self.qualities]
        return bool(worst) and all(each is not None and each <= limit_seconds for each in worst)
