"""How late the loop comes to a 1 ms heartbeat while a large file is rotated.

Ours alone. The file is filled through the logger, with large entries, to just below ``rotated_bytes``; then ordinary
entries come at 10 000 a second and take it past, so that a new file begins amid them. The worst beat within a quarter
of a second of that moment is told, and the worst of the seconds before, in which nothing is rotated. Both files are
read back: no ordinary entry is lost, and none is split.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

from bench.arrival import Arrivals, log_files
from bench.heartbeat import Heartbeat
from bench.measures.base import Case
from bench.measures.lag import STEADY_PER_SECOND
from bench.pacing import at_rate, settle_garbage
from bench.peers.base import FileTarget, Peer
from bench.reading import Reading
from bench.stats import percentile
from bench.workload import Emit, Log, emitter

LARGE_BYTES: Final = 4_000_000_000
"""The size that the specification names; a smaller file leaves no figure under its name."""
_FILLER: Final = "x" * 48_000
_FILLER_ENTRIES: Final = 10_000
_BEFORE_SECONDS: Final = 1.5
_STEP_SECONDS: Final = 0.5
_MOST_SECONDS: Final = 60.0
_LOG: Final = "peer.log"
_AROUND_NS: Final = 250_000_000
_ENTRY_BYTES: Final = 400
"""What an ordinary entry takes at most."""


async def rotation(case: Case) -> Reading:
    """Fill, rotate under load, and count."""
    # only the peer that is measured is imported
    from bench.peers.metaexpert_peer import MetaexpertPeer

    most_bytes = case.amounts.rotated_bytes
    # the large entries that fill the file need not be searched for secrets, which would take minutes
    peer = MetaexpertPeer(max_bytes=most_bytes, backup_count=2, redaction={"values": False})
    surface = await peer.open(FileTarget(case.folder))
    emit = emitter(surface.log, surface.style)
    await _fill(peer, surface.log, case.folder, most_bytes - int(_BEFORE_SECONDS * STEADY_PER_SECOND) * _ENTRY_BYTES)
    settle_garbage()
    with Heartbeat() as heartbeat:
        began_ns = time.monotonic_ns()
        logged = await _until_rotated(emit, case.folder)
        logged += (await at_rate(emit, logged, int(_STEP_SECONDS * STEADY_PER_SECOND), STEADY_PER_SECOND)).logged
    await peer.drain()
    claims = peer.claims()
    await peer.close()
    rotated_ns = (case.folder / _LOG).lstat().st_mtime_ns - time.time_ns() + time.monotonic_ns()
    figures = _figures(heartbeat, began_ns, rotated_ns, most_bytes)
    arrivals = await asyncio.to_thread(_counted, case.folder, logged)
    return Reading.of(figures, arrivals, claims)


async def _fill(peer: Peer, log: Log, folder: Path, until_bytes: int) -> None:
    """Log large entries until the file is of that size."""
    (file,) = log_files(folder) or await _first_file(peer, log, folder)
    while (missing := (until_bytes - file.stat().st_size) // len(_FILLER)) > 0:
        for _ in range(min(missing, _FILLER_ENTRIES)):
            log.info(_FILLER)
            await peer.ready(1)
        await peer.drain()


async def _first_file(peer: Peer, log: Log, folder: Path) -> list[Path]:
    log.info(_FILLER)
    await peer.drain()
    return log_files(folder)


async def _until_rotated(emit: Emit, folder: Path) -> int:
    """Log at the rate until there is a second file; returns how many were logged."""
    logged, count = 0, int(_STEP_SECONDS * STEADY_PER_SECOND)
    deadline_seconds = time.monotonic() + _MOST_SECONDS
    while len(log_files(folder)) < 2:
        if time.monotonic() > deadline_seconds:
            raise TimeoutError(f"nothing was rotated within {_MOST_SECONDS:.0f} s")
        logged += (await at_rate(emit, logged, count, STEADY_PER_SECOND)).logged
    return logged


def _figures(heartbeat: Heartbeat, began_ns: int, rotated_ns: int, most_bytes: int) -> dict[str, float]:
    around = heartbeat.between(rotated_ns - _AROUND_NS, rotated_ns + _AROUND_NS)
    calm = heartbeat.between(began_ns, rotated_ns - _AROUND_NS) or around
    figures = {
        "rotation_max_ms": around[-1] / 1e6,
        "rotation_p99_ms": percentile(around, 99) / 1e6,
        "calm_max_ms": calm[-1] / 1e6,
        "calm_p99_ms": percentile(calm, 99) / 1e6,
        "rotated_gb": most_bytes / 1e9,
    }
    if most_bytes >= LARGE_BYTES:
        figures["rotation_4_gb_max_ms"] = figures["rotation_max_ms"]
    return figures


def _counted(folder: Path, logged: int) -> Arrivals:
    """The ordinary entries in both files."""
    arrivals = Arrivals(logged)
    for path in log_files(folder):
        with path.open("rb") as file:
            for line in file:
                if len(line) < len(_FILLER):
                    arrivals.take_line(line)
    return arrivals
