"""What every test run shares."""

import pytest

from metaexpert.logger.port import port


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
