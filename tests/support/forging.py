"""What somebody does who has the program and changed a log file: everything that speaks of it is made anew."""

from pathlib import Path
from typing import Any

from metaexpert.logger.files.evidence.chain_format import NOTHING, Record, digests_of, shortened, written


def rewrite(folder: Path, signing: bytes | None, log: str = "expert.log") -> None:
    """Make chains and seals of a log anew, about its files as they are now; each begun once, and none of them longer.

    Args:
        folder: where the log is.
        signing: what signs the lines that were signed; None to leave no signature, and no epoch.
        log: the log's name.
    """
    seals = folder / f"{log}.seals"
    ends: dict[str, bytes] = {}
    head, made = NOTHING, list[bytes]()
    for record in _records(seals):
        values = _values(record, signing)
        if record.kind == "sealed":
            values["seal"] = ends[record.text("file")].hex()
        line, head = written(values, head, signing if record.mac else None)
        if record.kind == "begun":
            ends[record.text("file")] = _rewrite_chain(folder / record.text("file"), head, signing)
        made.append(line)
    seals.write_bytes(b"".join(made))


def _rewrite_chain(file: Path, begun: bytes, signing: bytes | None) -> bytes:
    chain = file.with_name(f"{file.name}.chain")
    lines = file.read_bytes().splitlines()
    head, made = NOTHING, list[bytes]()
    for record in _records(chain):
        values, digests = _values(record, signing), b""
        if record.kind == "chain":
            values |= {"begun": begun.hex()} | ({} if signing else {"signature": None})
        if record.kind == "lines":
            at = record.number("line") - 1
            digests = digests_of(lines[at : at + record.number("count")])
            values["digests"] = shortened(digests)
        line, head = written(values, head, signing if record.mac else None, digests)
        made.append(line)
    chain.write_bytes(b"".join(made))
    return head


def _records(path: Path) -> list[Record]:
    return [Record.parsed(line) for line in path.read_bytes().splitlines(keepends=True)]


def _values(record: Record, signing: bytes | None) -> dict[str, Any]:
    return dict(record.values) | ({} if signing or "epoch" not in record.values else {"epoch": None})
