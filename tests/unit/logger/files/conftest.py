"""What tests of log files share."""

from collections.abc import AsyncIterator

import pytest_asyncio

from metaexpert.logger.jobs import Jobs, Worker


@pytest_asyncio.fixture
async def worker() -> AsyncIterator[Worker]:
    """The thread of a log's writes."""
    under_test = Worker(Jobs(), "files")
    yield under_test
    under_test.close()
