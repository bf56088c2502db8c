"""What is verified where: live, sealed, packed, archived and restored files, single ones, by one process or several."""

import gzip
import os
from pathlib import Path

import pytest
from support.chained_logs import SECRET, ChainedLog, findings, verdict_of, verified

from metaexpert.logger.files.evidence.seals import seals_of
from metaexpert.logger.files.evidence.verdict import FileVerdict, Kind, Report, State
from metaexpert.logger.files.evidence.verify import VerifyError, verify
from metaexpert.logger.files.keeping.packing import has_zstd, zstd
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.ownership import hold


def three_files(folder: Path) -> tuple[LogFile, LogFile, LogFile]:
    log = ChainedLog(folder, SECRET)
    return log.write(3, 2).rotate(), log.write(4).rotate(), log.write(1, 1).rotate()


def packed(file: LogFile, packing: str) -> LogFile:
    target = file.packed(packing)
    data = file.path.read_bytes()
    target.path.write_bytes(gzip.compress(data) if packing == ".gz" else zstd().compress(data))
    file.path.unlink()
    return target


def moved(file: LogFile, folder: Path, *, with_chain: bool = True) -> LogFile:
    folder.mkdir(exist_ok=True)
    file.path.rename(folder / file.path.name)
    if with_chain:
        file.chain.rename(folder / file.chain.name)
    return file.within(folder)


def states(report: Report) -> list[State]:
    return [each.state for each in report.files]


PACKINGS = [".gz", pytest.param(".zst", marks=pytest.mark.skipif(not has_zstd(), reason="zstd is an extra"))]


@pytest.mark.parametrize("packing", PACKINGS)
class TestPacked:
    def test_it_is_verified_as_it_was(self, tmp_path: Path, packing: str):
        files = three_files(tmp_path)
        packed(files[0], packing)
        report = verified(tmp_path, SECRET)
        assert report.is_intact
        assert (verdict_of(report, files[0]).lines, verdict_of(report, files[0]).signed) == (5, True)

    def test_a_change_is_found(self, tmp_path: Path, packing: str):
        files = three_files(tmp_path)
        files[0].path.write_bytes(files[0].path.read_bytes().replace(b"entry 4", b"entrx 4"))
        packed(files[0], packing)
        finding = verdict_of(verified(tmp_path, SECRET), files[0]).finding
        assert finding is not None
        assert (finding.kind, finding.line, finding.entry_id) == (Kind.CHANGED, 4, "run-4")

    def test_damage_is_found(self, tmp_path: Path, packing: str):
        files = three_files(tmp_path)
        file = packed(files[0], packing)
        data = bytearray(file.path.read_bytes())
        data[-1] ^= 1
        data[-6] ^= 1
        file.path.write_bytes(data)
        verdict = verdict_of(verified(tmp_path, SECRET), files[0])
        assert verdict.state is State.TAMPERED
        assert verdict.finding is not None
        assert verdict.finding.kind in {Kind.CHANGED, Kind.TRUNCATED}


