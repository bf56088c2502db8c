"""Starts the logging processes of a soak; none outlives the block it was started in, nor a deadline."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
DEADLINE_SECONDS = 120.0
_POLL_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and what it said."""

    status: int
    stdout: bytes
    stderr: str


class Child:
    """A running process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ended = asyncio.create_task(self._end())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.done()

    def kill(self) -> None:
        """Kill it (SIGKILL); nothing where it has ended."""
        if self._process.returncode is None:
            self._process.kill()

    async def ended(self, seconds: float = DEADLINE_SECONDS) -> Ended:
        """Wait for its end.

        Raises:
            TimeoutError: it did not come; the process was killed.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(self._ended), seconds)
        except TimeoutError:
            self.kill()
            await self._ended
            raise

    async def until(self, condition: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> bool:
        """Wait until `condition` holds or the process has ended; whether it holds.

        Raises:
            TimeoutError: neither came.
        """
        async with asyncio.timeout(seconds):
            while not (holds := condition()) and self.is_running:  # noqa: ASYNC110 - it is memory that another process writes
                await asyncio.sleep(_POLL_SECONDS)
        return holds

    async def _end(self) -> Ended:
        stdout, stderr = await self._process.communicate()
        return Ended(self._process.returncode or 0, stdout, stderr.decode(errors="replace"))


@asynccontextmanager
async def started(module: str, plan: str) -> AsyncGenerator[Child]:
    """A process that runs `module` with its plan; killed at the block's end where it still runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("METAEXPERT_LOG_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent / "src")])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, plan, stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=PIPE, env=environment
    )
    child = Child(process)
    try:
        yield child
    finally:
        child.kill()
        await child.ended()
