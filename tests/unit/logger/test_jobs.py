"""Jobs run in threads of their own, are counted while they run, and carry the mark of the pipeline's own work.

Their executor keeps the promises of every executor but one: its thread keeps no process from ending.
"""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError

import pytest

from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.jobs import DaemonExecutor, Jobs, Worker


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def worker(jobs: Jobs) -> Iterator[Worker]:
    under_test = Worker(jobs, "test")
    yield under_test
    under_test.close()


async def test_a_job_runs_in_a_named_thread_of_its_own(worker: Worker):
    name = await worker.run(lambda: threading.current_thread().name)
    assert name.startswith("metaexpert-test")


async def test_arguments_and_result_pass_through(worker: Worker):
    assert await worker.run(sorted, [3, 1, 2], reverse=True) == [3, 2, 1]


async def test_an_exception_reaches_the_caller_and_the_count_goes_back(worker: Worker, jobs: Jobs):
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert jobs.pending == 0


async def test_jobs_of_one_worker_run_one_after_the_other(worker: Worker):
    order: list[int] = []
    await asyncio.gather(*(worker.run(order.append, number) for number in range(20)))
    assert order == list(range(20))


async def test_a_job_is_counted_while_it_runs(worker: Worker, jobs: Jobs):
    release = threading.Event()
    job = asyncio.create_task(worker.run(release.wait, 10.0))
    await asyncio.sleep(0)
    assert jobs.pending == 1
    release.set()
    assert await job
    assert jobs.pending == 0


async def test_waiting_for_a_job_ends_with_the_job(worker: Worker, jobs: Jobs):
    release = threading.Event()
    job = asyncio.create_task(worker.run(release.wait, 10.0))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(jobs.wait_one(10.0))
    await asyncio.sleep(0)
    release.set()
    await asyncio.wait_for(waiting, 5.0)
    await job


async def test_waiting_for_a_job_ends_with_the_time(jobs: Jobs):
    started = time.monotonic()
    with jobs.running():
        await jobs.wait_one(0.01)
    assert time.monotonic() - started < 5.0


