"""The audit entries by which other sinks come to hold the heads of a log's seals."""

import logging

from metaexpert.logger.entry import AUDIT, Capture
from metaexpert.logger.files.evidence.anchors import anchor_fields, encodable
from metaexpert.logger.files.evidence.chain import Anchor
from metaexpert.logger.own_entries import own_entry


def anchor_entry(anchor: Anchor) -> Capture:
    """An INFO of log type "audit" that says what a line of the seals is about, and its head."""
    line = anchor.line
    about = f"{encodable(anchor.file)}: {anchor.lines} lines proven" if anchor.file else "files of killed processes"
    seals = f"{encodable(anchor.log)}.seals"
    message = f"tamper evidence: {anchor.kind} {about}; line {line.number} of {seals} is {line.head.hex()}"
    proven = {"evidence_lines": anchor.lines, "evidence_seal": anchor.seal}
    fields = anchor_fields(anchor.log, line, anchor.file) | proven
    return own_entry(logging.INFO, message, fields, log_type=AUDIT)
