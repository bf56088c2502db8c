"""What a journal did."""

from dataclasses import dataclass


@dataclass(slots=True)
class JournalCounters:
    """What the journal did.

    Attributes:
        entries: entries written to it.
        failures: entries that could not be made safe; `on_audit_failure` was told of each.
        syncs: group syncs that have ended well.
        sync_failures: syncs the system refused.
        last_error: what is wrong now; None while all is well.
    """

    entries: int = 0
    failures: int = 0
    syncs: int = 0
    sync_failures: int = 0
    last_error: str | None = None
