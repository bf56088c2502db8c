"""How much is measured: enough for steady figures, or just enough to see that everything works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """Counts of entries and seconds of each measurement."""

    warm_up_entries: int
    latency_calls: int
    disabled_blocks: int
    sustained_entries: int
    lag_rounds: int
    span_seconds: float
    burst_entries: int
    memory_seconds: float
    stalled_entries: int
    collector_entries: int
    protected_rounds: int
    protected_chunks: int
    fsync_rounds: int
    fsync_steady_seconds: float
    drain_entries: int
    spool_segments: int
    rotated_bytes: int
    log_files: int
    log_file_bytes: int
    tail_files: int
    tail_file_bytes: int


FULL = Amounts(
    warm_up_entries=2_000,
    latency_calls=20_000,
    disabled_blocks=300,
    sustained_entries=200_000,
    lag_rounds=3,
    span_seconds=1.0,
    burst_entries=50_000,
    memory_seconds=3.0,
    stalled_entries=1_000_000,
    collector_entries=200_000,
    protected_rounds=6,
    protected_chunks=20,
    fsync_rounds=3,
    fsync_steady_seconds=4.0,
    drain_entries=300_000,
    spool_segments=1_280,
    rotated_bytes=4_000_000_000,
    log_files=10,
    log_file_bytes=100_000_000,
    tail_files=160,
    tail_file_bytes=64_000_000,
)
QUICK = Amounts(
    warm_up_entries=200,
    latency_calls=1_000,
    disabled_blocks=20,
    sustained_entries=5_000,
    lag_rounds=1,
    span_seconds=0.2,
    burst_entries=5_000,
    memory_seconds=0.2,
    stalled_entries=20_000,
    collector_entries=5_000,
    protected_rounds=1,
    protected_chunks=2,
    fsync_rounds=1,
    fsync_steady_seconds=0.4,
    drain_entries=5_000,
    spool_segments=32,
    rotated_bytes=20_000_000,
    log_files=2,
    log_file_bytes=4_000_000,
    tail_files=4,
    tail_file_bytes=4_000_000,
)
BY_NAME = {"full": FULL, "quick": QUICK}
