"""The journal where event loops come and go: closed under it, between two of them, blocked by who waits."""

from pathlib import Path

from support.programs import run_program


def test_who_waits_without_a_loop_is_answered_after_the_loop_was_closed(tmp_path: Path):
    code = """
    async def main():
        setup_logging(config())
        log.info("begun")

    run(main())
    receipt = log.error("after the loop")
    receipt.wait(30)
    """
    assert run_program(code, tmp_path).well().messages() == ["begun", "after the loop"]


def test_a_receipt_of_a_closed_loop_is_kept_though_nobody_logs_again(tmp_path: Path):
    code = """
    receipts = []

    async def main():
        setup_logging(config(journal={"fsync_interval": 60}))
        receipts.append(log.error("last words"))

    run(main())
    receipts[0].wait(30)
    """
    assert run_program(code, tmp_path).well().messages() == ["last words"]


def test_another_loop_may_await_what_a_closed_one_logged(tmp_path: Path):
    code = """
    receipts = []

    async def main():
        setup_logging(config(journal={"fsync_interval": 60}))
        receipts.append(log.error("last words"))

    async def later():
        async with asyncio.timeout(30):
            await receipts[0]

    run(main())
    run(later())
    """
    assert run_program(code, tmp_path).well().messages() == ["last words"]


def test_nothing_routed_on_the_next_loop_asks_the_closed_one(tmp_path: Path):
    code = """
    async def main():
        setup_logging(config())
        log.info("begun")

    run(main())
    for number in range(20):
        log.error("n %d", number)
    from metaexpert.logger import at_exit
    runtime = at_exit.remembered().runtime
    runtime.flush_sync(30)
    assert runtime.stats().dispatcher.faults == 0, runtime.stats()
    """
    assert run_program(code, tmp_path).well().messages() == ["begun", *(f"n {number}" for number in range(20))]
