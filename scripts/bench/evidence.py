"""What tamper evidence costs a file's thread for each entry and each rotation, and how fast logs are verified.

`PYTHONPATH=src .venv/bin/python scripts/bench/evidence.py [MiB]` prints them, without a key and with one: the quickest
of a few passes, and what a core's own time gives, which other work on the machine does not slow; and how long the write
takes that begins the next file, while the old one of 64 MiB goes to the disk.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from metaexpert.logger.files.evidence.chain import Chain
from metaexpert.logger.files.evidence.chain_keys import new_secret
from metaexpert.logger.files.evidence.verify import verify
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.rotation import Rotation
from metaexpert.logger.files.writer import AppendFile
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs, Worker

LINE_BYTES: Final = 300
BATCH_LINES: Final = 256 * 1024 // LINE_BYTES
FILES: Final = 4
PASSES: Final = 3
ROTATED_BYTES: Final = 64 * 1024 * 1024
ROTATIONS: Final = 5
MIBIBYTE: Final = 1024 * 1024


def batch_of(number: int) -> list[bytes]:
    """Lines of a batch, each its own."""
    first = number * BATCH_LINES
    heads = [
        b'{"timestamp":"2026-11-23T10:00:00.%06dZ","id":"b-%d","message":"' % (at % 10**6, at)
        for at in range(first, first + BATCH_LINES)
    ]
    return [head + os.urandom((LINE_BYTES - 2 - len(head)) // 2).hex().encode() + b'"}' for head in heads]


def written(folder: Path, size_bytes: int, secret: str | None) -> tuple[float, float]:
    """Write the files of a log; microseconds an entry the chain takes, at the quickest and on average."""
    chain = Chain(None if secret is None else lambda: secret)
    file = LogFile.first(folder / "expert.log", Identity(service="bench"))
    spent: list[float] = []
    for _ in range(FILES):
        with file.path.open("wb") as log:
            chain.begin(file, 0)
            for number in range(size_bytes // FILES // (BATCH_LINES * LINE_BYTES)):
                lines = batch_of(number)
                log.write(b"\n".join([*lines, b""]))
                log.flush()
                end_bytes, begin = log.tell(), time.perf_counter()
                chain.add(lines, end_bytes)
                spent.append(time.perf_counter() - begin)
        sealing = chain.seal("rotation")
        if sealing is None or not sealing.bring_to_disk():
            raise SystemExit(f"the file could not be sealed: {chain.take_fault()}")
        file = file.next()
    return min(spent) / BATCH_LINES * 1e6, sum(spent) / len(spent) / BATCH_LINES * 1e6


async def rotated(folder: Path) -> list[float]:
    """Milliseconds that a write takes which begins the next file, each time."""
    worker = Worker(Jobs(), "bench")
    rotation, identity = Rotation(max_bytes=ROTATED_BYTES), Identity(service="bench")
    log = AppendFile(folder / "expert.log", rotation, worker, identity, chain=Chain())
    lines = [b"x" * (LINE_BYTES - 1)] * BATCH_LINES
    spent, batch_bytes = list[float](), BATCH_LINES * LINE_BYTES
    in_a_file = ROTATED_BYTES // batch_bytes
    try:
        for number in range(ROTATIONS * in_a_file + 1):
            begin = time.perf_counter()
            await log.append(lines, number)
            if number and number % in_a_file == 0:
                spent.append((time.perf_counter() - begin) * 1e3)
        await log.close()
    finally:
        worker.close()
    return spent


def verified(folder: Path, secret: str | None, processes: int) -> float:
    """MB/s, at the quickest."""
    size = sum(path.stat().st_size for path in folder.glob("*.log"))
    quickest = float("inf")
    for _ in range(PASSES):
        begin = time.perf_counter()
        if not verify([folder], secret=secret, processes=processes).is_intact:
            raise SystemExit("what was just written is not found intact")
        quickest = min(quickest, time.perf_counter() - begin)
    return size / quickest / 1e6


def main() -> None:
    """Measure and print."""
    with TemporaryDirectory(prefix="metaexpert-evidence-") as made:
        spent = asyncio.run(rotated(Path(made)))
        print(f"a write that begins the next file: {median(spent):.1f} ms, {max(spent):.1f} at most of {len(spent)}")
    size_bytes = int(sys.argv[1] if len(sys.argv) > 1 else 400) * MIBIBYTE
    for name, secret in (("without a key", None), ("with a key", new_secret())):
        with TemporaryDirectory(prefix="metaexpert-evidence-") as made:
            folder = Path(made)
            quickest, mean = written(folder, size_bytes, secret)
            print(f"{name}: {quickest:.2f} us an entry of {LINE_BYTES} B, {mean:.2f} on average")
            share = sum(path.stat().st_size for path in folder.glob("*.chain")) / size_bytes
            print(f"  the chain takes {share:.1%} of the log's size")
            cores = os.cpu_count() or 1
            for processes in dict.fromkeys((1, cores)):
                print(f"  verified at {verified(folder, secret, processes):.0f} MB/s by {processes} process(es)")
            begin, size = time.process_time(), sum(path.stat().st_size for path in folder.glob("*.log"))
            verify([folder], secret=secret, processes=1)
            print(f"  {size / (time.process_time() - begin) / 1e6:.0f} MB a second of one core's time")


if __name__ == "__main__":
    main()
