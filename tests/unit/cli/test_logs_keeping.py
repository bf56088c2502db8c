"""`metaexpert logs retention`, `hold` and `restore`: what a person sees, what is done, what is written down of it."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.log_files import content, names, written
from typer.testing import CliRunner, Result

from metaexpert.cli.app import app
from metaexpert.logger.files.keeping.hold import HOLDS_FILE, read_holds
from metaexpert.logger.files.keeping.housekeeping import LOCK_FILE
from metaexpert.logger.files.names import Run
from metaexpert.logger.files.ownership import hold
from metaexpert.logger.owner_lock import OwnerLock

DAY = 86_400.0
LONG_AGO = Run("20250101T000000Z", 4711, "9f3a01")
SETTINGS = """\
[logger]
log_to_console = false
compression = "gzip"

[logger.archive]
folder = "archive"
after = "30d"

[logger.retention]
max_age = "90d"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration; its logs are below."""
    for name in [name for name in os.environ if name.upper().startswith("METAEXPERT_LOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metaexpert.toml").write_text(SETTINGS)
    return tmp_path / "logs"


def aged(folder: Path, *days: float, log: str = "expert.log", **more: Any) -> None:
    """Finished files of a log, the first one as many days old as is said first."""
    for number, age in enumerate(days, 1):
        written(folder / log, number, run=LONG_AGO, at=time.time() - age * DAY, **more)


def run(*arguments: str, answer: str = "") -> Result:
    result = CliRunner().invoke(app, ["logs", *arguments], input=answer)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def there(folder: Path) -> list[str]:
    return [name.replace(f".{LONG_AGO}", "") for name in names(folder)]


def operations(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "operations.jsonl").read_text().splitlines()]


class TestRetention:
    def test_nothing_is_done_that_was_not_shown_and_confirmed(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        """A file that became too old while the question stood was deleted with those that were shown."""
        aged(folder, 100, 80)
        old, young = names(folder)

        def answered_late(*_: object, **__: object) -> bool:
            late = time.time() - 95 * DAY
            os.utime(folder / young, (late, late))
            return True

        monkeypatch.setattr("metaexpert.cli.logs_retention.confirmed", answered_late)
        result = run("retention")
        assert result.exit_code == 3
        assert "1 file more would be compressed, archived or deleted by now: run it again" in result.stderr
        assert (old in names(folder), young in names(folder)) == (False, True)
        assert next(iter(operations(folder)[-1]["files"].values())).startswith("delete")
        run("retention")
        assert young not in names(folder)

    def test_what_was_confirmed_is_done_however_often_it_is_planned(self, folder: Path):
        aged(folder, 100, 40, 1)
        assert run("retention", "--yes").exit_code == 0
        assert len(names(folder / "archive")) == 1
        assert [name for name in there(folder) if name.endswith(".log")] == []

    def test_a_dry_run_says_what_would_be_done_and_why_and_changes_nothing(self, folder: Path):
        aged(folder, 100, 40, 1)
        before = there(folder)
        rows = json.loads(run("retention", "--dry-run", "--json").stdout)["files"]
        assert [(row["action"], row["reason"]) for row in rows] == [
            ("delete", "max_age: its last entry is older than 90 days"),
            ("compress, archive", "its last entry is older than 30 days"),
            ("compress", "it is finished"),
        ]
        assert rows[0]["bytes"] == len(content(1))
        text = run("retention", "--dry-run").stdout
        assert "older than 90 days" in text
        assert "4.9 KiB" in text
        assert there(folder) == before

    def test_it_is_done_once_it_is_confirmed_and_written_down(self, folder: Path):
        aged(folder, 100, 40, 1)
        refused = run("retention", answer="n\n")
        assert refused.exit_code == 3
        assert "Delete 1 file (4.9 KiB)?" in refused.stderr
        assert not (folder / "operations.jsonl").exists()
        done = run("retention", answer="y\n")
        assert done.exit_code == 0
        assert done.stderr.endswith("2 compressed, 1 archived, 1 deleted, 0 failed\n")
        assert there(folder) == ["archive", "expert.0003.log.gz", "operations.jsonl", "purged.records"]
        assert there(folder / "archive") == ["expert.0002.log.gz"]
        (line,) = operations(folder)
        assert line["command"] == "retention"
        assert next(iter(line["files"].values())).startswith("delete: max_age: ")

    def test_yes_answers_and_json_says_what_was_done(self, folder: Path):
        aged(folder, 100, 1)
        answer = json.loads(run("retention", "--yes", "--json").stdout)
        assert (answer["done"]["purged"], answer["done"]["packed"], answer["done"]["failures"]) == (1, 1, 0)
        again = json.loads(run("retention", "--json").stdout)
        assert (again["done"], [row["action"] for row in again["files"]]) == (None, ["keep"])

    def test_what_deletes_nothing_needs_no_answer(self, folder: Path):
        aged(folder, 1)
        assert run("retention").exit_code == 0
        assert "expert.0001.log.gz" in there(folder)

    def test_one_log_alone(self, folder: Path):
        aged(folder, 1)
        aged(folder, 1, log="errors.log")
        run("retention", "--log", "errors.log")
        assert {"errors.0001.log.gz", "expert.0001.log"} <= set(there(folder))
        unknown = run("retention", "--log", "nonsense.log")
        assert unknown.exit_code == 2
        assert "trades.log" in unknown.stderr

    def test_trades_stay_against_a_ceiling_and_it_says_so(self, folder: Path):
        (folder.parent / "metaexpert.toml").write_text(SETTINGS + "max_bytes = 10\n")
        aged(folder, 1000, log="trades.log")
        dry = run("retention", "--dry-run")
        assert dry.exit_code == 3
        assert "trades.log: max_bytes: finished files take more than 10 bytes, but 1 file" in dry.stderr
        assert "within its term (keep_for)" in dry.stdout
        assert run("retention", "--yes").exit_code == 3
        assert there(folder / "archive") == ["trades.0001.log.gz"]

    def test_files_that_are_written_are_told_and_stay(self, folder: Path):
        aged(folder, 100)
        path = next(folder.glob("*.log"))
        with path.open("ab") as writer:
            hold(writer.fileno())
            (row,) = json.loads(run("retention", "--yes", "--json").stdout)["files"]
        assert (row["action"], row["reason"]) == ("keep", "it is being written")

    def test_a_process_at_it_is_told(self, folder: Path):
        aged(folder, 1)
        lock = OwnerLock.acquire(folder / LOCK_FILE)
        assert lock is not None
        busy = run("retention")
        lock.release(delete=True)
        assert busy.exit_code == 4
        assert "another process keeps the files" in busy.stderr

    def test_a_fault_is_told_with_its_status(self, folder: Path):
        aged(folder, 100)
        (folder / "purged.records").mkdir()
        done = run("retention", "--yes")
        assert done.exit_code == 1
        assert "purged.records" in done.stderr or "directory" in done.stderr
        assert "1 failed" in done.stderr

    def test_without_an_audit_line_nothing_is_done(self, folder: Path):
        aged(folder, 100)
        (folder / "operations.jsonl").mkdir()
        assert run("retention", "--yes").exit_code == 1
        assert "expert.0001.log" in there(folder)

    def test_what_nobody_claims_in_a_shared_archive_is_adopted_on_demand(self, folder: Path):
        settings = SETTINGS.replace('folder = "archive"', 'folder = "../archive"')
        (folder.parent / "metaexpert.toml").write_text(settings)
        archive = folder.parent / "archive"
        aged(archive, 100, 95)
        aged(folder, 1)
        rows = json.loads(run("retention", "--dry-run", "--json").stdout)["files"]
        assert [(row["action"], row["reason"]) for row in rows[:2]] == [("keep", "nobody claims it (--adopt)")] * 2
        assert run("retention", "--adopt", answer="n\n").exit_code == 3
        assert len(there(archive)) == 2
        result = run("retention", "--adopt", "--yes", "--json")
        assert json.loads(result.stdout)["done"]["purged"] == 2
        assert there(archive) == []
        assert len(next(each for each in operations(folder) if each["command"] == "adopt")["files"]) == 2

    def test_nothing_there_is_no_fault(self, folder: Path):
        assert run("retention").exit_code == 0
        assert not folder.exists()


class TestHold:
    def test_it_is_placed_listed_heeded_and_released(self, folder: Path):
        aged(folder, 100)
        placed = run("hold", "add", "--reason", "case 7", "--actor", "counsel", "--log", "expert.log")
        hold_id = placed.stdout.strip()
        assert placed.exit_code == 0
        (row,) = json.loads(run("hold", "list", "--json").stdout)
        assert (row["id"], row["reason"], row["actor"], row["log"]) == (hold_id, "case 7", "counsel", "expert.log")
        assert "case 7" in run("hold", "list").stdout
        (row,) = json.loads(run("retention", "--dry-run", "--json").stdout)["files"]
        assert row["reason"].endswith(f"may not be deleted: hold {hold_id} (case 7)")
        assert run("retention", "--yes").exit_code == 3
        assert run("hold", "release", hold_id, "--reason", "closed", answer="n\n").exit_code == 3
        assert run("hold", "release", hold_id, "--reason", "closed", "--yes").stdout.strip() == hold_id
        assert run("retention", "--yes").exit_code == 0
        assert there(folder / "archive") == []
        assert [each["command"] for each in operations(folder)] == [
            "hold add",
            "retention",
            "hold release",
            "retention",
        ]
        assert run("hold", "list").stderr.strip() == "no holds"

    def test_a_time_range_is_utc(self, folder: Path):
        folder.mkdir()
        run("hold", "add", "--reason", "x", "--since", "2026-01-01", "--until", "2026-02-01T12:00")
        (placed,) = read_holds(folder).holds
        assert (placed.since, placed.until) == (
            datetime(2026, 1, 1, tzinfo=UTC).timestamp(),
            datetime(2026, 2, 1, 12, tzinfo=UTC).timestamp(),
        )
        assert "2026-01-01 00:00:00" in run("hold", "list").stdout

    @pytest.mark.parametrize(
        ("arguments", "status", "words"),
        [
            (["--reason", "x", "--since", "soon"], 2, "is no time"),
            ([], 2, "--reason"),
            (["--reason", " "], 1, "needs a reason"),
            (["--reason", "x", "--since", "2026-02-01", "--until", "2026-01-01"], 1, "must not end before it begins"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, folder: Path, arguments: list[str], status: int, words: str):
        refused = run("hold", "add", *arguments)
        assert refused.exit_code == status
        assert words in refused.stderr
        assert not (folder / HOLDS_FILE).exists()

    def test_a_damaged_list_is_told_by_all_three(self, folder: Path):
        folder.mkdir()
        (folder / HOLDS_FILE).write_text("{")
        for arguments in (["list"], ["add", "--reason", "x"], ["release", "1", "--reason", "x"]):
            told = run("hold", *arguments)
            assert told.exit_code == 1
            assert "cannot be read" in told.stderr

    @pytest.mark.usefixtures("folder")
    def test_an_unknown_hold_is_told_with_those_there_are(self):
        known = run("hold", "add", "--reason", "x").stdout.strip()
        told = run("hold", "release", "nonsense", "--reason", "x", "--yes")
        assert told.exit_code == 1
        assert known in told.stderr


class TestRestore:
    def test_archived_logs_come_back(self, folder: Path):
        aged(folder, 50, 40, 1)
        run("retention")
        done = run("restore", "--to", "review")
        paths = [Path(line) for line in done.stdout.splitlines()]
        assert done.exit_code == 0
        assert [path.read_bytes() for path in paths] == [content(number) for number in (1, 2, 3)]
        assert "3 files (14.7 KiB) in review" in done.stderr
        assert there(folder / "archive") == ["expert.0001.log.gz", "expert.0002.log.gz"]
        assert operations(folder)[-1]["to"] == "review"
        assert run("retention").exit_code == 0, "copies are no logs"
        assert all(path.exists() for path in paths)

    def test_log_and_time_choose(self, folder: Path):
        aged(folder, 50, 40)
        aged(folder, 45, log="errors.log")
        run("retention")
        rows = [
            json.loads(line) for line in run("restore", "--to", "a", "--since", "42d", "--json").stdout.splitlines()
        ]
        assert [Path(row["path"]).name.partition(".")[0] for row in rows] == ["expert"]
        assert rows[0]["was_there"] is False
        assert len(run("restore", "--to", "b", "--log", "errors.log").stdout.splitlines()) == 1

    def test_nothing_to_restore_is_a_status(self, folder: Path):
        aged(folder, 1)
        assert run("restore", "--to", "review").exit_code == 3
        assert not Path("review").exists()

    def test_a_log_folder_is_refused(self, folder: Path):
        aged(folder, 50)
        run("retention")
        refused = run("restore", "--to", "logs/archive")
        assert refused.exit_code == 1
        assert "a folder of its own" in refused.stderr

    def test_a_damaged_file_is_told_and_the_others_come(self, folder: Path):
        aged(folder, 50, 40)
        run("retention")
        damaged = min((folder / "archive").iterdir())
        damaged.write_bytes(damaged.read_bytes()[:-10])
        done = run("restore", "--to", "review")
        assert done.exit_code == 1
        assert f"{damaged.name} is damaged" in done.stderr
        assert "1 could not be restored" in done.stderr
        assert there(Path("review")) == ["expert.0002.log"]
