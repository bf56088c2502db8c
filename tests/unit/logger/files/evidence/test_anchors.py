"""Anchors that other places hold find what was rolled back or made anew, however they were exported."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.chained_logs import SECRET, ChainedLog, contents, put, verdict_of
from support.forging import rewrite

from metaexpert.logger.evidence import anchor_entry
from metaexpert.logger.files.evidence.anchors import held_in
from metaexpert.logger.files.evidence.chain import Anchor
from metaexpert.logger.files.evidence.seals import seals_of
from metaexpert.logger.files.evidence.verdict import Kind, Report
from metaexpert.logger.files.evidence.verify import verify
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.identity import Identity

ENCODE = JsonLines(Identity(service="tests"))


def exported(anchors: list[Anchor]) -> list[bytes]:
    """As a JSON file has them."""
    return [ENCODE(anchor_entry(anchor)) for anchor in anchors]


def with_anchors(folder: Path, lines: list[bytes]) -> Report:
    return verify([folder], anchors=held_in(lines), processes=1)


def anchored_log(folder: Path) -> tuple[list[LogFile], list[bytes]]:
    told: list[Anchor] = []
    log = ChainedLog(folder, anchors=told)
    files = [log.write(3).rotate(), log.write(2).rotate()]
    return files, exported(told)


def kinds(report: Report) -> list[Kind]:
    return [finding.kind for seals in report.seals for finding in seals.findings]


def texts(report: Report) -> list[str]:
    return [finding.text for seals in report.seals for finding in seals.findings]


def test_what_was_not_touched_agrees_with_them(tmp_path: Path):
    _, anchors = anchored_log(tmp_path)
    report = with_anchors(tmp_path, anchors)
    assert (report.is_intact, report.anchors, report.notes) == (True, 4, ())


def test_an_anchor_is_an_audit_entry_that_names_what_it_proves(tmp_path: Path):
    files, anchors = anchored_log(tmp_path)
    entry = json.loads(anchors[1])
    assert (entry["log_type"], entry["level"], entry["logger"]) == ("audit", "INFO", "metaexpert.logger")
    assert entry["message"].startswith(f"tamper evidence: sealed {files[0].path.name}: 3 lines proven; line 3 of ")
    assert entry["extra"]["evidence_lines"] == 3


def test_a_log_rewritten_without_a_trace_is_found(tmp_path: Path):
    files, anchors = anchored_log(tmp_path)
    files[0].path.write_bytes(files[0].path.read_bytes().replace(b"an entry 2", b"no entry 2"))
    rewrite(tmp_path, None)
    report = with_anchors(tmp_path, anchors)
    assert verdict_of(report, files[0]).finding is None, "by itself it is flawless"
    assert kinds(report) == [Kind.ANCHOR]


def test_a_whole_folder_put_back_to_an_earlier_time_is_found(tmp_path: Path):
    log = ChainedLog(tmp_path, anchors=(told := list[Anchor]()))
    log.write(3).rotate()
    earlier = contents(tmp_path)
    log.write(2).rotate()
    put(tmp_path, earlier)
    assert verify([tmp_path], processes=1).is_intact
    assert kinds(with_anchors(tmp_path, exported(told))) == [Kind.ROLLED_BACK]


def test_seals_that_were_begun_anew_are_found(tmp_path: Path):
    _, anchors = anchored_log(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    ChainedLog(tmp_path).write(3).stop()
    assert kinds(with_anchors(tmp_path, anchors)) == [Kind.ANCHOR]


def test_a_log_that_was_deleted_as_a_whole_is_missing(tmp_path: Path):
    gone, there = tmp_path / "gone", tmp_path / "there"
    gone.mkdir()
    there.mkdir()
    _, anchors = anchored_log(gone)
    for path in gone.iterdir():
        path.unlink()
    for places in ([gone], [gone, there], [tmp_path]):
        report = verify(places, anchors=held_in(anchors), processes=1)
        assert (report.is_intact, report.anchors, kinds(report)) == (False, 0, [Kind.LOG_MISSING])
        assert f"expert.log of {socket.gethostname()}:{gone} is missing: the anchors hold 5 lines" in texts(report)[0]
        assert report.seals[0].path == gone / "expert.log.seals"


def test_what_is_not_asked_for_is_not_missing(tmp_path: Path):
    gone, there = tmp_path / "gone", tmp_path / "there"
    gone.mkdir()
    there.mkdir()
    _, anchors = anchored_log(gone)
    other = ChainedLog(there, name="other.log").write(2).stop()
    for places in ([other.path], [there / "other.log"]):
        report = verify(places, anchors=held_in(anchors), processes=1)
        assert (report.is_intact, report.notes) == (True, ("4 anchors are about logs that are not here",))
    assert kinds(verify([there], anchors=held_in(anchors), processes=1)) == [Kind.LOG_MISSING]


@pytest.mark.parametrize("secret", [None, SECRET], ids=["unkeyed", "keyed"])
def test_a_key_state_without_its_log_says_that_there_was_one(tmp_path: Path, secret: str | None):
    ChainedLog(tmp_path, secret).write(2).stop()
    for path in tmp_path.iterdir():
        if path.suffix != ".key":
            path.unlink()
    assert kinds(verify([tmp_path], processes=1)) == ([] if secret is None else [Kind.SEALS_MISSING])


def test_anchors_of_other_logs_are_counted_and_prove_nothing(tmp_path: Path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    _, anchors = anchored_log(here)
    anchored_log(there)
    report = verify([there], anchors=held_in(anchors), is_partial=True, processes=1)
    assert (report.is_intact, report.anchors) == (True, 0)
    assert report.notes == ("4 anchors are about logs that are not here",)


def as_loki(entry: dict[str, Any]) -> dict[str, Any]:
    return {"stream": {"service": "bot"}, "values": [["1790000000000000000", json.dumps(entry)]]}


def as_elasticsearch(entry: dict[str, Any]) -> dict[str, Any]:
    return {"_source": {"message": entry["message"], "labels": {k: str(v) for k, v in entry["extra"].items()}}}


@pytest.mark.parametrize("shape", [as_loki, as_elasticsearch, lambda entry: {"line": json.dumps(entry)}])
def test_an_export_may_have_any_shape(tmp_path: Path, shape: Any):
    _, anchors = anchored_log(tmp_path)
    lines = [orjson.dumps(shape(json.loads(line))) for line in anchors]
    report = with_anchors(tmp_path, [b"", b"no json, evidence_series", b"[1]", *lines])
    assert (report.is_intact, report.anchors) == (True, 4)


@pytest.mark.skipif(os.name != "posix", reason="names are text there")
def test_names_that_are_not_utf_8_are_anchored_too(tmp_path: Path):
    told: list[Anchor] = []
    ChainedLog(tmp_path, name=os.fsdecode(b"caf\xe9.log"), anchors=told).write(1).rotate()
    report = with_anchors(tmp_path, exported(told))
    assert (report.is_intact, report.anchors) == (True, 2)


@pytest.mark.parametrize(
    "line",
    [
        b'{"evidence_series": 5}',
        b'{"evidence_series": "a", "evidence_line": "x"}',
        b"[" * 30 + b'"evidence_series"' + b"]" * 30,
        b'"evidence_series"',
    ],
)
def test_what_is_no_anchor_is_passed_over(line: bytes):
    assert list(held_in([line])) == []


def test_seals_are_named_beside_their_log(tmp_path: Path):
    assert seals_of(tmp_path / "expert.log").name == "expert.log.seals"
