"""Log files through their whole life: rotated, chained, compressed, archived, deleted, restored, proven all the way."""

from pathlib import Path

import pytest
from support.eventually import eventually
from typer.testing import CliRunner

from metaexpert.cli.app import app
from metaexpert.logger import LoggerConfig, LoggingRuntime, get_logger
from metaexpert.logger.files.reader import Reader
from metaexpert.logger.files.reading.sources import sources_in

ENTRIES = 400
KEPT = 4


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_what_is_kept_is_intact_and_what_went_is_accounted_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str
):
    monkeypatch.chdir(tmp_path)
    settings = (
        "[logger]\nlog_to_console = false\njson_logging = true\nmax_bytes = 4000\nbackup_count = 100\n"
        f'compression = "{compression}"\ntamper_evidence = {{}}\narchive = {{ folder = "archive" }}\n'
        f"retention = {{ max_files = {KEPT} }}\n"
    )
    Path("metaexpert.toml").write_text(settings)  # noqa: ASYNC240 - a test may block for a moment
    log = get_logger("kept")
    async with LoggingRuntime(LoggerConfig.load()) as runtime:
        for number in range(ENTRIES):
            log.info("entry %d", number)
            if number % 5 == 0:
                await runtime.flush()

        def is_kept() -> bool:
            kept = runtime.stats().housekeeping
            return kept is not None and kept.purged > 0 and kept.archived >= KEPT

        await eventually(is_kept, 30.0)
    kept, verified = run("retention", "--yes"), run("verify")
    assert kept[0] == 0, kept
    assert verified[0] == 0, verified
    assert "no tampering found" in verified[1]
    found = messages("logs", "logs/archive")
    assert found == [f"entry {number}" for number in range(ENTRIES - len(found), ENTRIES)], "the newest, in order"
    status, copies = run("restore", "--to", "review")
    assert status == 0
    assert len([line for line in copies.splitlines() if line.endswith(".log")]) == KEPT
    assert set(messages("review")) < set(found)


def messages(*folders: str) -> list[str]:
    """Our entries in folders, in order."""
    entries = Reader(sources_in(map(Path, folders)))
    return [entry.message for entry in entries if entry.logger == "kept"]


def run(*arguments: str) -> tuple[int, str]:
    """A command's status, and what it printed."""
    result = CliRunner().invoke(app, ["logs", *arguments])
    return result.exit_code, result.stdout
