"""The tallies of kills and outages, shown at the end of the run whether or not they were good."""

from collections.abc import Callable, Generator, Iterable

import pytest
from support.closing_words import closing_words

from soak.chains import Verdict

_HEADING = "durability"
_KILLED = pytest.StashKey[Verdict]()


@pytest.fixture
def killed(request: pytest.FixtureRequest) -> Generator[Verdict]:
    """What came of all kills of the session."""
    verdict = request.config.stash.setdefault(_KILLED, Verdict())
    yield verdict
    if verdict.kills:
        closing_words(request.config, _HEADING)["kills"] = str(verdict)


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a line about an outage to show at the end of the run."""
    lines = closing_words(request.config, _HEADING)
    return lambda line: lines.update({line: f"outage: {line}"})


@pytest.fixture(scope="session")
def kill_matrix(request: pytest.FixtureRequest) -> Callable[[Iterable[str]], None]:
    """Takes the lines of the kill matrix of log files, to show at the end of the run."""
    lines = closing_words(request.config, _HEADING)
    return lambda matrix: lines.update({f"matrix {number}": line for number, line in enumerate(matrix)})
