r"""Which lines of a block may be ones a query keeps, found in their bytes before anything is decoded; pure.

A check never loses a match; what it lets through is decoded and judged. Why it cannot lose one: a literal of letters
and digits stands in JSON as it is, or as a `\u` escape, and lines with such an escape always pass; characters with
other escapes are taken into no literal. Numbers are never looked for, since 1.0 may stand as 1.00; their keys are. A
level, also one that a condition names, rules a line out only where the line begins as ours do, with a time and a lower
level of stdlib's. A log type is looked for only where no line can be of it without saying so.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, final

from metaexpert.logger.files.reading import levels
from metaexpert.logger.files.reading.conditions import Condition
from metaexpert.logger.files.reading.patterns import CHARACTER
from metaexpert.logger.files.reading.query import Query
from metaexpert.logger.files.reading.text_entries import TEXT_EVENT
from metaexpert.logger.log_types import GENERAL, TRADE

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_:;,.@#%&+ -]+|[^\x00-\x7f\x80-\xa0\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
r"""What stands in a line as it is, or as a `\u` escape."""

_SPECIAL: Final = frozenset("|()")
_RUN_ENDS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[.^$*+?{}\[\]\\]")
_CODED: Final = frozenset("x0123456789NuU")
"""What begins an escape of a pattern that more characters belong to."""

_SPARSE_BYTES: Final = 8 * 1024
"""A literal that stands in a block more often than once in so many bytes is looked for after the level."""

_ESCAPE: Final = b"\\u"
_ANY_ESCAPE: Final = b"\\"
_NEWLINE: Final = re.compile(rb"\n(?![ \t]|\Z)")

_NOT_NAMED: Final = frozenset(
    {"timestamp", "level", "logger", "message", "extra", "exception", "type", "traceback", "stack_info"}
)
"""What a text line says without naming it, and every JSON line names."""


class Form(Enum):
    """What every line of a block looks like.

    Attributes:
        OURS: JSON that begins with a timestamp.
        JSON: any other.
        TEXT: lines for people.
    """

    OURS = 1
    JSON = 2
    TEXT = 3


_NOT_LOW: Final = {
    Form.OURS: rb'\}\n\{"timestamp":"(?![^"\\]{30}","level":"(?:%b)",)',
    Form.JSON: rb'\}\n(?!\{"timestamp":"[^"\\]{30}","level":"(?:%b)",|\Z)',
    Form.TEXT: rb"\n(?![ \t]|\d{4}-[^ \x1b]{16,30} (?:%b) |\Z)",
}

type Group = tuple[bytes, ...]
"""Literals of which an entry has at least one."""

type Span = tuple[int, int]
"""Where an entry begins and ends in its block."""


@final
@dataclass(frozen=True, slots=True)
class Precheck:
    """What is looked for.

    Attributes:
        groups: of each an entry must have one; what is likely the rarest stands first.
        text: what must be found in a line, unless it has escapes.
        escape: a line that has it may mean a literal it does not show.
        not_low: by form, what finds the newlines before entries that are not known to be of a level below the query's.
    """

    groups: tuple[Group, ...]
    text: re.Pattern[bytes] | None
    escape: bytes
    not_low: Mapping[Form, re.Pattern[bytes]]

    @classmethod
    def of(cls, query: Query) -> "Precheck":
        """What a query allows to look for."""
        text = _of_pattern(query.text)
        groups = [*([(text,)] if text else []), *_groups(query)]
        least = query.least_level
        names = [each for each in _LEVELS if least is not None and _number(each) < least]
        low = "|".join(names).encode()
        return cls(
            groups=tuple(sorted(groups, key=_rarity, reverse=True)),
            text=query.text,
            escape=_ESCAPE if literal_in(text.decode()) == text else _ANY_ESCAPE,
            not_low={form: re.compile(written % low) for form, written in _NOT_LOW.items()} if low else {},
        )

    @property
    def is_empty(self) -> bool:
        """Whether every entry passes."""
        return not self.groups and self.text is None and not self.not_low

    def rules_out(self, data: bytes) -> bool:
        """Whether no entry of a block can pass."""
        return any(not any(each in data for each in group) for group in self.groups) and not self._has_escape(data)

    def spans(self, data: bytes, form: Form) -> list[Span]:
        """The entries that pass, in order; there must be something to look for.

        Args:
            data: whole entries of one form.
            form: which form.
        """
        not_low, groups = self.not_low.get(form), self.groups
        escapes = (self.escape,) if self._has_escape(data) else ()
        if not_low is not None and (not groups or _count(data, groups[0] + escapes) > len(data) // _SPARSE_BYTES):
            found = _spans_behind(data, not_low)
        elif groups:
            lead = 1 if form is Form.TEXT else 2  # the pattern begins with what ends the line before
            found = [
                (begin, end)
                for begin, end in _spans_with(data, groups[0] + escapes)
                if not_low is None or begin == 0 or not_low.match(data, begin - lead)
            ]
            groups = groups[1:]
        else:
            found = _spans_behind(data, _NEWLINE)
        for group in groups:
            found = [span for span in found if _has_one(data, span, group + escapes)]
        if self.text is not None:
            found = [span for span in found if self._may_match(data[slice(*span)])]
        return found

    def _has_escape(self, data: bytes) -> bool:
        return b"\\" in data and self.escape in data

    def _may_match(self, line: bytes) -> bool:
        return self.text is None or self.text.search(line) is not None or b"\\" in line


def _number(name: str) -> int:
    return int(getattr(levels, name))


def _rarity(group: Group) -> int:
    return min(map(len, group)) - 100 * (len(group) - 1)


def _count(data: bytes, literals: Group) -> int:
    return sum(data.count(each) for each in literals)


def _has_one(data: bytes, span: Span, group: Group) -> bool:
    begin, end = span
    return any(data.find(each, begin, end) >= 0 for each in group)


def _spans_with(data: bytes, needles: Group) -> list[Span]:
    if len(needles) == 1:
        return list(_spans_with_one(data, needles[0]))
    return sorted({span for needle in needles for span in _spans_with_one(data, needle)})


def _spans_with_one(data: bytes, needle: bytes) -> Iterator[Span]:
    at = data.find(needle)
    while at >= 0:
        end = entry_end(data, at)
        yield entry_begin(data, at), end
        at = data.find(needle, end)


def _spans_behind(data: bytes, pattern: re.Pattern[bytes]) -> list[Span]:
    """The entries behind the newlines a pattern finds, and the first one."""
    begins = [0] if data else []
    begins += [data.index(b"\n", match.start()) + 1 for match in pattern.finditer(data)]
    return [(begin, entry_end(data, begin)) for begin in begins]


def entry_begin(data: bytes, at: int) -> int:
    """Where the entry begins that stands at a place of a block."""
    newline = data.rfind(b"\n", 0, at)
    while newline >= 0 and data[newline + 1] in b" \t":
        newline = data.rfind(b"\n", 0, newline)
    return newline + 1


def entry_end(data: bytes, at: int) -> int:
    """Where the entry ends that stands at a place of a block; its newline is not of it."""
    newline = data.find(b"\n", at)
    while 0 <= newline < len(data) - 1 and data[newline + 1] in b" \t":
        newline = data.find(b"\n", newline + 1)
    return len(data) if newline < 0 else newline


def _groups(query: Query) -> Iterator[Group]:
    if query.log_types:
        yield from _of_log_types(query.log_types)
    if query.loggers:
        yield from _any_of(query.loggers)
    for condition in query.where:
        yield from _of_condition(condition)


def _any_of(texts: Iterable[str]) -> Iterator[Group]:
    literals = [literal_in(text) for text in texts]
    if all(literals):
        yield tuple(literals)


def _of_log_types(log_types: Sequence[str]) -> Iterator[Group]:
    """A line that names none is of the general one; a trade's line of text has its event instead."""
    if GENERAL not in log_types:
        for group in _any_of(log_types):
            yield (*group, TEXT_EVENT) if TRADE in log_types else group


