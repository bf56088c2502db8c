"""What Python and asyncio say of errors nobody handled arrives in the pipeline: by the real thing."""

import asyncio
import gc
import sys
import threading
import time
import warnings
from typing import Any

import pytest
from support.eventually import eventually
from support.running_logger import logging_to

from metaexpert.logger import LoggingRuntime, MemoryOptions


async def entries(runtime: LoggingRuntime, logger: str) -> list[dict[str, Any]]:
    assert await runtime.flush()
    sink: Any = runtime.sinks["memory"]
    return [entry for entry in sink.entries if entry["logger"] == logger]


async def fail() -> None:
    raise ValueError("nobody asks")


async def forgotten() -> None:
    """A task whose exception nobody retrieves."""
    task = asyncio.create_task(fail(), name="forgotten")
    await asyncio.wait([task])
    del task
    gc.collect()


@pytest.mark.filterwarnings("default")
class TestAsyncio:
    async def test_a_task_whose_exception_was_never_retrieved(self):
        async with logging_to(MemoryOptions()) as runtime:
            await forgotten()
            (entry,) = await entries(runtime, "asyncio")
        assert entry["message"] == "Task exception was never retrieved"
        assert (entry["level"], entry["task"], entry["function"]) == ("ERROR", "forgotten", "fail")
        assert entry["exception"]["type"] == "ValueError"
        assert "fingerprint" in entry["exception"]
        assert "source_traceback" not in entry["extra"]

    async def test_in_debug_mode_it_says_where_the_task_was_made(self):
        asyncio.get_running_loop().set_debug(True)
        async with logging_to(MemoryOptions()) as runtime:
            await forgotten()
            (entry,) = [each for each in await entries(runtime, "asyncio") if "exception" in each]
        assert "in forgotten" in entry["extra"]["source_traceback"]

    async def test_a_callback_that_raises(self):
        async with logging_to(MemoryOptions()) as runtime:
            asyncio.get_running_loop().call_soon(lambda: 1 // 0)
            await asyncio.sleep(0)
            (entry,) = await entries(runtime, "asyncio")
        assert entry["exception"]["type"] == "ZeroDivisionError"
        assert "handle" in entry["extra"]

    async def test_a_slow_callback(self):
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        loop.slow_callback_duration = 0.001
        async with logging_to(MemoryOptions()) as runtime:

            def sleepy() -> None:
                time.sleep(0.02)

            loop.call_soon(sleepy)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            slow = [each for each in await entries(runtime, "asyncio") if "sleepy" in each["message"]]
        assert slow[0]["level"] == "WARNING"
        assert slow[0]["message"].startswith("Executing ")
        assert slow[0]["extra"]["took_seconds"] >= 0.02

    async def test_a_coroutine_that_was_never_awaited(self):
        async with logging_to(MemoryOptions()) as runtime:
            fail()  # pyright: ignore[reportUnusedCoroutine]
            gc.collect()
            found = await entries(runtime, "py.warnings")
        assert "never awaited" in found[0]["message"]
        assert found[0]["extra"]["category"] == "RuntimeWarning"


async def test_a_thread_that_ends_by_an_exception(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def run() -> None:
        raise LookupError("in a thread")

    async with logging_to(MemoryOptions()) as runtime:
        thread = threading.Thread(target=run, name="feed-reader")
        thread.start()
        await asyncio.to_thread(thread.join)
        (entry,) = await entries(runtime, "metaexpert.unhandled")
    assert (entry["level"], entry["extra"]["thread_name"]) == ("CRITICAL", "feed-reader")
    assert (entry["exception"]["type"], entry["function"]) == ("LookupError", "run")


async def test_one_that_python_cannot_raise(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

    class Bad:
        def __del__(self) -> None:
            raise LookupError("in a finalizer")

    async with logging_to(MemoryOptions()) as runtime:
        bad = Bad()
        del bad
        gc.collect()
        await eventually(lambda: runtime.stats().ingress.accepted > 0)
        (entry,) = await entries(runtime, "metaexpert.unhandled")
    assert entry["exception"]["message"] == "in a finalizer"
    assert "__del__" in entry["extra"]["object"]


@pytest.mark.filterwarnings("default")
async def test_a_warning():
    async with logging_to(MemoryOptions()) as runtime:
        warnings.warn("on its way out", DeprecationWarning, stacklevel=1)
        found = await entries(runtime, "py.warnings")
    assert (found[0]["message"], found[0]["extra"]["category"]) == ("on its way out", "DeprecationWarning")
