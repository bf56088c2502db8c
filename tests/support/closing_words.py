"""What tests have to say at the end of a run, whether or not they were good; gathered where several processes run them.

Its hooks are those of tests/conftest.py: the process that starts the others loads no other one.
"""

from typing import Any

import pytest

_WORDS = pytest.StashKey[dict[str, dict[str, str]]]()
_SENT = "closing_words"


def closing_words(config: pytest.Config, heading: str) -> dict[str, str]:
    """The lines under a heading, each by a name of its own; what is put there is shown."""
    return config.stash.setdefault(_WORDS, {}).setdefault(heading, {})


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over to the process that started this one, where one has."""
    sent: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if sent is not None:
        sent[_SENT] = session.config.stash.get(_WORDS, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a process that ran tests has to say; one that died says nothing."""
    for heading, lines in getattr(node, "workeroutput", {}).get(_SENT, {}).items():
        closing_words(node.config, heading).update(lines)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show it."""
    for heading, lines in sorted(config.stash.get(_WORDS, {}).items()):
        terminalreporter.section(heading)
        for line in lines.values():
            terminalreporter.write_line(line)
