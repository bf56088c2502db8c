"""What the pipeline said on stderr, read once all of it is written: reading while a thread writes loses lines."""

import threading

import pytest
from support.eventually import eventually


def notices_under_way() -> bool:
    """Whether a thread still writes notices."""
    return any(thread.name == "metaexpert-notice" for thread in threading.enumerate())


async def told(captured: pytest.CaptureFixture[str]) -> str:
    """Everything on stderr since it was last read, after whatever had to be said has been written."""
    await eventually(lambda: not notices_under_way(), what="the notices are written")
    return captured.readouterr().err
