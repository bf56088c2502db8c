"""The audit entries by which other sinks come to hold the heads of a log's seals."""

import logging
import sys
from _thread import get_ident
from time import time_ns

import orjson

from metaexpert.logger.entry import AUDIT, CAPTURE_OVERHEAD_BYTES, Capture
from metaexpert.logger.files.evidence.anchors import anchor_fields, encodable
from metaexpert.logger.files.evidence.chain import Anchor
from metaexpert.logger.gaps import GAP_LOGGER
from metaexpert.logger.ingress import next_seq


def anchor_entry(anchor: Anchor) -> Capture:
    """An INFO of log type "audit" that says what a line of the seals is about, and its head."""
    line = anchor.line
    about = f"{encodable(anchor.file)}: {anchor.lines} lines proven" if anchor.file else "files of killed processes"
    seals = f"{encodable(anchor.log)}.seals"
    message = f"tamper evidence: {anchor.kind} {about}; line {line.number} of {seals} is {line.head.hex()}"
    proven = {"evidence_lines": anchor.lines, "evidence_seal": anchor.seal}
    fields = orjson.dumps(anchor_fields(anchor.log, line, anchor.file) | proven)[1:-1]
    frame = sys._getframe()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - names this place as the caller
    size = sys.getsizeof(message) + len(fields) + CAPTURE_OVERHEAD_BYTES
    place = (frame.f_code, frame.f_lasti)
    return (
        next_seq(),
        time_ns(),
        logging.INFO,
        GAP_LOGGER,
        message,
        *place,
        fields,
        b"",
        get_ident(),
        None,
        AUDIT,
        None,
        size,
    )
