"""A reload, a move and a stop that meet one another, or a loop that ends under them: each comes to its end."""

from pathlib import Path

from support.programs import run_program

MOVES_AMID_A_RELOAD = """
def once(number, delay):
    runtime = setup_logging(config(log_dir=f"logs/{number}"))
    log.info("before")
    new = config(log_dir=f"logs/{number}", log_level="INFO", backup_count=3)

    async def main():
        reloading = asyncio.create_task(runtime.reload(new))
        await asyncio.sleep(delay)
        await asyncio.gather(reloading, runtime.start())
        assert runtime.config.log_level == "INFO"
        log.info("after")
        assert await runtime.flush()
        await runtime.stop()

    asyncio.run(main())
    assert all(sink.ledger.balanced for sink in runtime.stats().sinks.values())
    assert logged(f"{number}/expert.log") == ["before", "after"], logged(f"{number}/expert.log")


for number, delay in enumerate([0, 0.0002, 0.001, 0.002, 0.003, 0.005]):
    once(number, delay)
"""

CLOSED_AS_ITS_LOOP_ENDS = """
refused = []


def close(runtime):
    try:
        runtime.close()
    except BaseException as error:
        refused.append(error)


async def main():
    runtime = setup_logging(config())
    for number in range(300):
        log.info("n %d", number)
    closing = threading.Thread(target=close, args=(runtime,))
    closing.start()
    time.sleep(0.1)  # the loop is busy, and then ends before it comes to the stop
    return closing, runtime


closing, runtime = asyncio.run(main())
closing.join()
assert refused == [], refused
assert all(sink.ledger.balanced for sink in runtime.stats().sinks.values())
assert logged() == [f"n {number}" for number in range(300)]
"""

CLOSED_AMID_A_STOP = """
async def begin():
    runtime = setup_logging(config())
    for number in range(5000):
        log.info("n %d", number)
    stopping = asyncio.create_task(runtime.stop())
    await asyncio.sleep(0)
    return runtime, stopping


loop = asyncio.new_event_loop()
runtime, stopping = loop.run_until_complete(begin())
loop.close()
runtime.close()
assert logged() == [f"n {number}" for number in range(5000)], len(logged())
assert runtime.stats().sinks["file"].ledger.balanced
os._exit(0)  # asyncio would tell of the stop it was left with
"""

CANCELLED_WITH_ALL_TASKS = """
async def main():
    with_files = config(sinks=[MemoryOptions(name="memory")])
    async with setup_logging(with_files) as runtime:
        for number in range(20):
            log.info("n %d", number)
            reloading = asyncio.create_task(runtime.reload(config(backup_count=number + 1)))
            await asyncio.sleep(number / 5000)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.wait([reloading])
        log.info("after")
        assert await runtime.flush()
    # a write that was cancelled with its reload is made again
    assert list(dict.fromkeys(logged())) == [*(f"n {number}" for number in range(20)), "after"], logged()


asyncio.run(main())
"""


def test_a_move_waits_for_a_reload(tmp_path: Path) -> None:
    run_program(MOVES_AMID_A_RELOAD, tmp_path).well()


def test_closed_by_another_thread_as_its_loop_ends(tmp_path: Path) -> None:
    run_program(CLOSED_AS_ITS_LOOP_ENDS, tmp_path).well()


def test_a_reload_cancelled_with_all_tasks_leaves_no_sink_without_its_worker(tmp_path: Path) -> None:
    run_program(CANCELLED_WITH_ALL_TASKS, tmp_path).well()


def test_a_stop_whose_loop_is_closed_is_made_elsewhere(tmp_path: Path) -> None:
    run_program(CLOSED_AMID_A_STOP, tmp_path).well()
