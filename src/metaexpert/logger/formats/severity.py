"""How grave an entry is, in the words readers of the error file know."""

import logging


def severity_of(level: int) -> str:
    """`critical`, `high`, `medium` or `low`, by level number."""
    if level >= logging.CRITICAL:
        return "critical"
    if level >= logging.ERROR:
        return "high"
    return "medium" if level >= logging.WARNING else "low"
