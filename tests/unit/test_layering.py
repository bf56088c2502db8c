"""Imports point one way: the rules of the architecture, read off the source's imports.

A module that no table names is bound by the general rules alone: no import of the host, no cycle.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "metaexpert"
PACKAGE = "metaexpert"


@dataclass(frozen=True, slots=True)
class Rule:
    """A set of names of modules (each with what is below it) and why it is that set."""

    names: frozenset[str]
    reason: str


def rule(names: str, reason: str) -> Rule:
    return Rule(frozenset(names.split()), reason)


OUTSIDE_OF_LOGGER = rule(
    "__version__ exceptions",
    "the host imports the logger, never the other way round; only the error root and the version are shared",
)

KNOWS: Mapping[str, Rule] = {
    "logger.logger": rule(
        "logger.entry logger.context logger.ingress logger.journal logger.receipts logger.redaction logger.encoding "
        "logger.measuring.meters logger.measuring.timer "
        "logger.values logger.trade logger.stdlib logger.levels logger.errors logger.call logger.port logger.at_exit "
        "logger.faults",
        "the log call captures and hands over; it knows nothing of what happens behind the ingress",
    ),
    "logger.call": rule(
        "logger.entry logger.context logger.ingress logger.journal logger.receipts logger.redaction logger.values "
        "logger.stdlib logger.errors logger.message logger.port logger.reported logger.logger logger.interruption "
        "logger.faults",
        "as logger.logger, whose methods it makes",
    ),
    "logger.sinks": rule(
        "logger.entry logger.identity logger.jobs logger.retry logger.batch logger.outcome logger.formats "
        "logger.formatter logger.options logger.values logger.files logger.errors logger.sinks logger.streams "
        "logger.endpoints logger.tasks",
        "a sink encodes and classifies; batching, retry, spool and ledger come to it from delivery",
    ),
}
"""What a module (and all below it) may import of the logger."""

SINKS_SHARE = rule(
    "logger.sinks.base logger.sinks.http logger.sinks.resolver logger.sinks.answer logger.sinks.credentials "
    "logger.sinks.session logger.sinks.tls logger.sinks.splunk_answers logger.sinks.syslog_addresses "
    "logger.sinks.syslog_connection logger.sinks.syslog_datagrams logger.sinks.syslog_streams",
    "a sink can be read, and removed, without the others",
)
SINKS_EXEMPT = rule("logger.sinks", "the package's own file may gather its sinks")

PURE = rule(
    "logger.lanes logger.retry logger.outcome logger.ledger logger.filters logger.sieve logger.repeats "
    "logger.rate_limit logger.formats.selection logger.segment logger.breaker logger.body_limit logger.endpoints "
    "logger.workload logger.spool.spill_gate logger.spool.spill_transit logger.sinks.answer logger.trade.lifecycle "
    "logger.trade.exchange_times logger.trade.ids "
    "logger.secret_patterns logger.secret_glance logger.secret_members logger.recovery_words "
    "logger.faults.fingerprint logger.faults.structure "
    "logger.files.keeping.retention logger.files.keeping.clock_trust "
    "logger.files.evidence.chain_format "
    "logger.files.evidence.verify_lines logger.files.evidence.verdict logger.files.reading.moments "
    "logger.files.reading.text_entries logger.files.reading.conditions logger.files.reading.patterns "
    "logger.files.reading.precheck logger.files.reading.held_back "
    "logger.files.reading.order_lifecycle logger.files.reading.position_changes "
    "logger.tracing.traceparent logger.tracing.tracestate logger.tracing.routes logger.tracing.answers "
    "logger.held_back.rings logger.formats.traces "
    "logger.measuring.histogram logger.measuring.meters logger.measuring.durations logger.measuring.thresholds "
    "logger.measuring.sample logger.clock.quality "
    "logger.files.reading.trade_events logger.files.reading.text_copies logger.files.reading.timeline "
    "logger.files.reading.sequence_numbers logger.files.reading.error_groups logger.files.reading.log_statistics "
    "logger.files.reading.figures logger.files.reading.plain_lines logger.files.reading.corrections "
    "logger.alerts.alert logger.alerts.episodes logger.alerts.engine logger.alerts.matching logger.alerts.message "
    "logger.alerts.outbox logger.alerts.readings logger.alerts.rules logger.alerts.stats_rules logger.alerts.windows "
    "broker.paper.accounts broker.paper.arrivals broker.paper.bars broker.paper.booking broker.paper.engine "
    "broker.paper.funding broker.paper.holding broker.paper.liquidation broker.paper.margin broker.paper.matching "
    "broker.paper.money broker.paper.placing broker.paper.rules broker.paper.settlement broker.paper.snapshots "
    "broker.paper.state broker.paper.taking broker.paper.telling broker.paper.venue",
    "these decide and count: given the same input and clock reading they answer the same, so tests need no loop",
)
IMPURE = rule("asyncio aiohttp aiofiles time", "input, output, and a clock of one's own")

TESTING = rule("logger.testing pytest_plugin", "what is for tests costs a program nothing that does not import it")

ONLY_IMPORTED_BY: Mapping[str, Rule] = {
    "logger.spool.spool": rule(
        "logger.spool.spilling logger.spool.spill_work logger.spool.spill_moves "
        "logger.spool.spill_transit logger.spool.spill_accounts logger.spool.queue "
        "logger.spool.inspection logger.assembly cli",
        "the disk queue is one sink's worker's, wired by assembly; an operator's command takes over what nobody has",
    ),
    "logger.spool.assembly": rule("logger.assembly logger.config cli", "which sinks have disk queues, and where"),
    "logger.spool.queue": rule(
        "logger.assembly logger.spool.inspection", "who drives it knows what `spool` says alone"
    ),
    "logger.spool.segment": rule(
        "logger.spool.spool logger.spool.queue logger.spool.series logger.spool.runs logger.spool.inspection",
        "how a segment looks is the disk queue's own business",
    ),
    "logger.dead_letters.store": rule(
        "logger.dead_letters.dead_letters logger.dead_letters.inspection",
        "where refused entries are kept is their own business",
    ),
    "logger.files.reading.helpers": rule(
        "logger.files.reader logger.files.reading.ahead logger.files.reading.counting",
        "processes are started where a large log is read, nowhere else",
    ),
    "logger.files.reader": rule("cli", "what is written knows nothing of how it is read back"),
    "logger.spool.spilling": rule("logger.batching logger.delivery logger.assembly", "as the disk queue it drives"),
    "logger.files.evidence.seals": rule(
        "logger.files.evidence.chain logger.files.evidence.sealing logger.files.evidence.anchors "
        "logger.files.evidence.verify "
        "logger.files.evidence.verify_seals logger.configuring.check",
        "the chain appends to them, verifying reads them; others say what they want said through the chain",
    ),
    "logger.runtime": rule(
        "logger logger.public logger.meta_logger core cli demo", "runtime knows all, so only the edges may know runtime"
    ),
}
"""Who may import a module; `logger` stands for the package's own file alone."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import: of which module, and whether only type checkers see it."""

    target: str
    line: int
    typing_only: bool


