"""What the journal's files say of the run they belong to."""

import time
from collections.abc import Iterable

from metaexpert.logger.identity import Identity
from metaexpert.logger.journal.medium import machine_start
from metaexpert.logger.segment import MIXED_LANES, Kind, SegmentHeader


def new_header(kind: Kind, number: int, run: str, identity: Identity, sinks: Iterable[str]) -> SegmentHeader:
    """The header of a file made now.

    Args:
        kind: journal or recorder.
        number: its place in its series.
        run: names the run.
        identity: the process that writes.
        sinks: their names, in the order of the bits of marks.
    """
    meta = {
        "run": run,
        "service": identity.service,
        "boot_id": identity.boot_id,
        "pid": identity.pid,
        "host": identity.host,
        "machine_start": machine_start(),
        "sinks": list(sinks),
    }
    return SegmentHeader(kind=kind, lane=MIXED_LANES, created_ns=time.time_ns(), number=number, meta=meta)
