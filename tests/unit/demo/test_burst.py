"""The burst logs what it was asked for, and waits for a way in that fills."""

import asyncio

from support.eventually import eventually
from support.running_logger import logging_to

from metaexpert.demo.burst import burst
from metaexpert.logger import MemoryOptions


async def test_it_waits_while_too_many_wait_already_and_then_logs_them_all():
    waiting = 50_000
    async with logging_to(MemoryOptions()) as runtime:
        bursting = asyncio.create_task(burst(1000, lambda: looked.append(1) or waiting))
        looked: list[int] = []
        await eventually(lambda: len(looked) > 20)
        assert runtime.stats().ingress.accepted == 0
        waiting = 0
        await bursting
        await runtime.flush()
        assert runtime.stats().ingress.accepted == 1000
