"""Text that a recovery wrote again, after a kill and a start of the machine: each way of reading shows it once."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from support.programs import run_program
from typer.testing import CliRunner

from metaexpert.cli.app import app
from metaexpert.logger.files.reader import Query, Reader, follow, last, sources_in

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")

ENTRIES = 20

SETTINGS = "settings = dict(log_to_console=False, json_logging=False)\n"

KILLED = (
    SETTINGS
    + f"""
async def main():
    runtime = setup_logging(LoggerConfig(**settings))
    for number in range({ENTRIES}):
        log.error("failed %d", number, number=number)
        log.trade.fee_charged(fee="0.1", fee_asset="USDT", number={ENTRIES} + number)
        log.info("between")
    assert await runtime.flush()
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
)

NEXT = (
    SETTINGS
    + """
from metaexpert.logger.journal import leftovers

leftovers.machine_start = lambda: "another start of the machine"  # no mark of what was written is believed then

async def main():
    async with setup_logging(LoggerConfig(**settings)) as runtime:
        log.error("the last")
        assert await runtime.flush()

asyncio.run(main())
"""
)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recovered")
    assert run_program(KILLED, folder).returncode == -9
    ended = run_program(NEXT, folder)
    assert ended.returncode == 0, ended.stderr
    return folder / "logs"


def told(folder: Path, log: str | None = None, *, distinct: bool = True) -> Counter[object]:
    """The entries that tell which one they are, and how often each comes."""
    reading = Reader(sources_in([folder], log), distinct=distinct)
    return Counter(entry.value("number") for entry in reading if entry.value("number") is not None)


def test_recovery_did_write_them_again(logs: Path):
    assert told(logs, "expert", distinct=False) == dict.fromkeys(range(2 * ENTRIES), 2)


def test_the_reader_gives_each_once(logs: Path):
    assert told(logs) == dict.fromkeys(range(2 * ENTRIES), 1)


def test_so_do_the_last_ones_and_following(logs: Path):
    query = Query.parsed(level="ERROR")
    expected = [f"failed {number}" for number in range(ENTRIES)] + ["the last"]
    assert [entry.message for entry in last(sources_in([logs]), query, 1000)] == expected
    assert [entry.message for entry in last(sources_in([logs]), query, 5)] == expected[-5:]
    followed = follow([logs], query, count=1000, wait=lambda _: True)
    assert [entry.message for entry in followed] == expected


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["grep", "-c", "failed"], ENTRIES),
        (["trades", "--json"], 0),
        (["query", "SELECT count(*) AS n FROM logs WHERE message LIKE 'failed%'", "--csv"], ENTRIES),
        (["query", "SELECT count(*) AS n FROM trades", "--csv"], ENTRIES),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_and_the_commands(logs: Path, arguments: list[str], count: int):
    result = CliRunner().invoke(app, ["logs", *arguments, str(logs)])
    assert result.exit_code == 0, result.output
    if count:
        assert result.stdout.split()[-1] == str(count)
