"""The exposition, read by prometheus-client's own parser, and the endpoint, asked over a socket."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families
from support.eventually import eventually

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggingRuntime, MemoryOptions, PerformanceOptions, get_logger
from metaexpert.logger.measuring import meters
from metaexpert.logger.measuring.endpoint import EndpointFigures
from metaexpert.logger.measuring.prometheus import LoggingCollector
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.sinks.memory import MemorySink

DASHBOARD = Path(__file__).resolve().parents[4] / "examples" / "deploy" / "grafana" / "metaexpert-performance.json"
NAME = re.compile(r"\b(?:metaexpert|process)_\w+")
SECRET = "sk_live_51HyaABCDEFGHIJKLMNOPQRSTUVWX"

type Start = Callable[..., LoggingRuntime]

log = get_logger("metrics")


@pytest.fixture
def registry(start: Start, runner: Any) -> CollectorRegistry:
    """A user's registry beside a runtime that has written something."""
    runtime = start(performance={"interval": 3600.0}, journal={"enabled": True})
    with log.timer("step"):
        log.info("one")
    meters.gauge("room").set(7)
    meters.counter("restarts").add(2)
    assert runner.run(runtime.flush(20.0))
    made = CollectorRegistry()
    made.register(LoggingCollector(runtime.stats))
    return made


def families(registry: CollectorRegistry) -> dict[str, Any]:
    text = generate_latest(registry).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_every_metric_says_what_it_is_and_of_which_type(registry: CollectorRegistry):
    found = families(registry)
    assert len(found) > 30
    assert [name for name, family in found.items() if not family.documentation or family.type == "unknown"] == []
    assert all(family.documentation.endswith(".") for family in found.values())


def test_names_follow_the_conventions(registry: CollectorRegistry):
    for family in families(registry).values():
        assert re.fullmatch(r"metaexpert_[a-z_]+", family.name)
        if family.type == "counter":
            assert all(sample.name.endswith(("_total", "_created")) for sample in family.samples)
        else:
            assert not family.name.endswith(("_total", "_count", "_ms", "_milliseconds", "_ns"))


def test_the_open_metrics_text_is_valid_too(registry: CollectorRegistry):
    text = generate_open_metrics(registry).decode()
    assert {family.name for family in parse_open_metrics(text)} == set(families(registry))


def test_the_ledger_is_told_exactly(registry: CollectorRegistry):
    value = registry.get_sample_value
    assert value("metaexpert_sink_routed_entries_total", {"sink": "memory"}) == 1
    settled = {"sink": "memory", "outcome": "delivered"}
    assert value("metaexpert_sink_settled_entries_total", settled) == 1
    assert value("metaexpert_sink_state", {"sink": "memory", "state": "active"}) == 1
    assert (value("metaexpert_sink_write_seconds_count", {"sink": "memory"}) or 0) >= 1


def test_meters_are_told_by_their_names(registry: CollectorRegistry):
    value = registry.get_sample_value
    assert value("metaexpert_meter", {"name": "room"}) == 7
    assert (value("metaexpert_events_total", {"name": "restarts"}) or 0) >= 2
    count = value("metaexpert_timer_seconds_count", {"name": "step"})
    assert count is not None
    assert count >= 1
    assert value("metaexpert_timer_seconds_bucket", {"name": "step", "le": "+Inf"}) == count


def test_no_secret_gets_into_a_label(registry: CollectorRegistry):
    name = f"api_key={SECRET}"
    assert SECRET not in Redactor().scrub(name)
    meters.timer(name).record(0.1)
    assert SECRET not in generate_latest(registry).decode()


def test_the_endpoint_answers_prometheus(start: Start, runner: Any):
    runtime = start(performance={"metrics_port": 0})

    def port() -> int | None:
        figures = runtime.stats().companions["metrics"]
        assert isinstance(figures, EndpointFigures)
        return figures.port

    async def ask() -> tuple[int, str, str]:
        await eventually(lambda: port() is not None)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port()}/metrics") as answer,
        ):
            return answer.status, answer.headers["Content-Type"], await answer.text()

    status, kind, text = runner.run(ask())
    assert status == 200
    assert kind.startswith("text/plain; version=")
    names = {family.name for family in text_string_to_metric_families(text)}
    assert "metaexpert_accepted_entries" in names


def test_who_sends_nonsense_there_writes_nothing_into_the_log(start: Start, runner: Any):
    runtime = start(sinks=(MemoryOptions(),), performance={"metrics_port": 0})

    def port() -> int | None:
        figures = runtime.stats().companions["metrics"]
        return figures.port if isinstance(figures, EndpointFigures) else None

    async def say(nonsense: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port())
        writer.write(nonsense)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    runner.run(eventually(lambda: port() is not None))
    assert b" 400 " in runner.run(say(b"GET /metrics HTTP/1.1\r\n\r\n"))
    assert b" 400 " in runner.run(say(b"\0" * 100 + b"\r\n\r\n"))
    runner.run(runtime.flush())
    sink = runtime.sinks["memory"]
    assert isinstance(sink, MemorySink)
    assert not [each["message"] for each in sink.entries if each["level"] == "ERROR"]


def test_nobody_listens_unless_asked(start: Start):
    runtime = start(sinks=(MemoryOptions(),), performance={"interval": 3600.0})
    assert "metrics" not in runtime.stats().companions


def test_without_prometheus_client_the_option_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("metaexpert.logger.options.performance.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"metaexpert\[metrics\]"):
        PerformanceOptions(metrics_port=9464)


def test_each_query_of_the_dashboard_names_metrics_there_are(registry: CollectorRegistry):
    known = {sample.name for family in families(registry).values() for sample in family.samples}
    known |= {"metaexpert_sink_dropped_entries_total", "metaexpert_refused_entries_total"}  # none were
    known |= {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(queries) >= 10
    assert {name for query in queries for name in NAME.findall(query)} - known == set()
