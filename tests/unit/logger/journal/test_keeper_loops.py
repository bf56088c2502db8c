"""The journal's task on one loop after another: it asks no loop that it has left, and says when none hears it."""

import asyncio
from pathlib import Path

from support.fake_sinks import capture
from support.journals import journal_in, keeper_of

from metaexpert.logger.journal.keeper import JournalKeeper


async def _until_it_rests(keeper: JournalKeeper) -> None:
    running = asyncio.create_task(keeper.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_entries_routed_before_it_runs_on_the_next_loop_ask_no_closed_one(tmp_path: Path):
    journal = journal_in(tmp_path)
    keeper = keeper_of(journal)
    asyncio.run(_until_it_rests(keeper))
    journal.protect(capture(1, 40))
    journal.routed([capture(1, 40)], 1)  # the dispatcher of the next loop may be first
    journal.close()


def test_whoever_waits_while_no_loop_hears_it_is_told_of(tmp_path: Path):
    unheard: list[None] = []
    journal = journal_in(tmp_path)
    keeper = keeper_of(journal, lambda: unheard.append(None))
    asyncio.run(_until_it_rests(keeper))
    receipt = journal.protect(capture(1, 40))
    assert receipt is not None
    before = len(unheard)
    waiting = journal.when_synced(journal.begin_sync())
    assert len(unheard) == before + 1
    assert not waiting.done()
    journal.close()
    assert waiting.done()
