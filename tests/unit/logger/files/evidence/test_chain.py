"""What the chain of a file does as it is written: faults of the disk, kills, other hands, processes that come later."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.chained_logs import SECRET, ChainedLog, entry_line, findings, verdict_of, verified

from metaexpert.logger.files.evidence import chain as chain_module
from metaexpert.logger.files.evidence import sealing as sealing_module
from metaexpert.logger.files.evidence.chain import MAX_LINE_BYTES, Anchor, Chain, record_removal
from metaexpert.logger.files.evidence.chain_format import MAX_LINES, Record
from metaexpert.logger.files.evidence.seals import seals_of
from metaexpert.logger.files.evidence.verdict import Kind, State
from metaexpert.logger.files.ownership import hold
from metaexpert.logger.journal.segments import write_at

KEYS = pytest.mark.parametrize("secret", [None, SECRET], ids=["unkeyed", "keyed"])


def records(path: Path) -> list[Record]:
    return [Record.parsed(line) for line in path.read_bytes().splitlines(keepends=True)]


def kinds(path: Path) -> list[str]:
    return [record.kind for record in records(path)]


@pytest.mark.skipif(os.name != "posix", reason="names are text there")
@pytest.mark.parametrize("name", ["журнал.log", os.fsdecode(b"caf\xe9.log"), "expert"])
def test_a_log_may_have_any_name(tmp_path: Path, name: str):
    done = ChainedLog(tmp_path, SECRET, name=name).write(2).stop()
    report = verified(tmp_path, SECRET)
    assert report.is_intact
    assert (verdict_of(report, done).state, verdict_of(report, done).signed) == (State.INTACT, True)


class Disk:
    """A disk that takes no more of the chain for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.torn_bytes = 0
        monkeypatch.setattr(chain_module, "write_at", self.write_at)
        monkeypatch.setattr(sealing_module, "write_at", self.write_at)

    def write_at(self, descriptor: int, at: int, data: bytes) -> None:
        if self.is_full:
            write_at(descriptor, at, data[: self.torn_bytes])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_at(descriptor, at, data)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@KEYS
