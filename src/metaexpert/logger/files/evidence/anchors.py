"""Anchors: heads of the seals that went to other sinks as entries, found again in what was exported from there.

An export is lines of JSON, each an entry or something that holds one, as text or as it is, however deep. An anchor is
an object with the members that `anchor_fields` gives; all else is passed over.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.files.evidence.seals import Line
from metaexpert.logger.files.evidence.verdict import Finding, Kind
from metaexpert.logger.files.evidence.verify_seals import SealsView

_DEEPEST: Final = 12
_MARK: Final = b"evidence_series"


@final
@dataclass(frozen=True, slots=True)
class Held:
    """An anchor as another place holds it.

    Attributes:
        log: the log's name.
        folder: the folder it was written to.
        host: the machine.
        series: which seals.
        number: which line of them.
        head: the head of that line, in hexadecimal digits.
        file: the file that the line is about.
    """

    log: str
    folder: str
    host: str
    series: str
    number: int
    head: str
    file: str

    def against(self, view: SealsView) -> Finding | None:
        """What is wrong with the seals, going by this anchor; None when nothing is, or it is about others."""
        if anchor_place(self) != _place_of(view):
            return None
        line = f"line {self.number}, {self.head[:12]}…, about {self.file or 'the log'}"
        if self.series != view.series:
            text = f"{view.path.name} is not the one that the anchors know: they hold {line}"
            return Finding(Kind.ANCHOR, text)
        if self.number > len(view.heads):
            text = f"{view.path.name} has {len(view.heads)} lines; the anchors hold {line}: it was rolled back"
            return Finding(Kind.ROLLED_BACK, text)
        if view.heads[self.number - 1].hex() != self.head:
            return Finding(Kind.ANCHOR, f"{view.path.name} has another head than the anchors: they hold {line}")
        return None


def anchor_fields(log: str, line: Line, file: str) -> dict[str, Any]:
    """What an entry says to be an anchor of a line of the seals of the log of that name."""
    return {
        "evidence_log": encodable(log),
        "evidence_folder": encodable(line.folder),
        "evidence_host": line.host,
        "evidence_series": line.series,
        "evidence_line": line.number,
        "evidence_head": line.head.hex(),
        "evidence_file": encodable(file),
    }


def held_in(lines: Iterable[bytes]) -> Iterator[Held]:
    """The anchors in an export."""
    for line in lines:
        if _MARK in line:
            yield from _in(_decoded(line), _DEEPEST)


def compared(held: Iterable[Held], views: Iterable[SealsView]) -> tuple[int, list[Held], dict[str, Finding]]:
    """Compare anchors with seals.

    Returns:
        How many were compared, those about seals that are not here, and what is wrong first with which seals, by their
        path.
    """
    there = list(views)
    count, others = 0, list[Held]()
    found: dict[str, Finding] = {}
    for anchor in held:
        own = [view for view in there if _place_of(view) == anchor_place(anchor)]
        count += bool(own)
        others += [] if own else [anchor]
        for view in own:
            finding = anchor.against(view)
            if finding is not None:
                found.setdefault(str(view.path), finding)
    return count, others, found


def anchor_place(anchor: Held) -> tuple[str, str, str]:
    """Which log an anchor is about."""
    return anchor.log, anchor.folder, anchor.host


def encodable(name: str) -> str:
    """A file's name as any collector takes it, where it is not UTF-8 too."""
    return name.encode("utf-8", "backslashreplace").decode()


def _place_of(view: SealsView) -> tuple[str, str, str]:
    return encodable(view.log.name), encodable(view.folder), view.host


def _decoded(text: bytes | str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _in(value: object, depth: int) -> Iterator[Held]:
    if depth == 0:
        return
    match value:
        case dict():
            members = cast("dict[str, Any]", value)
            anchor = _anchor(members)
            if anchor is not None:
                yield anchor
                return
            for member in members.values():
                yield from _in(member, depth - 1)
        case list():
            for element in cast("list[object]", value):
                yield from _in(element, depth - 1)
        case str() if value.startswith("{"):
            yield from _in(_decoded(value), depth - 1)
        case _:
            pass


def _anchor(members: dict[str, Any]) -> Held | None:
    """The anchor whose members these are; a collector may have made texts of numbers."""
    names = ("log", "folder", "host", "series", "line", "head", "file")
    values = [members.get(f"evidence_{name}") for name in names]
    if not all(isinstance(value, str | int) for value in values) or not str(values[4]).isdecimal():
        return None
    log, folder, host, series, number, head, file = map(str, values)
    return Held(log, folder, host, series, int(number), head, file)
