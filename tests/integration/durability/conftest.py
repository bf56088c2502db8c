"""The tallies of kills and outages, shown at the end of the run whether or not they were good."""

import pytest

_TALLY = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TALLY] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was killed, and what was there afterwards."""
    tally = config.stash.get(_TALLY, [])
    if tally:
        terminalreporter.section("durability")
        for line in tally:
            terminalreporter.write_line(line)


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> list[str]:
    """Lines to show at the end of the run."""
    return request.config.stash[_TALLY]
