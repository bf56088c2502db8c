"""An expert in a process of its own: signals stop it in good order, and its exit status tells of them."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows delivers neither SIGINT nor SIGTERM to a child"
)

EXPERT = """
import asyncio, signal, sys, time
from decimal import Decimal
from metaexpert.core import MetaExpert, Tick
from metaexpert.logger import LoggerConfig, get_logger

log = get_logger("strategy")

class Endless:
    async def events(self):
        while True:
            yield Tick(exchange="x", symbol="BTCUSDT", kind="trade", time_ns=time.time_ns(), price=Decimal(5))
            await asyncio.sleep(0.01)

config = LoggerConfig(log_dir=sys.argv[1], log_level="DEBUG", json_logging=True, log_to_console=False)
expert = MetaExpert(feeds=[Endless()], logging=config)

@expert.on_tick
async def tick(tick):
    log.debug("tick")
    if expert.stats().ticks == 3:
        print("ready", flush=True)

@expert.on_deinit
async def deinit(reason):
    log.info("deinit", reason=reason)
    await asyncio.sleep(0.05)
    log.info("last words")
"""


def start(tmp_path: Path, more: str = "expert.run()") -> "subprocess.Popen[str]":
    script = tmp_path / "expert_script.py"
    script.write_text(EXPERT + textwrap.dedent(more))
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def logged(tmp_path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in (tmp_path / "expert.log").read_bytes().splitlines()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_and_is_its_exit_status(tmp_path: Path, number: signal.Signals):
    process = start(tmp_path)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -number, errors
    assert errors == ""
    entries = logged(tmp_path)
    assert [entry["message"] for entry in entries][-3:] == ["deinit", "last words", "expert stopped"]
    assert "signal" in str(entries[-1]["extra"])


def test_a_second_signal_ends_it_at_once(tmp_path: Path):
    process = start(
        tmp_path,
        """
        @expert.on_deinit
        async def dawdle(reason):
            print("dawdling", flush=True)
            await asyncio.sleep(600)

        expert.run()
        """,
    )
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "dawdling\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGTERM


def test_a_handler_that_was_there_before_is_called_too_and_keeps_its_say(tmp_path: Path):
    """Somebody else decides what the signal means for the process: it is not repeated after the clean-up."""
    process = start(
        tmp_path,
        """
        signal.signal(signal.SIGTERM, lambda number, frame: print("mine", flush=True))
        expert.run()
        print("after", signal.getsignal(signal.SIGTERM).__name__, flush=True)
        """,
    )
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert output.split() == ["mine", "after", "<lambda>"]
    assert logged(tmp_path)[-1]["message"] == "expert stopped"


def test_an_ignored_signal_stays_ignored(tmp_path: Path):
    process = start(
        tmp_path,
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        expert.run()
        """,
    )
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGTERM


def test_blocking_code_hears_of_the_signal_without_the_loop(tmp_path: Path):
    """A handler that blocks the loop for ever can still be ended: by the second signal, at once."""
    process = start(
        tmp_path,
        """
        @expert.on_tick
        def block(tick):
            if expert.stats().ticks > 3:
                print("blocking", flush=True)
                while True:
                    time.sleep(0.01)

        expert.run()
        """,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "blocking\n"
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGINT


def test_within_a_running_loop_an_interrupt_stops_it_and_cancels_the_main_task(tmp_path: Path):
    process = start(tmp_path, "asyncio.run(expert.run_async())")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGINT
    assert [entry["message"] for entry in logged(tmp_path)][-3:] == ["deinit", "last words", "expert stopped"]


def test_a_failing_init_is_the_processs_exit_status(tmp_path: Path):
    script = tmp_path / "failing.py"
    script.write_text(EXPERT + '@expert.on_init\ndef fail():\n    raise RuntimeError("no keys")\nexpert.run()\n')
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1
    assert "RuntimeError: no keys" in done.stderr
    assert [entry["message"] for entry in logged(tmp_path)] == [
        "expert failed",
        "deinit",
        "last words",
        "expert stopped",
    ]


async def test_the_example_exits_by_itself(tmp_path: Path):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples" / "expert.py"),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0
