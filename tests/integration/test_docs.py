"""What the documentation shows, runs: each Python block by itself, in a folder of its own, with warnings as errors.

Data that is shown (TOML, JSON) is read by what reads it in earnest, and the tables of options are those of the code.
"""

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest
from aiohttp import web
from support.running_logger import logging_to
from support.scripted_collector import Received, ScriptedCollector, documents, serving

import option_tables
from metaexpert.demo.options import DemoOptions, parse_options
from metaexpert.logger import ElasticsearchOptions, LoggerConfig, LokiOptions, get_logger

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
MODULE = re.compile(r"# (\w+\.py)\n")
HOLDS_TESTS = re.compile(r"^(?:class Test|(?:async )?def test_)", re.MULTILINE)
PYTEST = (
    *(
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "metaexpert.pytest_plugin",
        "-p",
        "no:cacheprovider",
        "-o",
        "asyncio_mode=auto",
    ),
    *("-o", "asyncio_default_fixture_loop_scope=function"),
)
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block and where it stands."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(language: str) -> list[Block]:
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for match in FENCE.finditer(text)
        if match[1] == language
    ]


def run_block(block: Block, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a block; one that holds tests by pytest, and beside modules that the page showed under a name before."""
    for earlier in blocks("python"):
        name = MODULE.match(earlier.text)
        if name and earlier.page == block.page and earlier.line < block.line:
            (folder / name[1]).write_text(earlier.text, encoding="utf-8")
    script = folder / "block.py"
    script.write_text(block.text, encoding="utf-8")
    runner = PYTEST if HOLDS_TESTS.search(block.text) else ()
    return subprocess.run(
        [sys.executable, *(runner or ("-W", "error")), str(script)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        check=False,
    )


def test_every_block_says_its_language_and_is_closed():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        fences = re.findall(r"^\s*```(.*)$", text, re.MULTILINE)
        assert len(fences) % 2 == 0, page
        assert all(fences[0::2]), page
        assert not any(fences[1::2]), page


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_a_python_block_runs(block: Block, tmp_path: Path):
    done = run_block(block, tmp_path)
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"


def test_the_readmes_example_leaves_the_files_it_names(tmp_path: Path):
    example = next(block for block in blocks("python") if block.page.name == "README.md")
    done = run_block(example, tmp_path)
    assert "all delivered: True" in done.stdout
    links = [file for file in (tmp_path / "logs").glob("*.log") if file.is_symlink()]
    files = {file.name: file.read_bytes().splitlines() for file in links}
    assert {name: len(lines) for name, lines in files.items()} == {"expert.log": 4, "trades.log": 1, "errors.log": 1}
    assert b"AKIA-1234" not in b"".join(files["expert.log"])
    (shown,) = [orjson.loads(block.text) for block in blocks("json") if block.page.name == "README.md"]
    real = orjson.loads(files["expert.log"][0])
    same = {key for key in real if real[key] == shown.get(key)}
    assert list(shown) == list(real)
    assert same >= {"level", "logger", "message", "function", "line", "log_type", "seq", "task", "extra"}


def test_the_messages_shown_for_mistakes_are_the_real_ones(tmp_path: Path):
    page = ROOT / "docs" / "guides" / "configure.md"
    (mistakes,) = [block for block in blocks("python") if block.page == page and "mistake" in block.text]
    (shown,) = [block.text for block in blocks("text") if block.page == page and block.text.startswith("LoggerConfig.")]
    assert run_block(mistakes, tmp_path).stdout == shown


def test_the_option_tables_are_those_of_the_code():
    text = option_tables.PAGE.read_text(encoding="utf-8")
    current = option_tables.page_with(text, option_tables.tables())
    assert text == current, "run .venv/bin/python scripts/option_tables.py"


def test_words_of_the_option_tables_own_stand_only_where_the_code_has_none():
    models = {name: model for _, model, _ in option_tables.SECTIONS for name in model.model_fields}
    assert option_tables.SELF_EXPLANATORY.keys() <= models.keys()


def test_toml_and_variables_of_the_guide_are_a_configuration(tmp_path: Path):
    page = ROOT / "docs" / "guides" / "configure.md"
    (toml,) = [block for block in blocks("toml") if block.page == page]
    file = tmp_path / "metaexpert.toml"
    file.write_text(toml.text, encoding="utf-8")
    (shell,) = [block for block in blocks("sh") if "METAEXPERT_LOG_" in block.text and block.page == page]
    variables = dict(line.split("=", 1) for line in shell.text.splitlines())
    environ = {name: value.strip("'") for name, value in variables.items()}
    assert tomllib.loads(toml.text)["logger"]["queue"]["max_entries"] == LoggerConfig.load(file).queue.max_entries
    config = LoggerConfig.load(file, environ=environ)
    assert config.queue.overflow == "drop_oldest"
    (loki,) = config.sinks
    assert isinstance(loki, LokiOptions)
    assert (loki.username, loki.batch_max_age) == ("bot", 0.5)


def test_json_of_the_pages_is_json():
    shown = blocks("json")
    assert len(shown) >= 3
    for block in shown:
        assert isinstance(orjson.loads(block.text), dict), block


async def test_the_index_template_maps_every_field_of_a_document():
    page = ROOT / "docs" / "guides" / "elasticsearch.md"
    template, opensearch = [orjson.loads(block.text) for block in blocks("json") if block.page == page]
    properties = template["template"]["mappings"]["properties"]
    assert {name for name, mapping in properties.items() if mapping.get("type") == "flattened"} == opensearch.keys()
    mapped = _paths(properties, "properties")
    stored = await _documents()
    for document in stored:
        told = {path for path in _leaves(document) if path.split(".")[0] not in opensearch}
        assert told <= mapped, told - mapped
    assert set[str]().union(*map(_leaves, stored)) >= {"extra.size", "trade_data.symbol", "error.type"}


async def _documents() -> list[dict[str, object]]:
    """Documents of every kind, as they arrive at a server."""
    async with serving(ScriptedCollector(_stored)) as server:
        sink = ElasticsearchOptions(url=server.url, environment="test", batch_max_age=0.05)
        async with logging_to(sink) as runtime:
            log = get_logger("documented")
            log.info("fields", size=3)
            log.trade.order_cancelled(order_id=1, symbol="BTCUSDT")
            log.error("failed", exc_info=ValueError("no"))
            log.info("where", stack_info=True)
            assert await runtime.flush()
        return [document.source for request in server.requests for document in documents(request)]


async def _stored(_request: web.Request, received: Received) -> web.StreamResponse:
    """All documents of a bulk request are created."""
    items = [{"create": {"status": 201}} for _ in documents(received)]
    return web.json_response({"errors": False, "items": items})


def _paths(properties: dict[str, dict[str, object]], key: str, prefix: str = "") -> set[str]:
    """The dotted names of a mapping's leaves."""
    found: set[str] = set()
    for name, mapping in properties.items():
        inner = mapping.get(key)
        if isinstance(inner, dict):
            found |= _paths(inner, key, f"{prefix}{name}.")
        else:
            found.add(prefix + name)
    return found


def _leaves(document: dict[str, object], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in document.items():
        if isinstance(value, dict):
            found |= _leaves(value, f"{prefix}{name}.")
        else:
            found.add(prefix + name)
    return found


def test_links_lead_to_files():
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_pictures_are_drawings_that_load_nothing():
    pictures = sorted((ROOT / "docs" / "images").glob("*.svg"))
    assert pictures
    for picture in pictures:
        text = picture.read_text(encoding="utf-8")
        assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own files
        assert not re.search(r"(?:href|src|url\()\s*=?\s*[\"']?https?:", text), picture


def test_the_demos_options_exist():
    page = (ROOT / "docs" / "guides" / "run-the-demo.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(--[a-z]+)(?: [^`]+)?` \|", page, re.MULTILINE)
    fields = {f"--{name}" for name in DemoOptions.__dataclass_fields__}
    assert set(told) == fields
    assert parse_options(["--seconds", "8", "--burst", "0"]).seconds == 8


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_first_pages_lead_to_every_guide(page: str):
    linked = {Path(target).name for target in LINK.findall((ROOT / page).read_text(encoding="utf-8"))}
    assert {guide.name for guide in (ROOT / "docs" / "guides").glob("*.md")} - linked == set()


def test_every_module_of_the_logger_is_named_among_the_rooms():
    design = (ROOT / "docs" / "explanation" / "design.md").read_text(encoding="utf-8")
    (rooms,) = [match[2] for match in FENCE.finditer(design) if match[2].startswith("src/metaexpert/")]
    logger = ROOT / "src" / "metaexpert" / "logger"
    missing = [
        file.name if file.parent == logger else file.stem
        for file in logger.rglob("*.py")
        if not re.search(rf"\b{file.name if file.parent == logger else file.stem}\b", rooms)
        and not (file.name == "__init__.py" or file.parent.name == "files")
    ]
    assert missing == []
