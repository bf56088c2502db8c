"""Whatever is done to a file, its chain or the seals is found, and the first affected line is named."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.chained_logs import SECRET, ChainedLog, contents, entry_line, findings, put, verdict_of, verified

from metaexpert.logger.files.evidence.verdict import Kind, State
from metaexpert.logger.files.names import LogFile

BATCHES = ((3, 1, 4), (2, 6), (5,))
EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Written:
    """A folder of three sealed files."""

    folder: Path
    files: tuple[LogFile, ...]
    content: dict[str, bytes]


@pytest.fixture(scope="module", params=[None, SECRET], ids=["unkeyed", "keyed"])
def secret(request: pytest.FixtureRequest) -> str | None:
    return request.param


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, secret: str | None) -> Written:
    folder = tmp_path_factory.mktemp("chained")
    log = ChainedLog(folder, secret)
    files = tuple(log.write(*batches).rotate() for batches in BATCHES)
    assert findings(verified(folder, secret)) == []
    return Written(folder, files, contents(folder))


def lines_of(written: Written, file: LogFile) -> list[bytes]:
    return written.content[file.path.name].splitlines()


def with_lines(written: Written, file: LogFile, lines: list[bytes]) -> None:
    put(written.folder, {**written.content, file.path.name: b"".join(line + b"\n" for line in lines)})


def found(written: Written, secret: str | None, file: LogFile) -> tuple[Kind, int, str]:
    verdict = verdict_of(verified(written.folder, secret), file)
    assert verdict.finding is not None, verdict
    assert verdict.state is State.TAMPERED
    assert verdict.lines == verdict.finding.line - 1, "all before the first affected line is proven"
    return verdict.finding.kind, verdict.finding.line, verdict.finding.entry_id


def id_of(line: bytes) -> str:
    return line.split(b'"id":"')[1].split(b'"')[0].decode()


@st.composite
def places(draw: st.DrawFn, *, room: int = 0) -> tuple[int, int]:
    """A file and a line of it, from 0; with `room` also behind the last."""
    at = draw(st.integers(0, len(BATCHES) - 1))
    return at, draw(st.integers(0, sum(BATCHES[at]) - 1 + room))


@EXAMPLES
@given(place=places(), data=st.data())
def test_a_changed_line_is_named(written: Written, secret: str | None, place: tuple[int, int], data: st.DataObject):
    file, at = written.files[place[0]], place[1]
    lines = lines_of(written, file)
    byte = data.draw(st.integers(0, len(lines[at]) - 1))
    lines[at] = lines[at][:byte] + (b"~" if lines[at][byte : byte + 1] != b"~" else b"!") + lines[at][byte + 1 :]
    with_lines(written, file, lines)
    kind, line, _ = found(written, secret, file)
    assert (kind, line) == (Kind.CHANGED, at + 1)


@EXAMPLES
@given(place=places(), count=st.integers(1, 5))
def test_removed_lines_are_named(written: Written, secret: str | None, place: tuple[int, int], count: int):
    file, at = written.files[place[0]], place[1]
    lines = lines_of(written, file)
    before = id_of(lines[at - 1]) if at else ""
    is_tail = at + count >= len(lines)
    del lines[at : at + count]
    with_lines(written, file, lines)
    assert found(written, secret, file) == (Kind.TRUNCATED if is_tail else Kind.REMOVED, at + 1, before)


@EXAMPLES
@given(place=places(room=1), count=st.integers(1, 5))
def test_inserted_lines_are_named(written: Written, secret: str | None, place: tuple[int, int], count: int):
    file, at = written.files[place[0]], place[1]
    lines = lines_of(written, file)
    lines[at:at] = [entry_line(9000 + number, "forged") for number in range(count)]
    with_lines(written, file, lines)
    assert found(written, secret, file) == (Kind.INSERTED, at + 1, "run-9000")


@EXAMPLES
@given(place=places(), other=st.integers(0, 20))
def test_lines_that_changed_places_are_named(written: Written, secret: str | None, place: tuple[int, int], other: int):
    file, at = written.files[place[0]], place[1]
    lines = lines_of(written, file)
    other %= len(lines)
    if other == at:
        return
    first, last = min(at, other), max(at, other)
    lines[first], lines[last] = lines[last], lines[first]
    with_lines(written, file, lines)
    assert found(written, secret, file) == (Kind.REORDERED, first + 1, id_of(lines[first]))


@EXAMPLES
@given(place=places(), data=st.data())
def test_a_truncated_file_is_found(written: Written, secret: str | None, place: tuple[int, int], data: st.DataObject):
    file = written.files[place[0]]
    whole = written.content[file.path.name]
    size = data.draw(st.integers(0, len(whole) - 1))
    put(written.folder, {**written.content, file.path.name: whole[:size]})
    kind, line, _ = found(written, secret, file)
    assert (kind, line) == (Kind.TRUNCATED, whole[:size].count(b"\n") + 1)


@EXAMPLES
@given(data=st.data())
def test_any_byte_that_is_changed_is_found(written: Written, secret: str | None, data: st.DataObject):
    name = data.draw(st.sampled_from(sorted(each for each in written.content if not each.endswith(".key"))))
    whole = written.content[name]
    at = data.draw(st.integers(0, len(whole) - 1))
    change = data.draw(st.integers(1, 255))
    put(written.folder, {**written.content, name: whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :]})
    assert not verified(written.folder, secret).is_intact


@EXAMPLES
@given(data=st.data())
def test_any_file_that_is_cut_is_found(written: Written, secret: str | None, data: st.DataObject):
    name = data.draw(st.sampled_from(sorted(each for each in written.content if not each.endswith(".key"))))
    whole = written.content[name]
    size = data.draw(st.integers(0, len(whole) - 1))
    put(written.folder, {**written.content, name: whole[:size]})
    report = verified(written.folder, secret)
    if name.endswith(".seals") and secret is None and b'"kind":"begun"' not in whole[whole.rfind(b"\n", 0, size) + 1 :]:
        return  # without keys that the last file was sealed is in its chain alone
    assert not report.is_intact


@EXAMPLES
@given(data=st.data())
def test_lines_of_chain_and_seals_that_are_moved_or_removed_are_found(
    written: Written, secret: str | None, data: st.DataObject
):
    name = data.draw(st.sampled_from(sorted(each for each in written.content if each.endswith((".chain", ".seals")))))
    lines = written.content[name].splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 2))
    if data.draw(st.booleans()):
        del lines[at]
    else:
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    put(written.folder, {**written.content, name: b"".join(lines)})
    assert not verified(written.folder, secret).is_intact


def test_every_file_that_is_gone_is_found(written: Written, secret: str | None):
    for name in written.content:
        if name.endswith(".key"):
            continue
        put(written.folder, {each: data for each, data in written.content.items() if each != name})
        assert not verified(written.folder, secret).is_intact, name


def test_files_that_took_each_others_names_are_found(written: Written, secret: str | None):
    one, other = written.files[:2]
    for pairs, kinds in (
        (((one.path.name, other.path.name),), {Kind.CHANGED}),
        (((one.path.name, other.path.name), (one.chain.name, other.chain.name)), {Kind.SWAPPED}),
        (((one.chain.name, other.chain.name),), {Kind.SWAPPED}),
    ):
        swapped = dict(written.content)
        for first, second in pairs:
            swapped[first], swapped[second] = swapped[second], swapped[first]
        put(written.folder, swapped)
        report = verified(written.folder, secret)
        named = {verdict_of(report, file).finding for file in (one, other)}
        assert {each.kind for each in named if each is not None} == kinds


def test_a_file_that_is_back_with_its_chain_as_they_were_once_is_found(tmp_path: Path, secret: str | None):
    log = ChainedLog(tmp_path, secret)
    log.write(3, 2)
    former = contents(tmp_path)
    log.write(4)
    done = log.rotate()
    for name in (done.path.name, done.chain.name):
        (tmp_path / name).write_bytes(former[name])
    finding = verdict_of(verified(tmp_path, secret), done).finding
    assert finding is not None
    assert (finding.kind, finding.line) == (Kind.ROLLED_BACK, 6)
    assert finding.entry_id == "run-5", "the last entry that is there"


class TestTheKey:
    """What somebody without the key, or with a later one, makes is found."""

    def forge(self, folder: Path, secret: str | None) -> LogFile:
        """The log anew, with other lines, by somebody who has the program."""
        log = ChainedLog(folder, secret)
        log.write(5)
        return log.rotate()

    @pytest.mark.parametrize("forged_with", [None, "another secret, as long as it takes"])
    def test_all_rewritten_without_the_key(self, tmp_path: Path, forged_with: str | None):
        self.forge(tmp_path, forged_with)
        report = verified(tmp_path, SECRET)
        kinds = {finding.kind for seals in report.seals for finding in seals.findings}
        assert Kind.FORGED in kinds
        assert verified(tmp_path, forged_with).is_intact, "by itself it is flawless"

    def test_a_chain_rewritten_without_the_key(self, tmp_path: Path):
        genuine, forged = tmp_path / "genuine", tmp_path / "forged"
        genuine.mkdir()
        log = ChainedLog(genuine, SECRET)
        log.write(5)
        done = log.rotate()
        shutil.copytree(genuine, forged)
        chain = [bytes(line) for line in (forged / done.chain.name).read_bytes().splitlines()]
        (forged / done.chain.name).write_bytes(b"".join(line[:-66] + b"0" * 64 + b'"}\n' for line in chain))
        finding = verdict_of(verified(forged, SECRET), done).finding
        assert finding is not None
        assert finding.kind is Kind.FORGED
        assert verified(forged).is_intact, "signatures are not looked at without the key"
