"""From options to rules, and what is found on disk of a log."""

from pathlib import Path
from typing import Any

import pytest
from support.log_files import BEGAN_AT, written

from metaexpert.logger import FileOptions, LoggerConfig
from metaexpert.logger.files.keeping.kept_logs import KeptLog, found, kept_logs, rules_of, same_contents
from metaexpert.logger.files.keeping.retention import Rules
from metaexpert.logger.files.names import Run
from metaexpert.logger.options.keeping import TRADE_TERM_SECONDS

DAY = 86_400.0


def options(**more: Any) -> FileOptions:
    return FileOptions(**{"path": Path("expert.log"), **more})


class TestRules:
    def test_backup_count_holds_that_many_files_of_max_bytes(self):
        assert rules_of(options(max_bytes=1000, backup_count=5)).folder_bytes == 5000
        assert rules_of(options(max_bytes=0, backup_count=5)).folder_bytes is None
        assert rules_of(options(max_bytes=1000, backup_count=0)).folder_bytes is None

    @pytest.mark.parametrize("log_types", [("trade",), ("audit",), ("trade", "audit")])
    def test_a_log_of_trade_and_audit_entries_alone_has_a_term_and_no_backup_count(self, log_types: tuple[str, ...]):
        rules = rules_of(options(log_types=log_types))
        assert (rules.keep_for_seconds, rules.folder_bytes) == (TRADE_TERM_SECONDS, None)
        assert rules_of(options(log_types=(*log_types, "general"))).keep_for_seconds == 0.0
        assert rules_of(options(log_types=log_types, retention={"keep_for": 0})).keep_for_seconds == 0.0

    def test_an_age_never_ends_before_the_term(self):
        rules = rules_of(options(log_types=("trade",), retention={"max_age": "90d"}))
        assert rules.max_age_seconds == TRADE_TERM_SECONDS
        assert rules_of(options(retention={"max_age": "90d"})).max_age_seconds == 90 * DAY

    def test_the_rest_is_as_it_is_given(self):
        given = options(
            compression="zstd",
            compress_after="1h",
            archive={"folder": "old", "after": "30d"},
            retention={"max_files": 7, "max_bytes": 8, "min_free_bytes": 9, "keep_for": "2d"},
            backup_count=0,
        )
        assert rules_of(given) == Rules(
            packing=".zst",
            pack_after_seconds=3600.0,
            archive_after_seconds=30 * DAY,
            max_files=7,
            max_bytes=8,
            min_free_bytes=9,
            keep_for_seconds=2 * DAY,
        )

    def test_the_flat_fields_are_those_of_the_three_files(self):
        config = LoggerConfig(
            log_dir=Path("there"),
            compression="gzip",
            archive={"folder": "old"},
            retention={"max_age": "90d"},
            log_trade_keep_for="100d",
            log_to_console=False,
        )
        main, trades, errors = kept_logs(config)
        assert [each.path for each in (main, trades, errors)] == [
            Path("there/expert.log"),
            Path("there/trades.log"),
            Path("there/errors.log"),
        ]
        assert {each.archive for each in (main, trades, errors)} == {Path("there/old")}
        assert {each.rules.packing for each in (main, trades, errors)} == {".gz"}
        assert [each.rules.keep_for_seconds for each in (main, trades, errors)] == [0.0, 100 * DAY, 0.0]
        assert [each.rules.max_age_seconds for each in (main, trades, errors)] == [90 * DAY, 100 * DAY, 90 * DAY]

    def test_without_options_trades_are_kept_for_five_years(self):
        _, trades, _ = kept_logs(LoggerConfig(log_to_console=False))
        assert trades.rules.keep_for_seconds >= 5 * 365 * DAY


class TestFound:
    def test_the_times_of_entries_come_from_names_and_the_files_around(self, tmp_path: Path):
        log = tmp_path / "expert.log"
        run = Run("20260101T000000Z", 1, "aaaaaa")
        start = run.started_at.timestamp()
        for number in (1, 2, 3):
            written(log, number, run=run, at=start + number * DAY)
        spans = [
            (each.began_at, each.last_at) for each in sorted(found(KeptLog(log, Rules())), key=lambda each: each.file)
        ]
        assert spans == [(0.0, start + DAY), (0.0, start + 2 * DAY), (start + DAY, start + 3 * DAY)]

    def test_what_stands_twice_is_seen_together(self, tmp_path: Path):
        log = tmp_path / "logs" / "expert.log"
        file = written(log)
        written(log, 2)
        file.packed(".gz").path.write_bytes(b"")
        archived = file.within(tmp_path / "old").packed(".gz")
        archived.folder.mkdir()
        archived.path.write_bytes(b"")
        kept = found(KeptLog(log, Rules(), tmp_path / "old"))
        (group,) = same_contents(kept)
        assert {each.file for each in group} == {file, file.packed(".gz"), archived}
        assert [each.is_archived for each in kept if each.file == archived] == [True]

    def test_a_folder_that_is_not_there_has_no_files(self, tmp_path: Path):
        assert found(KeptLog(tmp_path / "none" / "expert.log", Rules(), tmp_path / "old")) == []

    def test_sizes_count_the_chain(self, tmp_path: Path):
        log = tmp_path / "expert.log"
        written(log, data=b"12345", chain=b"123", at=BEGAN_AT)
        (kept,) = found(KeptLog(log, Rules()))
        assert (kept.size_bytes, kept.modified_at, kept.is_written, kept.frees_log_disk) == (8, BEGAN_AT, False, True)
