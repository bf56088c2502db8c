"""All that is shown of the desk, in order; read back once the run has ended."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from metaexpert.demo.desk.desk import Desk
from metaexpert.demo.desk.figures import figures
from metaexpert.demo.desk.leaks import leaks
from metaexpert.demo.desk.orders import orders
from metaexpert.demo.desk.outage import outage
from metaexpert.demo.desk.refusal import refusal
from metaexpert.demo.desk.repeated import repeated
from metaexpert.demo.desk.told import order_report, read_entries, rows_of
from metaexpert.demo.desk.topic import Facts, Topic
from metaexpert.logger import LoggerConfig, RuntimeStats


async def topics_of(
    desk: Desk,
    config: LoggerConfig,
    stats: RuntimeStats,
    counts: Mapping[str, int],
    received: Mapping[str, Mapping[str, int]],
) -> Sequence[Topic]:
    """Read back what the desk left behind, and check it.

    Args:
        desk: As it was at the end of the run.
        config: What was logged to.
        stats: The runtime's final snapshot.
        counts: How the broker's orders ended.
        received: What collectors received of the secrets.
    """
    await desk.look()
    facts = await _facts(desk, config.log_dir, config.log_dir / config.log_file, stats, counts, received)
    return [topic(facts) for topic in (orders, refusal, repeated, outage, figures, leaks)]


async def _facts(  # noqa: PLR0917 - all that there is
    desk: Desk,
    folder: Path,
    log: Path,
    stats: RuntimeStats,
    counts: Mapping[str, int],
    received: Mapping[str, Mapping[str, int]],
) -> Facts:
    both = ("--order-id", desk.taken, "--order-id", desk.refused)
    entries, table, json = await asyncio.gather(
        asyncio.to_thread(read_entries, log),
        order_report(folder, "--table", *both),
        order_report(folder, "--json"),
    )
    lines = [line for line in json.text.splitlines() if f'"order_id":"{desk.taken}"' in line]
    return Facts(
        entries=entries,
        counts=counts,
        taken=desk.taken,
        refused=desk.refused,
        table=table,
        rows=rows_of(json),
        shown_json=lines[0] if lines else "",
        search=desk.search,
        received=received,
        stats=stats,
    )