class TestArchived:
    def test_files_elsewhere_are_known_to_the_seals(self, tmp_path: Path):
        logs, archive = tmp_path / "logs", tmp_path / "archive"
        logs.mkdir()
        files = three_files(logs)
        moved(packed(files[0], ".gz"), archive)
        report = verify([logs, archive], secret=SECRET, processes=1)
        assert report.is_intact
        assert states(report) == [State.INTACT] * 3

    def test_a_chain_that_did_not_come_along_yet_is_found_where_it_is(self, tmp_path: Path):
        logs, archive = tmp_path / "logs", tmp_path / "archive"
        logs.mkdir()
        files = three_files(logs)
        moved(files[0], archive, with_chain=False)
        assert verify([archive, logs], secret=SECRET, processes=1).is_intact

    def test_without_the_archive_they_are_missing_and_the_text_says_what_to_do(self, tmp_path: Path):
        logs, archive = tmp_path / "logs", tmp_path / "archive"
        logs.mkdir()
        files = three_files(logs)
        moved(files[1], archive)
        report = verified(logs, SECRET)
        verdict = verdict_of(report, files[1])
        assert (verdict.state, verdict.path) == (State.MISSING, None)
        name = files[1].path.name
        todo = "where it was archived, name that folder too"
        assert findings(report) == [f"{name} with 4 lines is missing: it is not in {logs}; {todo}"]

    def test_an_archive_without_its_seals_says_so(self, tmp_path: Path):
        logs, archive = tmp_path / "logs", tmp_path / "archive"
        logs.mkdir()
        files = three_files(logs)
        moved(files[0], archive)
        report = verified(archive, SECRET)
        assert verdict_of(report, files[0]).state is State.INTACT, "it is signed with a key of this log"
        assert verdict_of(report, files[0]).signed
        assert [finding.kind for seals in report.seals for finding in seals.findings] == [Kind.SEALS_MISSING]

    def test_a_copy_that_was_restored_is_verified_too(self, tmp_path: Path):
        logs, restored = tmp_path / "logs", tmp_path / "restored"
        logs.mkdir()
        files = three_files(logs)
        restored.mkdir()
        (restored / files[0].path.name).write_bytes(files[0].path.read_bytes().replace(b"entry 2", b"entrx 2"))
        (restored / files[0].chain.name).write_bytes(files[0].chain.read_bytes())
        report = verify([logs, restored], secret=SECRET, processes=1)
        assert [(each.path and each.path.parent.name, each.state) for each in report.files[:2]] == [
            ("logs", State.INTACT),
            ("restored", State.TAMPERED),
        ]


class TestPlaces:
    def test_a_log_is_all_of_its_files_and_nothing_else(self, tmp_path: Path):
        three_files(tmp_path)
        ChainedLog(tmp_path, SECRET, name="trades.log").write(2).stop()
        report = verify([tmp_path / "expert.log"], secret=SECRET, processes=1)
        assert [each.log.name for each in report.seals] == ["expert.log"]
        assert states(report) == [State.INTACT] * 3

    def test_a_single_file_is_verified_by_its_chain_and_its_seals(self, tmp_path: Path):
        files = three_files(tmp_path)
        report = verify([files[1].path], secret=SECRET, processes=1)
        assert [each.name for each in report.files] == [files[1].path.name]
        assert report.is_intact

    @pytest.mark.parametrize("place", ["nothing", "nowhere/expert.log"])
    def test_a_place_where_there_is_nothing_is_an_error(self, tmp_path: Path, place: str):
        with pytest.raises(VerifyError, match="no such folder, log or file of a log"):
            verify([tmp_path / place])

    def test_the_link_of_a_log_is_no_file(self, tmp_path: Path):
        files = three_files(tmp_path)
        (tmp_path / "expert.log").symlink_to(files[2].path.name)
        assert states(verified(tmp_path, SECRET)) == [State.INTACT] * 3

    def test_other_files_are_passed_over(self, tmp_path: Path):
        three_files(tmp_path)
        (tmp_path / "operations.jsonl").write_bytes(b"{}\n")
        (tmp_path / "notes.log").write_bytes(b"x\n")
        assert states(verified(tmp_path, SECRET)) == [State.INTACT] * 3


