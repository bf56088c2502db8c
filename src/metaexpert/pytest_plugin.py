"""The pytest fixture `log_entries`: what the test logged, in any thread, without any setup.

pytest loads this at its start wherever the package is installed, so nothing is imported before a test asks for the
fixture.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metaexpert.logger.testing import RecordedEntries


@pytest.fixture
def log_entries() -> "Iterator[RecordedEntries]":
    """The entries logged during this test so far, decoded; see `metaexpert.logger.testing.Entries`."""
    from metaexpert.logger.testing.recorder import recorded_entries  # noqa: PLC0415 - see the module

    with recorded_entries() as entries:
        yield entries
