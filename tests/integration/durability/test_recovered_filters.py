"""What a sink's filters keep from it is kept from it by a recovery, too."""

from pathlib import Path

from support.programs import run_program

SETTINGS = """
from metaexpert.logger import FieldConditionOptions, FileOptions, FilterOptions

filtered = FileOptions(
    name="partner",
    path="partner.log",
    filter=FilterOptions(exclude_fields=(FieldConditionOptions(name="secret_order", exists=True),)),
)
settings = dict(log_to_console=False, json_logging=True, sinks=[filtered])
"""

KILLED = (
    SETTINGS
    + """
async def main():
    runtime = setup_logging(LoggerConfig(**settings))
    log.error("for us", secret_order=7)
    log.error("for all")
    os.kill(os.getpid(), 9)  # before the dispatcher came to either

asyncio.run(main())
"""
)

NEXT = (
    SETTINGS
    + """
async def main():
    async with setup_logging(LoggerConfig(**settings)) as runtime:
        assert await runtime.flush()

asyncio.run(main())
"""
)


def test_an_entry_that_had_not_been_routed_is_filtered(tmp_path: Path):
    assert run_program(KILLED, tmp_path).returncode == -9
    ended = run_program(NEXT, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert [each for each in ended.messages() if each.startswith("for ")] == ["for us", "for all"]
    assert [each for each in ended.messages("partner.log") if each.startswith("for ")] == ["for all"]