class Tree:
    """The modules below a package's folder by their dotted name within it, and what each imports."""

    def __init__(self, root: Path) -> None:
        self.files = {_module_name(path.relative_to(root)): path for path in sorted(root.rglob("*.py"))}
        self.imports = {name: list(self._imports_of(name)) for name in self.files}

    def _imports_of(self, name: str) -> Iterator[Import]:
        path = self.files[name]
        module = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        hidden = {id(node) for block in _typing_blocks(module) for node in ast.walk(block)}
        for node in ast.walk(module):
            for target in self._targets(name, node):
                yield Import(target, getattr(node, "lineno", 0), id(node) in hidden)

    def _targets(self, name: str, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (_within_package(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(filter(None, [self._package_of(name, node.level), node.module]))
            for alias in node.names:
                submodule = _within_package(f"{base}.{alias.name}")
                yield submodule if submodule in self.files else _within_package(base)

    def _package_of(self, name: str, level: int) -> str:
        parts = [PACKAGE, *filter(None, name.split("."))]
        is_package = self.files[name].name == "__init__.py"
        return ".".join(parts[: len(parts) - level + is_package])


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _within_package(name: str) -> str:
    """Own modules lose the package's name; foreign ones are marked with a leading colon."""
    if name == PACKAGE:
        return ""
    return name.removeprefix(f"{PACKAGE}.") if name.startswith(f"{PACKAGE}.") else f":{name}"


def _typing_blocks(module: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(module):
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            yield from node.body


def _below(name: str, rule: Rule) -> bool:
    return any(name == allowed or name.startswith(f"{allowed}.") for allowed in rule.names)


def violations(root: Path) -> list[str]:
    """Every import that breaks a rule, as `module:line imports target: reason`."""
    tree = Tree(root)
    found = [
        f"{name}:{each.line} imports {each.target.removeprefix(':') or PACKAGE}: {reason}"
        for name, imports in tree.imports.items()
        for each in imports
        for reason in _broken_rules(name, each.target)
    ]
    return found + [f"import cycle: {' -> '.join(cycle)}" for cycle in _cycles(tree)]


def _broken_rules(name: str, target: str) -> Iterator[str]:
    inside = _in_logger(name)
    if inside and not target.startswith(":") and not _in_logger(target) and target not in OUTSIDE_OF_LOGGER.names:
        yield OUTSIDE_OF_LOGGER.reason
    if inside and _in_logger(target):
        yield from (
            known.reason
            for owner, known in KNOWS.items()
            if _below(name, rule(owner, "")) and not _below(target, known)
        )
    if _is_sink(name) and _is_sink(target) and target not in SINKS_SHARE.names and name not in SINKS_EXEMPT.names:
        yield SINKS_SHARE.reason
    if name in PURE.names and _below(target.removeprefix(":"), IMPURE) and target.startswith(":"):
        yield PURE.reason
    if _below(target, rule("logger.testing", "")) and not _below(name, TESTING):
        yield TESTING.reason
    importers = ONLY_IMPORTED_BY.get(target)
    if importers is not None and not _may_import(name, importers):
        yield importers.reason


def _in_logger(name: str) -> bool:
    return name == "logger" or name.startswith("logger.")


def _is_sink(name: str) -> bool:
    return name == "logger.sinks" or name.startswith("logger.sinks.")


def _may_import(name: str, importers: Rule) -> bool:
    return name in importers.names if _in_logger(name) else _below(name, importers)


def _cycles(tree: Tree) -> Iterator[list[str]]:
    """One cycle of the logger's modules per starting point that lies on one, each cycle once."""
    graph = {
        name: {each.target for each in imports if not each.typing_only and each.target in tree.files} - {name}
        for name, imports in tree.imports.items()
        if _in_logger(name)
    }
    seen: set[frozenset[str]] = set()
    for start in graph:
        path = _path_back(graph, start)
        if path and frozenset(path) not in seen:
            seen.add(frozenset(path))
            yield path


def _path_back(graph: Mapping[str, set[str]], start: str) -> list[str] | None:
    stack = [[start, following] for following in sorted(graph[start])]
    visited: set[str] = set()
    while stack:
        path = stack.pop()
        if path[-1] == start:
            return path
        if path[-1] not in visited:
            visited.add(path[-1])
            stack += [[*path, following] for following in sorted(graph.get(path[-1], ()))]
    return None


def test_imports_of_the_source_point_one_way() -> None:
    assert violations(SOURCE) == []


def test_the_tables_speak_of_modules_that_exist() -> None:
    modules = Tree(SOURCE).files
    bound = {*KNOWS, *PURE.names, *SINKS_SHARE.names, "logger.runtime", "logger.delivery"}
    assert bound - modules.keys() == set()


LAWFUL = {
    "__version__.py": "",
    "exceptions.py": "",
    "core/expert.py": "from metaexpert.logger.runtime import Runtime",
    "logger/__init__.py": "from metaexpert.logger.runtime import Runtime",
    "logger/entry.py": "import time\nfrom metaexpert.exceptions import MetaExpertError",
    "logger/context.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .logger import Logger",
    "logger/logger.py": "import asyncio\nfrom . import context, entry",
    "logger/lanes.py": "from collections import deque\nfrom .entry import Entry",
    "logger/spool.py": "from .entry import Entry",
    "logger/spilling.py": "from .spool import Spool",
    "logger/delivery.py": "from .spilling import Spilling\nfrom .lanes import Lanes",
    "logger/runtime.py": "from .delivery import Delivery\nfrom .logger import Logger\nfrom .sinks.loki import LokiSink",
    "logger/sinks/__init__.py": "from .loki import LokiSink",
    "logger/sinks/base.py": "from ..entry import Entry",
    "logger/sinks/loki.py": "from .base import Sink\nfrom metaexpert.logger.sinks import base",
    "logger/sinks/file.py": "from .base import Sink",
}


def _write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_a_lawful_tree_passes(tmp_path: Path) -> None:
    assert violations(_write(tmp_path, LAWFUL)) == []


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("logger/entry.py", "import metaexpert.core.expert", "logger.entry:1 imports core.expert: the host"),
        ("logger/entry.py", "from metaexpert import cli", "logger.entry:1 imports metaexpert: the host"),
        ("logger/entry.py", "def f():\n    from ..core import expert", "logger.entry:2 imports core.expert: the host"),
        ("logger/logger.py", "from .lanes import Lanes", "logger.logger:1 imports logger.lanes: the log call"),
        ("logger/logger.py", "import metaexpert.logger.delivery", "logger.logger:1 imports logger.delivery: the log"),
        (
            "logger/sinks/loki.py",
            "from ..spool.spool import Spool",
            "logger.sinks.loki:1 imports logger.spool.spool: a sink encodes",
        ),
        (
            "logger/sinks/loki.py",
            "from .file import FileSink",
            "logger.sinks.loki:1 imports logger.sinks.file: a sink can",
        ),
        ("logger/runtime.py", "from .testing import entries", "logger.runtime:1 imports logger.testing: what is for"),
        ("core/expert.py", "import metaexpert.logger.testing.clock", "imports logger.testing.clock: what is for"),
        ("logger/lanes.py", "import asyncio.queues", "logger.lanes:1 imports asyncio.queues: these decide"),
        ("logger/lanes.py", "from time import monotonic", "logger.lanes:1 imports time: these decide"),
        (
            "logger/lanes.py",
            "from .spool.spool import Spool",
            "logger.lanes:1 imports logger.spool.spool: the disk queue",
        ),
        (
            "logger/spool/spool.py",
            "from .. import runtime",
            "logger.spool.spool:1 imports logger.runtime: runtime knows all",
        ),
        ("websocket/client.py", "from metaexpert.logger import runtime", "imports logger.runtime: runtime knows all"),
        ("logger/entry.py", "from .context import Context\nfrom .lanes import Lanes", "import cycle: logger.entry"),
        ("logger/entry.py", "from metaexpert.logger import LoggerConfig", "import cycle: logger"),
    ],
)
def test_each_rule_catches_its_breach(tmp_path: Path, file: str, text: str, expected: str) -> None:
    found = violations(_write(tmp_path, {**LAWFUL, file: text}))
    assert any(expected in violation for violation in found), found
