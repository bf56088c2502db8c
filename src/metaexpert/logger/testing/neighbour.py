"""A sink under test in a real runtime, beside one that must not notice."""

import time
from asyncio import sleep
from typing import Final

from metaexpert.logger import CustomOptions, LoggerConfig, LoggingRuntime, MemoryOptions, get_logger
from metaexpert.logger.testing.entries import memory_entries
from metaexpert.logger.testing.trial import Trial, require

_ENTRIES: Final = 50
_UNDER_TEST: Final = "under-test"
_NEIGHBOUR: Final = "neighbour"


async def outages_beside_a_neighbour(trial: Trial) -> None:
    """Log through every fault the harness knows, one after the other."""
    async with LoggingRuntime(_config(trial)) as runtime:
        await _log(trial, runtime)
        require(await runtime.flush(trial.patience_seconds), "flush failed although the destination works")
        for fault in sorted(trial.harness.faults):
            await trial.harness.begin(fault)
            await _log(trial, runtime)
            await trial.harness.recover()
            await _log(trial, runtime)
            flushed = await runtime.flush(trial.patience_seconds)
            last_error = runtime.stats().sinks[_UNDER_TEST].last_error
            require(flushed, f"flush failed after a destination that {fault.value} has recovered: {last_error}")
    ledger = runtime.stats().sinks[_UNDER_TEST].ledger
    require(ledger.balanced, f"the accounts do not balance: {ledger}")
    require(ledger.delivered + ledger.duplicate == ledger.routed, f"not all of it was delivered: {ledger}")
    await trial.require_stored("logged through a runtime")


def _config(trial: Trial) -> LoggerConfig:
    under_test = CustomOptions(
        name=_UNDER_TEST,
        new_sink=trial.harness.new_sink,
        batch_max_entries=40,
        backoff_first=0.02,
        backoff_max=0.1,
    )
    return LoggerConfig(
        log_name="conformance",
        log_level="DEBUG",
        log_to_console=False,
        log_to_file=False,
        sinks=(under_test, MemoryOptions(name=_NEIGHBOUR)),
    )


async def _log(trial: Trial, runtime: LoggingRuntime) -> None:
    """Log some entries, and wait until the neighbour has them."""
    log = get_logger("metaexpert.conformance")
    for _ in range(_ENTRIES):
        log.info(trial.next_message())
    deadline = time.monotonic() + trial.patience_seconds
    neighbour = memory_entries(runtime, _NEIGHBOUR)
    while len(neighbour.where(message=trial.mark)) < trial.count:
        require(time.monotonic() < deadline, "another sink of the same runtime does not get its entries in time")
        await sleep(0.01)
