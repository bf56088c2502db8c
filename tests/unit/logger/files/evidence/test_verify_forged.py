"""Chains that somebody made with right hashes and wrong words: each is found, and none makes verifying fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.chained_logs import SECRET, ChainedLog, verdict_of, verified

from metaexpert.logger.files.evidence.chain_format import NOTHING, Record, digests_of, written
from metaexpert.logger.files.evidence.verdict import State
from metaexpert.logger.files.names import LogFile

type Values = dict[str, Any]
type Change = Callable[[list[Values]], list[Values]]


def sealed(folder: Path) -> LogFile:
    return ChainedLog(folder).write(3, 2).rotate()


def values_of(path: Path) -> list[Values]:
    return [dict(Record.parsed(line).values) for line in path.read_bytes().splitlines(keepends=True)]


def write_chain(file: LogFile, wanted: list[Values]) -> None:
    """A chain of these words whose heads are right, whatever the words."""
    lines = file.path.read_bytes().splitlines()
    head, made = NOTHING, list[bytes]()
    for values in wanted:
        at, count = values.get("line"), values.get("count")
        is_about = values.get("kind") == "lines" and isinstance(at, int) and isinstance(count, int)
        digests = digests_of(lines[at - 1 : at - 1 + count]) if is_about and at and count else b""
        line, head = written(values, head, None, digests)
        made.append(line)
    file.chain.write_bytes(b"".join(made))


def changed(at: int, **values: object) -> Change:
    return lambda chain: [each | values if number == at else each for number, each in enumerate(chain)]


FORGED: dict[str, tuple[Change, str]] = {
    "no beginning": (lambda chain: chain[1:], "does not begin at its beginning"),
    "two beginnings": (lambda chain: [chain[0], *chain], "begins twice"),
    "another version": (changed(0, version=2), "it is of version 2; this program knows 1"),
    "another file": (changed(0, file="expert.log"), "is that of expert.log: files were swapped"),
    "begun elsewhere": (changed(0, begun="ab" * 32), "is not the one that the seals say was begun"),
    "begun nowhere": (changed(0, begun="no hex"), "the chain is damaged"),
    "another key": (changed(0, epoch=3), "is not the one that the seals say was begun"),
    "an unknown kind": (changed(1, kind="more"), "of the unknown kind more"),
    "another line": (changed(1, line=2), "lines of it were removed, inserted or reordered"),
    "no lines": (changed(1, count=0), "lines of it were removed, inserted or reordered"),
    "an end before its beginning": (changed(2, end=5), "lines of"),
    "an end beyond everything": (changed(1, end=2**50), "lines of"),
    "an end elsewhere": (changed(1, end=20), "was changed, or lines of it"),
    "digests of others": (
        changed(1, digests="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        "has digests of other lines than its heads",
    ),
    "a seal of others": (changed(3, lines=9), "has a seal of another file"),
    "more behind the seal": (lambda chain: [*chain, chain[-1]], "goes on behind its seal"),
    "gone on with elsewhere": (
        lambda chain: [*chain[:3], {"kind": "resume", "line": 2, "end": 1, "begun": "", "epoch": None}],
        "goes on at another place",
    ),
    "gone on with unknown to the seals": (
        lambda chain: [*chain, chain[-1] | {"kind": "resume", "line": 6, "end": chain[-1]["bytes"], "begun": "ab"}],
        "is not the one that the seals say was begun",
    ),
    "a break elsewhere": (
        lambda chain: [*chain[:2], {"kind": "break", "line": 1, "count": 1, "end": 500, "reason": "", "foul": False}],
        "was changed, or lines of it",
    ),
    "a break beyond the file": (
        lambda chain: [*chain[:2], {"kind": "break", "line": 4, "count": 9, "end": 9999, "reason": "", "foul": False}],
        "the file ends amid lines that the chain does not cover",
    ),
    "a break instead of lines": (
        lambda chain: [
            *chain[:2],
            {"kind": "break", "line": 4, "count": 2, "end": chain[2]["end"], "reason": "", "foul": False},
        ],
        "has another head than the seals say",
    ),
}


@pytest.mark.parametrize("forged", FORGED)
def test_words_that_make_no_sense_are_found(tmp_path: Path, forged: str):
    change, told = FORGED[forged]
    file = sealed(tmp_path)
    write_chain(file, change(values_of(file.chain)))
    verdict = verdict_of(verified(tmp_path), file)
    assert verdict.state is State.TAMPERED
    assert verdict.finding is not None
    assert told in verdict.finding.text


ANY = st.none() | st.booleans() | st.integers(-5, 2**53) | st.text(max_size=8) | st.lists(st.booleans(), max_size=2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_words_they_are_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    folder = tmp_path_factory.mktemp("forged")
    file = sealed(folder)
    chain = values_of(file.chain)
    at = data.draw(st.integers(0, len(chain) - 1))
    name = data.draw(st.sampled_from(sorted(chain[at])))
    value = data.draw(ANY.filter(lambda value: value != chain[at][name] or type(value) is not type(chain[at][name])))
    write_chain(file, changed(at, **{name: value})(chain) if name != "kind" else [*chain[:at], *chain[at + 1 :]])
    assert verdict_of(verified(folder), file).state is State.TAMPERED


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_seals_of_any_words_are_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    """Whoever has no key can make seals whose hashes are right; signatures are another matter."""
    folder = tmp_path_factory.mktemp("forged")
    file = sealed(folder)
    path = folder / "expert.log.seals"
    seals = values_of(path)
    at = data.draw(st.integers(0, len(seals) - 1))
    seals[at][data.draw(st.sampled_from(sorted(seals[at])))] = data.draw(ANY)
    head, made = NOTHING, list[bytes]()
    for values in seals:
        line, head = written(values, head, None)
        made.append(line)
    path.write_bytes(b"".join(made))
    assert verdict_of(verified(folder), file).lines <= 5
    assert not verified(folder, SECRET).is_intact


def test_a_chain_of_a_log_that_is_not_keyed_proves_nothing_to_who_has_a_key(tmp_path: Path):
    file = sealed(tmp_path)
    (tmp_path / "expert.log.seals").unlink()
    verdict = verdict_of(verified(tmp_path, SECRET), file)
    assert verdict.finding is not None
    assert "is not signed: the key proves nothing" in verdict.finding.text


def test_an_epoch_beyond_all_reason_is_not_computed(tmp_path: Path):
    file = ChainedLog(tmp_path, SECRET).write(3).rotate()
    (tmp_path / "expert.log.seals").unlink()
    write_chain(file, changed(0, epoch=10**15)(values_of(file.chain)))
    verdict = verdict_of(verified(tmp_path, SECRET), file)
    assert verdict.finding is not None
    assert "an epoch of 1000000000000000" in verdict.finding.text


def test_an_empty_chain_of_a_file_with_lines_is_missing(tmp_path: Path):
    file = sealed(tmp_path)
    file.chain.write_bytes(b"")
    verdict = verdict_of(verified(tmp_path), file)
    assert verdict.finding is not None
    assert "is missing or empty" in verdict.finding.text
