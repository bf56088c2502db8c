"""Jobs run in threads of their own, are counted while they run, and carry the mark of the pipeline's own work."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.jobs import Jobs, Worker


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
