"""What every test run shares."""

import gc
from collections.abc import Generator
from typing import Any

import pytest
from support.closing_words import pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown
from support.spreading import ByFile, sendable

from metaexpert.logger.port import port

__all__ = ["pytest_sessionfinish", "pytest_terminal_summary", "pytest_testnodedown"]


@pytest.fixture(autouse=True, scope="module")
def garbage_is_looked_for_in_what_this_file_makes() -> None:
    """The tests and reports of a run live as long as it; to look at all of them whenever a test asks takes minutes."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_waits_from_other_tests() -> None:
    """What another test logged without a running pipeline reaches no sink of this one."""
    if not port.attached:
        port.disconnect()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave soak tests out unless `-m` speaks of them, whatever else it selects."""
    if "soak" in config.option.markexpr:
        return
    soaks = [item for item in items if item.get_closest_marker("soak")]
    if soaks:
        config.hook.pytest_deselected(items=soaks)
        items[:] = [item for item in items if item not in soaks]


def pytest_unconfigure() -> None:
    """At the end all may be looked at again: extension modules tell of what is never let go."""
    gc.unfreeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several processes run tests, each takes whole files."""
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
    """Called where a report goes to another process."""
    return sendable((yield))
