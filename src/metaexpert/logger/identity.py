"""Who writes: the process as every entry names it."""

import os
import secrets
import socket
import time
from dataclasses import dataclass, field


def _new_boot_id() -> str:
    # time first, so that ids of later runs sort later; the random part keeps simultaneous starts apart
    return f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The process an entry comes from.

    Attributes:
        service: name of the expert or service.
        boot_id: names this run; `boot_id-seq` is an entry's id, unique across runs and machines.
        pid: process id.
        host: host name.
    """

    service: str
    boot_id: str = field(default_factory=_new_boot_id)
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)

    def entry_id(self, seq: int) -> str:
        """Stable id of the entry numbered `seq`; collectors and readers de-duplicate by it."""
        return f"{self.boot_id}-{seq}"
