r"""Which lines of a block may be ones a query keeps, found in their bytes before anything is decoded; pure.

A check never loses a match; what it lets through is decoded and judged. Why it cannot lose one: a literal of letters
and digits stands in JSON as it is, or as a `\u` escape, and lines with such an escape always pass; characters with
other escapes are taken into no literal. Numbers are never looked for, since 1.0 may stand as 1.00; their keys are. A
level rules a line out only where the line begins as ours do, with a time and a lower level of stdlib's.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, final

from metaexpert.logger.entry import GENERAL
from metaexpert.logger.files.conditions import Condition
from metaexpert.logger.files.query import Query

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_:;,.@#%&+ -]+|[^\x00-\x7f\x80-\xa0\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
r"""What stands in a line as it is, or as a `\u` escape."""

_SPECIAL: Final = frozenset("|()")
_RUN_ENDS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[.^$*+?{}\[\]\\]")
_CODED: Final = frozenset("x0123456789NuU")
"""What begins an escape of a pattern that more characters belong to."""

_ESCAPE: Final = b"\\u"

_NOT_NAMED: Final = frozenset(
    {"timestamp", "level", "logger", "message", "extra", "exception", "type", "traceback", "stack_info"}
)
"""What a text line says without naming it, and every JSON line names."""

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
        not_low_json: finds newlines before JSON lines that are not known to be of a level below the query's.
        not_low_text: the same for text lines.
    """

    groups: tuple[Group, ...]
    not_low_json: re.Pattern[bytes] | None
    not_low_text: re.Pattern[bytes] | None

    @classmethod
    def of(cls, query: Query) -> "Precheck":
        """What a query allows to look for."""
        names = [each for each in _LEVELS if query.level is not None and _number(each) < query.level]
        low = "|".join(names).encode()
        return cls(
            groups=tuple(sorted(_groups(query), key=_rarity, reverse=True)),
            not_low_json=re.compile(rb'\n(?!\{"timestamp":"[^"\\]{30}","level":"(?:%b)",|\Z)' % low) if low else None,
            not_low_text=re.compile(rb"\n(?![ \t]|\d{4}-[^ \x1b]{16,30} (?:%b) |\Z)" % low) if low else None,
        )

    @property
    def is_empty(self) -> bool:
        """Whether every entry passes."""
        return not self.groups and self.not_low_json is None

    def rules_out(self, data: bytes) -> bool:
        """Whether no entry of a block can pass."""
        return any(not any(each in data for each in group) for group in self.groups) and not _has_escape(data)

    def spans(self, data: bytes, *, is_json: bool) -> list[Span]:
        """The entries that pass, in order; there must be something to look for.

        Args:
            data: whole entries of one form.
            is_json: which form; text otherwise.
        """
        not_low = self.not_low_json if is_json else self.not_low_text
        if self.groups:
            needles = self.groups[0] + ((_ESCAPE,) if _has_escape(data) else ())
            found = _spans_with(data, needles)
        else:
            return _spans_behind(data, not_low) if not_low is not None else []
        for group in self.groups[1:]:
            found = [span for span in found if _has_one(data, span, group)]
        if not_low is not None:
            found = [span for span in found if span[0] == 0 or not_low.match(data, span[0] - 1)]
        return found


def _number(name: str) -> int:
    return int(getattr(logging, name))


def _rarity(group: Group) -> int:
    return min(map(len, group)) - 100 * (len(group) - 1)


def _has_escape(data: bytes) -> bool:
    return b"\\" in data and _ESCAPE in data


def _has_one(data: bytes, span: Span, group: Group) -> bool:
    begin, end = span
    return any(data.find(each, begin, end) >= 0 for each in (*group, _ESCAPE))


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
    begins += [match.start() + 1 for match in pattern.finditer(data)]
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
    if query.text is not None:
        yield from ((literal,) for literal in _of_pattern(query.text))
    if query.log_types and GENERAL not in query.log_types:
        yield from _any_of(query.log_types)
    if query.loggers:
        yield from _any_of(query.loggers)
    for condition in query.where:
        yield from _of_condition(condition)


def _any_of(texts: Iterable[str]) -> Iterator[Group]:
    literals = [literal_in(text) for text in texts]
    if all(literals):
        yield tuple(literals)


def _of_condition(condition: Condition) -> Iterator[Group]:
    if condition.operator in {"!=", "!~", "missing"}:
        return
    if _NOT_NAMED.isdisjoint(condition.name.split(".")):
        yield from _any_of([condition.name.rpartition(".")[2]])
    if condition.operator == "=" and condition.number is None and condition.text[:1] not in {"{", "["}:
        yield from _any_of([condition.text])


def _of_pattern(pattern: re.Pattern[bytes]) -> list[bytes]:
    """The longest literal a match of the pattern must have; none where its shape does not tell."""
    if pattern.flags & ~re.NOFLAG:
        return []
    try:
        text = pattern.pattern.decode()
    except UnicodeDecodeError:
        return []
    if any(each in _SPECIAL for each in re.sub(r"\\.", "", text)):
        return []
    runs, at = list[str](), 0
    for match in _RUN_ENDS.finditer(text):
        if match.start() < at:
            continue
        if match.group()[:1] == "\\" and match.group()[1:] in _CODED:
            return []
        run = text[at : match.start()]
        runs.append(run[:-1] if match.group() in {"*", "?", "{"} else run)
        at = text.find("}", match.start()) + 1 if match.group() == "{" and "}" in text[match.start() :] else match.end()
    runs.append(text[at:])
    longest = max((literal_in(run) for run in runs), key=len)
    return [longest] if longest else []


def literal_in(text: str) -> bytes:
    r"""The longest part of a text that stands in a line as it is or as a `\u` escape; empty if there is none."""
    parts = _PLAIN.findall(text)
    return max(parts, key=len).encode() if parts else b""
