"""The log types entries have; a module of its own, since who reads logs needs nothing else of what is written."""

from typing import Final

GENERAL: Final = "general"
TRADE: Final = "trade"
AUDIT: Final = "audit"
GAP: Final = "gap"
RECOVERY: Final = "recovery"
"""What names the entries of a former run that are delivered again."""
FAILURE: Final = "error"
"""What `log_error` writes: an error with a context of its own."""

PERFORMANCE: Final = "performance"
CLOCK: Final = "clock"
ALERT: Final = "alert"
"""What the library itself says of the program's performance, of the clock, and of what it was told to look out for."""
