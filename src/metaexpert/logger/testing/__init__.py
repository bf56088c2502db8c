"""For those who test a program that logs, or write a sink: entries to look at, a clock to turn, the conformance suite.

Nothing of the package imports this, and it needs no test framework: the fixture `log_entries` for pytest stands in
`metaexpert.pytest_plugin`, and `SinkConformance` is a class of plain functions.
"""

from metaexpert.logger.sinks.memory import MemorySink
from metaexpert.logger.testing.clock import FakeClock
from metaexpert.logger.testing.conformance import SinkConformance
from metaexpert.logger.testing.entries import Entries, memory_entries, new_entry
from metaexpert.logger.testing.harness import Fault, SinkHarness
from metaexpert.logger.testing.recorder import RecordedEntries, recorded_entries

__all__ = [
    "Entries",
    "FakeClock",
    "Fault",
    "MemorySink",
    "RecordedEntries",
    "SinkConformance",
    "SinkHarness",
    "memory_entries",
    "new_entry",
    "recorded_entries",
]