def _of_condition(condition: Condition) -> Iterator[Group]:
    if condition.name == "log_type" or condition.is_of_level:
        if condition.is_of_log_type and condition.operator == "=":
            yield from _of_log_types([condition.text])
        return
    if condition.operator in {"!=", "!~", "missing"}:
        return
    if _NOT_NAMED.isdisjoint(condition.name.split(".")):
        yield from _any_of([condition.name.rpartition(".")[2]])
    if condition.operator == "=" and condition.number is None and condition.text[:1] not in {"{", "["}:
        yield from _any_of([condition.text])


def _of_pattern(pattern: re.Pattern[bytes] | None) -> bytes:
    """The longest literal a match of the pattern must have; empty where its shape does not tell."""
    if pattern is None or pattern.flags & ~re.NOFLAG:
        return b""
    try:
        text = pattern.pattern.decode().replace(CHARACTER, ".")
    except UnicodeDecodeError:
        return b""
    if any(each in _SPECIAL for each in re.sub(r"\\.", "", text)):
        return b""
    runs, at = list[str](), 0
    for match in _RUN_ENDS.finditer(text):
        if match.start() < at:
            continue
        if match.group()[:1] == "\\" and match.group()[1:] in _CODED:
            return b""
        run = text[at : match.start()]
        runs.append(run[:-1] if match.group() in {"*", "?", "{"} else run)
        at = text.find("}", match.start()) + 1 if match.group() == "{" and "}" in text[match.start() :] else match.end()
    runs.append(text[at:])
    return max(runs, key=len).encode()


def literal_in(text: str) -> bytes:
    r"""The longest part of a text that stands in a line as it is or as a `\u` escape; empty if there is none."""
    parts = _PLAIN.findall(text)
    return max(parts, key=len).encode() if parts else b""
