"""Gathers what every destination holds, and has it audited against the ledgers."""

from collections.abc import Mapping

from metaexpert.demo.audit import PROTECTED_LEVELS, PROTECTED_LOG_TYPES, Finding, SinkEvidence, audit, audit_intake
from metaexpert.demo.collector.client import CollectorClient
from metaexpert.demo.holdings import Holding, read_log
from metaexpert.logger import LoggerConfig, RuntimeStats

_MAY_DROP = frozenset({"console"})
_MAY_REPEAT = frozenset({"loki", "elasticsearch"})


async def compare(
    config: LoggerConfig, stats: RuntimeStats, collector: CollectorClient, promised: Mapping[str, int]
) -> tuple[list[SinkEvidence], list[Finding]]:
    """Read files and collector back and check everything.

    Args:
        config: What was logged to.
        stats: The runtime's final snapshot.
        collector: Still running.
        promised: How many entries the program logged, by logger.
    """
    main = read_log(config.log_dir / config.log_file)
    holdings = {
        "file": main,
        "trade": read_log(config.log_dir / config.log_trade_file),
        "error": read_log(config.log_dir / config.log_error_file),
        "console": None,
        "loki": await _held(collector, "loki"),
        "elasticsearch": await _held(collector, "elasticsearch"),
    }
    evidence = [
        SinkEvidence(
            name=name,
            ledger=stats.sinks[name].ledger,
            holding=holding,
            takes=_TAKES.get(name, _everything),
            may_drop=name in _MAY_DROP,
            may_repeat=name in _MAY_REPEAT,
        )
        for name, holding in holdings.items()
    ]
    return evidence, audit_intake(main, stats.ingress, promised) + audit(main, evidence)


async def _held(collector: CollectorClient, target: str) -> Holding:
    held = await collector.entries(target)
    copies = sum(held.copies.values()) - len(held.copies)
    return Holding(held.kinds, copies, 0, len(held.conflicting), held.gaps)


def _everything(_level: str, _log_type: str) -> bool:
    return True


def _trades(_level: str, log_type: str) -> bool:
    return log_type in PROTECTED_LOG_TYPES


def _errors(level: str, _log_type: str) -> bool:
    return level in PROTECTED_LEVELS


_TAKES = {"trade": _trades, "error": _errors}
