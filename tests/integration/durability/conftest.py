"""The tallies of kills and outages, shown at the end of the run whether or not they were good."""

import pytest

from soak.chains import Verdict

_KILLED = pytest.StashKey[Verdict]()
_OUTAGES = pytest.StashKey[list[str]]()
_MATRIX = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_KILLED] = Verdict()
    config.stash[_OUTAGES] = []
    config.stash[_MATRIX] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was killed, and what was there afterwards."""
    killed, outages = config.stash.get(_KILLED, Verdict()), config.stash.get(_OUTAGES, [])
    matrix = config.stash.get(_MATRIX, [])
    if killed.kills or outages or matrix:
        terminalreporter.section("durability")
    if killed.kills:
        terminalreporter.write_line(str(killed))
    for line in outages:
        terminalreporter.write_line(f"outage: {line}")
    for line in matrix:
        terminalreporter.write_line(line)


@pytest.fixture
def killed(request: pytest.FixtureRequest) -> Verdict:
    """What came of all kills of the session."""
    return request.config.stash[_KILLED]


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> list[str]:
    """Lines about outages to show at the end of the run."""
    return request.config.stash[_OUTAGES]


@pytest.fixture(scope="session")
def kill_matrix(request: pytest.FixtureRequest) -> list[str]:
    """Lines of the kill matrix of log files, to show at the end of the run."""
    return request.config.stash[_MATRIX]