class TestWriting:
    def test_each_batch_has_a_line_of_the_chain_and_the_file_its_seal(self, tmp_path: Path, secret: str | None):
        log = ChainedLog(tmp_path, secret).write(3, 1)
        done = log.rotate()
        assert kinds(done.chain) == ["chain", "lines", "lines", "seal"]
        assert kinds(seals_of(done.log)) == ["series", "begun", "sealed"]
        assert all(bool(record.mac) is (secret is not None) for record in records(done.chain))
        assert done.chain.stat().st_mode & 0o777 == 0o600

    def test_files_of_a_run_name_the_head_of_the_one_before(self, tmp_path: Path, secret: str | None):
        log = ChainedLog(tmp_path, secret).write(2)
        first = log.rotate()
        second = log.write(2).rotate()
        assert records(second.chain)[0].text("previous") == records(first.chain)[-1].head.hex()

    def test_an_entry_as_text_may_take_several_lines(self, tmp_path: Path, secret: str | None):
        log = ChainedLog(tmp_path, secret)
        log.write_lines([b"one", b"Traceback\n  of two\n\nlines", b"three"])
        done = log.rotate()
        verdict = verdict_of(verified(tmp_path, secret), done)
        assert (verdict.state, verdict.lines) == (State.INTACT, 6)

    def test_more_than_a_line_of_the_chain_is_about(self, tmp_path: Path, secret: str | None):
        log = ChainedLog(tmp_path, secret)
        log.write_lines([b"%d" % number for number in range(2 * MAX_LINES + 1)])
        log.write_lines([b"a" * (MAX_LINE_BYTES // 2), b"b" * MAX_LINE_BYTES, b"c"])
        done = log.rotate()
        counts = [record.number("count") for record in records(done.chain) if record.kind == "lines"]
        assert counts == [MAX_LINES, MAX_LINES, 1, 1, 1, 1]
        assert verdict_of(verified(tmp_path, secret), done).state is State.INTACT

    def test_a_file_that_is_opened_again_has_its_chain_gone_on_with(self, tmp_path: Path, secret: str | None):
        log = ChainedLog(tmp_path, secret).write(2)
        log.chain.close()
        log.chain.begin(log.file, log.size_bytes)
        done = log.write(3).rotate()
        assert kinds(done.chain) == ["chain", "lines", "lines", "seal"]
        assert verified(tmp_path, secret).is_intact

    def test_another_writer_of_the_run_goes_on_with_the_chain(self, tmp_path: Path, secret: str | None):
        log = ChainedLog(tmp_path, secret).write(2)
        log.kill()
        log.chain = Chain(log.chain._secret)
        log.chain.begin(log.file, log.size_bytes)
        done = log.write(3).rotate()
        assert kinds(done.chain) == ["chain", "lines", "resume", "lines", "seal"]
        verdict = verdict_of(verified(tmp_path, secret), done)
        assert (verdict.state, verdict.lines) == (State.INTACT, 5)


@KEYS
class TestTheDisk:
    def test_what_it_refuses_is_written_later_and_nothing_is_missing(
        self, tmp_path: Path, disk: Disk, secret: str | None
    ):
        log = ChainedLog(tmp_path, secret).write(2)
        disk.is_full, disk.torn_bytes = True, 30
        log.write(3, 4)
        assert "is behind: [Errno 28] No space left" in log.chain.fault
        disk.is_full = False
        log.write(1)
        assert log.chain.fault == ""
        assert "is behind" in log.chain.take_fault(), "told once more to who asks after each batch"
        assert log.chain.take_fault() == ""
        done = log.rotate()
        verdict = verdict_of(verified(tmp_path, secret), done)
        assert (verdict.state, verdict.lines, verdict.uncovered_lines) == (State.INTACT, 10, 0)

    @pytest.mark.parametrize("from_the_start", [False, True])
    def test_beyond_what_may_wait_the_chain_says_what_it_does_not_cover(
        self, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, secret: str | None, *, from_the_start: bool
    ):
        monkeypatch.setattr(chain_module, "_MAX_PENDING_BYTES", 2000)
        disk.is_full = from_the_start
        log = ChainedLog(tmp_path, secret).write(2)
        disk.is_full = True
        log.write(*[4] * 20)
        disk.is_full = False
        done = log.write(3, 5).rotate()
        verdict = verdict_of(verified(tmp_path, secret), done)
        lost = 85 if from_the_start else 83
        assert (verdict.state, verdict.uncovered_lines, verdict.lines) == (State.INTACT, lost, 90 - lost)
        assert f"lines {86 - lost} to 85 are not covered: it could not be written: No space left" in verdict.notes[0]

    def test_lines_written_before_the_seals_could_be_had_are_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str | None
    ):
        log = ChainedLog(tmp_path, secret)
        log.chain._clock = lambda: 0.0
        with monkeypatch.context() as broken:
            broken.setattr(chain_module, "opened", _refused)
            log.write(3)
            assert "is behind: [Errno 5]" in log.chain.fault
        log.chain._clock = lambda: 10.0
        done = log.write(2).rotate()
        verdict = verdict_of(verified(tmp_path, secret), done)
        assert (verdict.state, verdict.lines, verdict.uncovered_lines) == (State.INTACT, 2, 3)
        assert verdict.notes == ("lines 1 to 3 are not covered: lines were written while there was no chain",)

    def test_a_seal_that_cannot_be_written_leaves_the_file_unsealed_and_not_tampered(
        self, tmp_path: Path, disk: Disk, secret: str | None
    ):
        log = ChainedLog(tmp_path, secret).write(2)
        disk.is_full, disk.torn_bytes = True, 7
        done = log.rotate()
        assert "is not sealed: [Errno 28] No space left" in log.chain.take_fault()
        assert log.chain.take_fault(), "as long as it is not"
        verdict = verdict_of(verified(tmp_path, secret), done)
        assert (verdict.state, verdict.lines, verdict.finding) == (State.CUT_SHORT, 2, None)
        assert verdict.notes[0].startswith("it is unsealed: ")
        disk.is_full = False
        following = log.write(2).rotate()
        assert verdict_of(verified(tmp_path, secret), following).state is State.INTACT

    @pytest.mark.parametrize("torn_bytes", [0, 7, 400])
    def test_what_waited_with_the_seal_is_written_when_the_disk_takes_it(
        self, tmp_path: Path, disk: Disk, secret: str | None, torn_bytes: int
    ):
        log = ChainedLog(tmp_path, secret).write(2)
        disk.is_full, disk.torn_bytes = True, torn_bytes
        done = log.write(3, 4).rotate()
        assert log.left is not None
        left, disk.is_full = log.left, False
        following = log.write(5).rotate()
        assert left.bring_to_disk()
        assert log.chain.take_fault() != ""
        assert log.chain.take_fault() == ""
        report = verified(tmp_path, secret)
        assert report.is_intact
        assert [(each.state, each.lines) for each in report.files] == [(State.INTACT, 9), (State.INTACT, 5)]
        assert records(following.chain)[0].text("previous") == records(done.chain)[-1].head.hex()

    def test_seals_that_cannot_be_had_are_asked_again_and_the_chain_is_written_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str | None
    ):
        log = ChainedLog(tmp_path, secret).write(2)
        with monkeypatch.context() as broken:
            broken.setattr(sealing_module, "opened", _refused)
            done = log.rotate()
            assert log.left is not None
            assert not log.left.bring_to_disk()
        assert log.left.bring_to_disk()
        assert kinds(done.chain) == ["chain", "lines", "seal"]
        assert kinds(seals_of(done.log)) == ["series", "begun", "sealed"]
        assert verdict_of(verified(tmp_path, secret), done).state is State.INTACT

    def test_one_that_is_given_up_is_noted_as_it_is_left(self, tmp_path: Path, disk: Disk, secret: str | None):
        log = ChainedLog(tmp_path, secret).write(2)
        disk.is_full = True
        done = log.write(3).rotate()
        disk.is_full = False
        assert log.left is not None
        log.left.give_up()
        log.write(1).stop()
        assert kinds(seals_of(done.log)) == ["series", "begun", "ended", "begun", "sealed"]
        verdict = verdict_of(verified(tmp_path, secret), done)
        assert (verdict.state, verdict.lines, verdict.uncovered_lines) == (State.CUT_SHORT, 2, 3)
        done.path.write_bytes(done.path.read_bytes().replace(b"an entry 5", b"no entry 5"))
        assert verdict_of(verified(tmp_path, secret), done).state is State.TAMPERED


def _refused(*_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@KEYS
class TestAKill:
    def test_lines_that_the_chain_had_no_time_for_are_told_apart_from_tampering(
        self, tmp_path: Path, secret: str | None
    ):
        log = ChainedLog(tmp_path, secret).write(4)
        log.write_lines([entry_line(90), entry_line(91)], chained=False)
        with log.file.path.open("ab") as file:
            file.write(b'{"timestamp":"20')
        verdict = verdict_of(verified(tmp_path, secret), log.kill())
        assert (verdict.state, verdict.lines, verdict.finding) == (State.CUT_SHORT, 4, None)
        unsealed = "it is unsealed: its process was killed, or the disk refused its seal"
        assert verdict.notes == (unsealed, "2 lines at the end are not covered")

    @pytest.mark.parametrize("torn", [1, 40, 120])
    def test_a_torn_line_of_the_chain_is_no_tampering(self, tmp_path: Path, secret: str | None, torn: int):
        log = ChainedLog(tmp_path, secret).write(4, 3)
        file = log.kill()
        os.truncate(file.chain, file.chain.stat().st_size - torn)
        verdict = verdict_of(verified(tmp_path, secret), file)
        assert (verdict.state, verdict.lines, verdict.finding) == (State.CUT_SHORT, 4, None)
        assert "the last line of its chain is torn" in verdict.notes[-1]

    def test_before_anything_was_written(self, tmp_path: Path, secret: str | None):
        log = ChainedLog(tmp_path, secret).write(0)
        file = log.kill()
        file.chain.unlink()
        verdict = verdict_of(verified(tmp_path, secret), file)
        assert (verdict.state, verdict.finding) == (State.CUT_SHORT, None)

    def test_the_next_start_seals_what_is_left_and_it_can_be_changed_no_more(self, tmp_path: Path, secret: str | None):
        killed = ChainedLog(tmp_path, secret).write(4)
        killed.write_lines([entry_line(90)], chained=False)
        left = killed.kill()
        ChainedLog(tmp_path, secret).write(1).stop()
        assert kinds(seals_of(left.log)) == ["series", "begun", "ended", "begun", "sealed"]
        verdict = verdict_of(verified(tmp_path, secret), left)
        assert (verdict.state, verdict.lines, verdict.uncovered_lines) == (State.CUT_SHORT, 4, 1)
        whole, chain = left.path.read_bytes(), left.chain.read_bytes()
        left.path.write_bytes(whole.replace(b"entry 90", b"entry 91"))
        assert self.found(tmp_path, secret, left) == (Kind.CHANGED, 5)
        left.path.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
        assert self.found(tmp_path, secret, left) == (Kind.CHANGED, 5)
        left.path.write_bytes(b"")
        left.chain.write_bytes(b"".join(chain.splitlines(keepends=True)[:1]))
        assert self.found(tmp_path, secret, left) == (Kind.ROLLED_BACK, 1)

    def found(self, folder: Path, secret: str | None, file: chain_module.LogFile) -> tuple[Kind, int]:
        finding = verdict_of(verified(folder, secret), file).finding
        assert finding is not None
        return finding.kind, finding.line

    def test_a_file_whose_writer_lives_is_not_ended(self, tmp_path: Path, secret: str | None):
        living = ChainedLog(tmp_path, secret).write(4)
        with living.file.path.open("rb") as held:
            hold(held.fileno())
            ChainedLog(tmp_path, secret).write(1).stop()
            verdict = verdict_of(verified(tmp_path, secret), living.file)
            assert (verdict.state, verdict.lines) == (State.LIVE, 4)
        assert "ended" not in kinds(seals_of(living.file.log))


@KEYS
class TestOtherHands:
    def test_what_somebody_else_wrote_is_found(self, tmp_path: Path, secret: str | None):
        log = ChainedLog(tmp_path, secret).write(2)
        with log.file.path.open("ab") as file:
            log.size_bytes += file.write(b"not ours\n")
        done = log.write(2).rotate()
        finding = verdict_of(verified(tmp_path, secret), done).finding
        assert finding is not None
        assert (finding.kind, finding.line) == (Kind.CHAIN_REPLACED, 3)
        assert "somebody else wrote to the file or cut it" in finding.text

    def test_a_chain_that_is_taken_away_meanwhile_is_found(self, tmp_path: Path, secret: str | None):
        log = ChainedLog(tmp_path, secret).write(2)
        log.chain.close()
        log.file.chain.unlink()
        log.chain.begin(log.file, log.size_bytes)
        done = log.write(2).rotate()
        finding = verdict_of(verified(tmp_path, secret), done).finding
        assert finding is not None
        assert finding.kind is Kind.CHAIN_REPLACED
        assert "somebody removed or cut the chain" in finding.text


class TestKeys:
    def test_the_secret_is_needed_once(self, tmp_path: Path):
        ChainedLog(tmp_path, SECRET).write(2).stop()
        log = ChainedLog(tmp_path, SECRET)
        log.chain._secret = _gone
        log.write(2).stop()
        assert log.chain.fault == ""
        assert verified(tmp_path, SECRET).is_intact

    def test_once_keyed_always_keyed(self, tmp_path: Path):
        ChainedLog(tmp_path, SECRET).write(2).stop()
        done = ChainedLog(tmp_path).write(2).stop()
        assert all(record.mac for record in records(done.chain))
        assert verified(tmp_path, SECRET).is_intact

    def test_a_log_that_was_not_keyed_is_pinned_by_its_first_key(self, tmp_path: Path):
        before = ChainedLog(tmp_path).write(2).stop()
        ChainedLog(tmp_path, SECRET).write(2).stop()
        assert verified(tmp_path, SECRET).is_intact
        before.path.write_bytes(before.path.read_bytes().replace(b"entry 2", b"entry 3"))
        assert not verified(tmp_path, SECRET).is_intact

    def test_without_state_and_secret_the_file_is_written_and_the_chain_says_why_not(self, tmp_path: Path):
        ChainedLog(tmp_path, SECRET).write(2).stop()
        (tmp_path / "expert.log.seals.key").unlink()
        log = ChainedLog(tmp_path).write(2)
        assert "and with it the key: bring it back, or give the secret once more" in log.chain.fault
        assert log.file.path.read_bytes().count(b"\n") == 2

    def test_a_state_that_was_lost_is_made_up_for_by_the_secret(self, tmp_path: Path):
        ChainedLog(tmp_path, SECRET).write(2).stop()
        (tmp_path / "expert.log.seals.key").unlink()
        ChainedLog(tmp_path, SECRET).write(2).stop()
        assert findings(verified(tmp_path, SECRET)) == []


def _gone() -> str:
    raise FileNotFoundError(errno.ENOENT, "the auditor has it")


class TestRemoval:
    @KEYS
    def test_a_file_that_retention_took_is_not_missing(self, tmp_path: Path, secret: str | None):
        log = ChainedLog(tmp_path, secret).write(2)
        gone = log.rotate()
        log.write(1).stop()
        record_removal(gone.log, gone, "older than 90 days")
        gone.path.unlink()
        gone.chain.unlink()
        report = verified(tmp_path, secret)
        verdict = verdict_of(report, gone)
        assert report.is_intact
        assert verdict.state is State.PURGED
        assert verdict.notes[0].startswith("purged by retention on 20")
        assert verdict.notes[0].endswith("Z, older than 90 days")

    def test_a_log_without_seals_has_nothing_to_say_it_in(self, tmp_path: Path):
        log = ChainedLog(tmp_path)
        record_removal(log.file.log, log.file, "older than 90 days")
        assert list(tmp_path.iterdir()) == []


def test_heads_are_told_to_be_anchored_but_the_last_one_which_nobody_takes_any_more(tmp_path: Path):
    told: list[Anchor] = []
    log = ChainedLog(tmp_path, anchors=told).write(2)
    log.rotate()
    log.write(1).stop()
    heads = [record.head for record in records(tmp_path / "expert.log.seals")]
    assert [(each.kind, each.lines, each.line.number) for each in told] == [
        ("begun", 0, 2),
        ("sealed", 2, 3),
        ("begun", 0, 4),
    ]
    assert [each.line.head for each in told] == heads[1:4]


def test_lines_cost_nothing_but_their_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One line of the chain and one write a batch, however many lines it has."""
    writes: list[int] = []
    monkeypatch.setattr(chain_module, "write_at", lambda _descriptor, _at, data: writes.append(len(data)))
    log = ChainedLog(tmp_path)
    log.write_lines(_many(2000))
    assert len(writes) == 2
    assert writes[1] < 2000 * 11 + 200


def _many(count: int) -> Sequence[bytes]:
    return [entry_line(number) for number in range(count)]