async def test_a_cancelled_job_is_counted_no_longer(worker: Worker, jobs: Jobs):
    release = threading.Event()
    job = asyncio.create_task(worker.run(release.wait, 10.0))
    await asyncio.sleep(0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert jobs.pending == 0
    release.set()


async def test_the_mark_of_the_pipeline_reaches_the_thread(worker: Worker):
    token = current_fields.set(PIPELINE)
    try:
        assert await worker.run(current_fields.get) is PIPELINE
    finally:
        current_fields.reset(token)


HANGING = """
import asyncio, sys, threading
from metaexpert.logger.jobs import Jobs, Worker

worker = Worker(Jobs(), "stuck")

begun = threading.Event()

def hang():
    begun.set()
    threading.Event().wait()

async def main():
    job = asyncio.create_task(worker.run(hang))
    waiting = asyncio.create_task(worker.run(print, "never"))
    while not (worker.jobs.pending == 2 and begun.is_set()):
        await asyncio.sleep(0.001)
    worker.close()
    job.cancel()
    await asyncio.gather(job, waiting, return_exceptions=True)

asyncio.run(main())
print("ended")
"""


class TestExecutor:
    SECONDS = 20.0

    @pytest.fixture
    def executor(self) -> Iterator[DaemonExecutor]:
        under_test = DaemonExecutor("metaexpert-test")
        yield under_test
        under_test.shutdown()

    @pytest.fixture
    def gate(self) -> Iterator[threading.Event]:
        """Jobs wait for it; opened at the end in any case."""
        opened = threading.Event()
        yield opened
        opened.set()

    def test_one_thread_of_its_name_runs_all_jobs_in_order(self, executor: DaemonExecutor):
        def job(number: int) -> tuple[int, threading.Thread]:
            ran.append(number)
            return number, threading.current_thread()

        ran: list[int] = []
        results = [future.result(self.SECONDS) for future in [executor.submit(job, number) for number in range(500)]]
        assert [number for number, _ in results] == ran == list(range(500))
        (thread,) = {thread for _, thread in results}
        assert (thread.name, thread.daemon) == ("metaexpert-test", True)

    def test_no_thread_before_the_first_job(self):
        before = threading.active_count()
        executor = DaemonExecutor("metaexpert-idle")
        assert threading.active_count() == before
        executor.shutdown()
        assert threading.active_count() == before

    @pytest.mark.parametrize("error", [ValueError("a fault"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
    def test_an_exception_goes_to_whoever_awaits_and_the_next_job_runs(
        self, executor: DaemonExecutor, error: BaseException
    ):
        def fail() -> None:
            raise error

        failed, next_one = executor.submit(fail), executor.submit(int, "7")
        assert failed.exception(self.SECONDS) is error
        assert next_one.result(self.SECONDS) == 7

    def test_a_job_after_the_shutdown_is_refused(self, executor: DaemonExecutor):
        assert executor.submit(int, "7").result(self.SECONDS) == 7
        executor.shutdown()
        with pytest.raises(RuntimeError, match="metaexpert-test has ended"):
            executor.submit(int, "8")

    def test_a_shutdown_without_any_job_refuses_too(self):
        executor = DaemonExecutor("metaexpert-idle")
        executor.shutdown()
        with pytest.raises(RuntimeError, match="metaexpert-idle has ended"):
            executor.submit(int, "8")

    def test_a_shutdown_that_waits_lets_every_job_run_and_the_thread_end(self):
        with DaemonExecutor("metaexpert-test") as executor:
            thread = executor.submit(threading.current_thread).result(self.SECONDS)
            futures = [executor.submit(pow, number, 2) for number in range(100)]
        assert [future.result(0) for future in futures] == [number**2 for number in range(100)]
        assert not thread.is_alive()

    def test_a_shutdown_that_does_not_wait_leaves_the_jobs_running(
        self, executor: DaemonExecutor, gate: threading.Event
    ):
        running, waiting = executor.submit(gate.wait), executor.submit(int, "7")
        executor.shutdown(wait=False)
        assert not running.done()
        gate.set()
        assert running.result(self.SECONDS)
        assert waiting.result(self.SECONDS) == 7

    def test_cancelling_cancels_those_that_wait_and_not_the_one_that_runs(
        self, executor: DaemonExecutor, gate: threading.Event
    ):
        started = threading.Event()

        def job() -> bool:
            started.set()
            return gate.wait(self.SECONDS)

        ran: list[int] = []
        running = executor.submit(job)
        waiting = [executor.submit(ran.append, number) for number in range(10)]
        assert started.wait(self.SECONDS)
        executor.shutdown(wait=False, cancel_futures=True)
        assert all(future.cancelled() for future in waiting)
        gate.set()
        assert running.result(self.SECONDS)
        executor.shutdown()
        assert ran == []
        with pytest.raises(CancelledError):
            waiting[0].result(0)

    def test_a_job_cancelled_before_its_turn_never_runs(self, executor: DaemonExecutor, gate: threading.Event):
        ran: list[int] = []
        executor.submit(gate.wait)
        cancelled, last = executor.submit(ran.append, 1), executor.submit(ran.append, 2)
        assert cancelled.cancel()
        gate.set()
        last.result(self.SECONDS)
        assert ran == [2]

    def test_shutting_down_twice_does_nothing_more(self, executor: DaemonExecutor):
        thread = executor.submit(threading.current_thread).result(self.SECONDS)
        executor.shutdown(wait=False)
        executor.shutdown(cancel_futures=True)
        assert not thread.is_alive()

    def test_after_its_thread_could_not_be_started_the_next_job_starts_it(
        self, executor: DaemonExecutor, monkeypatch: pytest.MonkeyPatch
    ):
        def refused(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refused)
            for _ in range(2):
                with pytest.raises(RuntimeError, match="can't start new thread"):
                    executor.submit(int, "7")
        assert executor.submit(int, "8").result(self.SECONDS) == 8

    def test_a_job_that_hangs_keeps_no_process_from_ending(self):
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", HANGING], capture_output=True, text=True, timeout=30, check=False
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ended\n", "")
