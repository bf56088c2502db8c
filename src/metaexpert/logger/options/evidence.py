"""Tamper evidence of a log file: whether its lines are chained, with which key, and who else is to hold the heads."""

from pathlib import Path
from typing import Final

from metaexpert.logger.options.base import Options

MIN_ANCHORED_BYTES: Final = 64 * 1024
"""Smaller files would be filled by the entries that their own rotations write."""


class EvidenceOptions(Options):
    """A hash chain beside each file of a log, which shows what was changed, removed, inserted or reordered."""

    key_file: Path | None = None
    """A file with the secret that the chain is signed with; needed for a log's first file alone, then the auditor's."""
    anchor: bool = False
    """The heads of the chain also go out as audit entries, so that collectors hold them."""