class TestWhatIsNoTampering:
    def test_a_live_file_is_verified_as_far_as_it_is_chained(self, tmp_path: Path):
        log = ChainedLog(tmp_path, SECRET).write(3)
        log.write_lines([b"one more"], chained=False)
        with log.file.path.open("ab") as held:
            hold(held.fileno())
            report = verified(tmp_path, SECRET)
        verdict = verdict_of(report, log.file)
        assert (report.is_intact, verdict.state, verdict.lines) == (True, State.LIVE, 3)
        assert verdict.notes == ("1 lines at its end are not chained yet",)

    def test_a_change_in_a_live_file_is_found(self, tmp_path: Path):
        log = ChainedLog(tmp_path, SECRET).write(3)
        log.file.path.write_bytes(log.file.path.read_bytes().replace(b"entry 2", b"entrx 2"))
        with log.file.path.open("ab") as held:
            hold(held.fileno())
            finding = verdict_of(verified(tmp_path, SECRET), log.file).finding
        assert finding is not None
        assert (finding.kind, finding.line) == (Kind.CHANGED, 2)

    def test_a_log_without_tamper_evidence(self, tmp_path: Path):
        log = ChainedLog(tmp_path)
        log.file.path.write_bytes(b"one\n")
        report = verified(tmp_path)
        assert (report.is_intact, states(report), report.seals) == (True, [State.UNCHAINED], ())

    def test_a_file_that_others_put_between_is_told(self, tmp_path: Path):
        files = three_files(tmp_path)
        foreign = files[2].next().next()
        foreign.path.write_bytes(b"one\n")
        verdict = verdict_of(verified(tmp_path, SECRET), foreign)
        assert (verdict.state, verdict.lines) == (State.UNCHAINED, 0)

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
    def test_a_file_that_cannot_be_read_is_told(self, tmp_path: Path):
        files = three_files(tmp_path)
        files[0].path.chmod(0)
        report = verified(tmp_path, SECRET)
        assert (report.is_readable, report.is_intact) == (False, True)

    def test_zstd_that_is_not_installed_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        files = three_files(tmp_path)
        files[0].path.rename(files[0].packed(".zst").path)
        monkeypatch.setattr("metaexpert.logger.files.keeping.packing._HAS_OWN_ZSTD", False)
        monkeypatch.setitem(__import__("sys").modules, "backports", None)
        verdict = verdict_of(verified(tmp_path, SECRET), files[0])
        assert verdict.state is State.UNREADABLE
        assert "metaexpert[zstd]" in verdict.notes[0]

    @pytest.mark.parametrize(("end", "is_intact"), [(b"", True), (b" ", False), (b"\r", False)])
    def test_the_seals_last_line_is_torn_when_it_lacks_its_end_and_changed_when_it_has_another(
        self, tmp_path: Path, end: bytes, *, is_intact: bool
    ):
        done = ChainedLog(tmp_path).write(2).stop()
        seals = seals_of(done.log)
        seals.write_bytes(seals.read_bytes()[:-1] + end)
        assert verified(tmp_path).is_intact is is_intact


class TestSeveralProcesses:
    def test_they_find_what_one_finds(self, tmp_path: Path):
        files = three_files(tmp_path)
        files[1].path.write_bytes(files[1].path.read_bytes().replace(b"entry 7", b"entrx 7"))
        one, several = verified(tmp_path, SECRET), verify([tmp_path], secret=SECRET, processes=2)
        assert several == one
        assert states(several) == [State.INTACT, State.TAMPERED, State.INTACT]

    def test_each_file_is_told_as_it_is_done(self, tmp_path: Path):
        three_files(tmp_path)
        told: list[FileVerdict] = []
        report = verify([tmp_path], secret=SECRET, processes=1, told=told.append)
        assert sorted(told, key=lambda each: each.name) == list(report.files)


class TestTheState:
    def test_one_that_is_not_here_is_told(self, tmp_path: Path):
        files = three_files(tmp_path)
        (tmp_path / "expert.log.seals.key").unlink()
        report = verified(tmp_path, SECRET)
        assert report.is_intact
        assert report.seals[0].notes[0].endswith("cannot be found without anchors: expert.log.seals.key is not here")
        assert verdict_of(report, files[0]).signed

    def test_lines_cut_off_the_seals_with_their_files_are_found_by_it(self, tmp_path: Path):
        files = three_files(tmp_path)
        path = seals_of(files[0].log)
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-2]))
        files[2].path.unlink()
        files[2].chain.unlink()
        (finding,) = verified(tmp_path, SECRET).seals[0].findings
        assert finding.kind is Kind.ROLLED_BACK
        assert "2 lines were cut off the end of expert.log.seals" in finding.text

    def test_another_one_is_found(self, tmp_path: Path):
        three_files(tmp_path)
        state = tmp_path / "expert.log.seals.key"
        state.write_bytes(state.read_bytes().replace(b'"epoch":6', b'"epoch":5'))
        (finding,) = verified(tmp_path, SECRET).seals[0].findings
        assert finding.kind is Kind.SEALS_CHANGED
