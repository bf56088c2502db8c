"""The files of examples/deploy parse, fit one another, and name nothing that the sinks do not write."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.deploy import (
    DASHBOARD,
    DEPLOY,
    SAVED_OBJECTS,
    TEMPLATES,
    PanelQuery,
    mapped_fields,
    panel_queries,
    paths_in,
    read_json,
    saved_objects,
    saved_queries,
)
from support.every_kind import captured_entries, log_every_kind
from support.running_logger import logging_to

from metaexpert.logger import (
    ElasticsearchOptions,
    LoggerConfig,
    LoggingRuntime,
    LokiOptions,
    MemoryOptions,
    OtlpOptions,
)
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.identity import Identity
from metaexpert.logger.sinks.memory import MemorySink

IDENTITY = Identity(service="bot")
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
OBJECTS = {"extra", "trade_data", "error_context", "exception"}
DAYS = {"d": 1, "h": 1 / 24}


@pytest.fixture
async def documents() -> list[dict[str, Any]]:
    """What the elasticsearch sink makes of every kind of entry."""
    return [json.loads(EcsDocuments(IDENTITY, "live")(entry)) for entry in await captured_entries()]


@pytest.fixture
async def lines() -> list[dict[str, Any]]:
    """What the loki sink makes the lines of."""
    return [json.loads(JsonLines(IDENTITY)(entry)) for entry in await captured_entries()]


def yaml_file(*parts: str) -> dict[str, Any]:
    return yaml.safe_load(DEPLOY.joinpath(*parts).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DEPLOY).as_posix())
def test_every_file_parses(path: Path):
    text = path.read_text(encoding="utf-8")
    match path.suffix:
        case ".json":
            assert json.loads(text)
        case ".ndjson":
            assert all(json.loads(line) for line in text.splitlines())
        case ".yaml":
            assert yaml.safe_load(text)
        case ".toml":
            assert tomllib.loads(text)
        case ".sh":
            assert text.startswith("#!/bin/sh\n")
        case suffix:
            raise AssertionError(f"nobody checks files like {path.name} ({suffix})")


class TestMetaexpertToml:
    @pytest.mark.parametrize("name", ["metaexpert.toml", "metaexpert-collector.toml"])
    def test_it_is_a_configuration(self, name: str):
        config = LoggerConfig.load(DEPLOY / name, environ={})
        assert config.sinks

    def test_it_sends_where_compose_listens(self):
        published = {
            port.rsplit(":", 1)[0] for service in yaml_file("compose.yaml")["services"].values()
            for port in service.get("ports", [])
        }  # fmt: skip
        for name in ("metaexpert.toml", "metaexpert-collector.toml"):
            for sink in LoggerConfig.load(DEPLOY / name, environ={}).sinks:
                assert isinstance(sink, LokiOptions | ElasticsearchOptions | OtlpOptions)
                assert str(sink.url).removeprefix("http://") in published

    def test_its_data_stream_is_the_templates(self):
        sinks = LoggerConfig.load(DEPLOY / "metaexpert.toml", environ={}).sinks
        indices = {sink.index for sink in sinks if isinstance(sink, ElasticsearchOptions)}
        for path in TEMPLATES:
            (pattern,) = read_json(path)["index_patterns"]
            assert [index for index in indices if not re.fullmatch(pattern.replace("*", ".*"), index)] == []

    async def test_opensearch_gets_what_went_wrong_and_every_trade_once(self):
        sinks = LoggerConfig.load(DEPLOY / "metaexpert.toml", environ={}).sinks
        made = [
            MemoryOptions(name=sink.name, level=sink.level, log_types=sink.log_types)
            for sink in sinks
            if isinstance(sink, ElasticsearchOptions)
        ]
        async with logging_to(*made) as runtime:
            log_every_kind()
            assert await runtime.flush(timeout=5.0)
            got = sorted((entry["log_type"], entry["level"]) for name in runtime.sinks for entry in kept(runtime, name))
        wrong = [("general", level) for level in ("CRITICAL", "ERROR", "ERROR", "WARNING")]
        assert got == sorted([*wrong, ("error", "ERROR"), ("audit", "INFO"), *[("trade", "INFO")] * 7])


def kept(runtime: LoggingRuntime, name: str) -> list[dict[str, Any]]:
    memory = runtime.sinks[name]
    assert isinstance(memory, MemorySink)
    return memory.entries


class TestTemplates:
    @pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.parent.name)
    async def test_every_mapped_field_is_written_and_every_written_one_mapped(
        self, path: Path, documents: list[dict[str, Any]]
    ):
        fields = dict(mapped_fields(read_json(path)["template"]["mappings"]))
        written = {name for document in documents for name in paths_in(document)}
        assert fields.keys() - written == set()
        leaves = {name for name in written if not any(other.startswith(f"{name}.") for other in written)}
        outside = {name for name in leaves if name.split(".", 1)[0] not in OBJECTS}
        assert outside - fields.keys() == set()

    @pytest.mark.parametrize(("path", "kind"), [(TEMPLATES[0], "flattened"), (TEMPLATES[1], "flat_object")])
    def test_what_users_bring_is_one_object_each(self, path: Path, kind: str):
        fields = dict(mapped_fields(read_json(path)["template"]["mappings"]))
        assert {name: fields[name] for name in OBJECTS} == dict.fromkeys(OBJECTS, kind)

    def test_both_map_alike(self):
        first, second = (dict(mapped_fields(read_json(path)["template"]["mappings"])) for path in TEMPLATES)
        assert {name: kind for name, kind in first.items() if name not in OBJECTS} == {
            name: kind for name, kind in second.items() if name not in OBJECTS
        }

    def test_the_policies_say_the_same(self):
        phases = read_json(DEPLOY / "elasticsearch" / "ilm-policy.json")["policy"]["phases"]
        states = {
            state["name"]: state for state in read_json(DEPLOY / "opensearch" / "ism-policy.json")["policy"]["states"]
        }
        (rollover,) = [action["rollover"] for action in states["hot"]["actions"] if "rollover" in action]
        ours = phases["hot"]["actions"]["rollover"]
        assert rollover == {
            "min_primary_shard_size": ours["max_primary_shard_size"],
            "min_index_age": ours["max_age"],
        }
        for before, state in (("hot", "warm"), ("warm", "delete")):
            (step,) = states[before]["transitions"]
            assert step == {"state_name": state, "conditions": {"min_rollover_age": phases[state]["min_age"]}}
        template = read_json(TEMPLATES[0])["template"]["settings"]["index"]
        assert template["lifecycle"]["name"] == "metaexpert"
        (ism,) = read_json(DEPLOY / "opensearch" / "ism-policy.json")["policy"]["ism_template"]
        assert ism["index_patterns"] == read_json(TEMPLATES[1])["index_patterns"]


class TestGrafana:
    @pytest.mark.parametrize("query", panel_queries(), ids=lambda query: query.panel)
    async def test_a_panel_names_nothing_that_is_not_written(self, query: PanelQuery, lines: list[dict[str, Any]]):
        (loki,) = [
            sink
            for sink in LoggerConfig.load(DEPLOY / "metaexpert.toml", environ={}).sinks
            if isinstance(sink, LokiOptions)
        ]
        labels = {"service", "level", "log_type", *loki.labels}
        written = {name for line in lines for name in paths_in(line)}
        assert query.labels - labels == set()
        assert query.paths - written == set()
        flat = {name.replace(".", "_") for name in written}
        assert query.fields - labels - {"entry_id", *loki.metadata} - flat == set()

    def test_every_query_is_over_the_variables_of_the_dashboard(self):
        dashboard = read_json(DASHBOARD)
        known = {each["name"] for each in dashboard["templating"]["list"]} | {"__auto", "__range"}
        for query in panel_queries():
            assert {*re.findall(r"\$(\w+)", query.expression)} <= known
        sources = {panel["datasource"]["uid"] for panel in dashboard["panels"]}
        assert sources == {"${datasource}"}

    def test_panels_have_ids_of_their_own_and_do_not_overlap(self):
        panels = read_json(DASHBOARD)["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        cells = [
            (x, y)
            for each in (panel["gridPos"] for panel in panels)
            for x in range(each["x"], each["x"] + each["w"])
            for y in range(each["y"], each["y"] + each["h"])
        ]
        assert len({*cells}) == len(cells)
        assert max(x for x, _ in cells) < 24

    def test_it_is_provisioned_where_compose_mounts_it(self):
        (provider,) = yaml_file("grafana", "dashboards.yaml")["providers"]
        (source,) = yaml_file("grafana", "datasources.yaml")["datasources"]
        compose = yaml_file("compose.yaml")["services"]
        mounts = [mount.split(":")[1] for mount in compose["grafana"]["volumes"]]
        assert f"{provider['options']['path']}/{DASHBOARD.name}" in mounts
        assert source["url"].split("//")[1].split(":")[0] in compose


class TestSavedObjects:
    @pytest.mark.parametrize("path", SAVED_OBJECTS, ids=lambda path: path.parent.name)
    async def test_they_name_nothing_that_is_not_written(self, path: Path, documents: list[dict[str, Any]]):
        written = {name for document in documents for name in paths_in(document)}
        for query in saved_queries(path):
            assert query.fields - written == set(), query.name

    @pytest.mark.parametrize("path", SAVED_OBJECTS, ids=lambda path: path.parent.name)
    def test_every_reference_leads_somewhere(self, path: Path):
        objects = saved_objects(path)
        known = {(each["type"], each["id"]) for each in objects}
        assert len(known) == len(objects)
        for each in objects:
            assert {(reference["type"], reference["id"]) for reference in each["references"]} <= known
        (dashboard,) = [each for each in objects if each["type"] == "dashboard"]
        panels = json.loads(dashboard["attributes"]["panelsJSON"])
        assert {panel["panelRefName"] for panel in panels} == {each["name"] for each in dashboard["references"]}

    def test_below_a_flat_object_nothing_is_counted(self):
        """OpenSearch finds documents by a flat_object's fields, but its aggregations come back empty."""
        counted = {
            each["params"]["field"]
            for query in saved_queries(SAVED_OBJECTS[1])
            for each in query.aggregations
            if "field" in each["params"]
        }
        assert not [name for name in counted if name.split(".", 1)[0] in OBJECTS]

    @pytest.mark.parametrize("path", SAVED_OBJECTS, ids=lambda path: path.parent.name)
    def test_their_index_pattern_is_the_templates(self, path: Path):
        (pattern,) = [each for each in saved_objects(path) if each["type"] == "index-pattern"]
        assert [pattern["attributes"]["title"]] == read_json(TEMPLATES[0])["index_patterns"]


class TestCollector:
    def test_its_pipeline_is_made_of_what_it_defines(self):
        config = yaml_file("otelcol", "config.yaml")
        pipeline = config["service"]["pipelines"]["logs"]
        for part in ("receivers", "processors", "exporters"):
            assert {*pipeline[part]} == config[part].keys()
        assert {*config["service"]["extensions"]} == config["extensions"].keys()

    def test_loki_indexes_what_it_lifts(self):
        lifted = yaml_file("otelcol", "config.yaml")["processors"]["groupbyattrs/labels"]["keys"]
        otlp = yaml_file("loki", "loki.yaml")["limits_config"]["otlp_config"]["resource_attributes"]
        (indexed,) = [each["attributes"] for each in otlp["attributes_config"] if each["action"] == "index_label"]
        assert lifted == indexed == ["service", "env", "level", "log_type"]

    def test_its_exporter_and_receiver_are_where_compose_has_them(self):
        config, compose = yaml_file("otelcol", "config.yaml"), yaml_file("compose.yaml")["services"]
        assert config["exporters"]["otlphttp/loki"]["endpoint"].startswith("http://loki:3100/")
        assert "loki" in compose
        port = config["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rsplit(":", 1)[1]
        assert [mapping.rsplit(":", 1)[1] for mapping in compose["otelcol"]["ports"]] == [port]


class TestCompose:
    def test_it_mounts_only_files_there_are(self):
        compose = yaml_file("compose.yaml")
        for service in compose["services"].values():
            for mount in service.get("volumes", []):
                source = mount.split(":")[0]
                assert (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"]

    def test_it_listens_on_loopback_alone(self):
        for service in yaml_file("compose.yaml")["services"].values():
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))

    def test_images_are_pinned(self):
        for service in yaml_file("compose.yaml")["services"].values():
            assert re.search(r":\d+\.\d+\.\d+$", service["image"])


class TestLoki:
    def test_a_burst_holds_more_than_one_request(self):
        limits = yaml_file("loki", "loki.yaml")["limits_config"]
        (loki,) = [
            sink
            for sink in LoggerConfig.load(DEPLOY / "metaexpert.toml", environ={}).sinks
            if isinstance(sink, LokiOptions)
        ]
        assert limits["ingestion_burst_size_mb"] * 1024 * 1024 > 4 * loki.batch_max_bytes
        assert int(limits["per_stream_rate_limit_burst"].removesuffix("MB")) * 1024 * 1024 > 4 * loki.batch_max_bytes

    def test_an_entry_of_the_largest_size_fits_a_line(self):
        assert yaml_file("loki", "loki.yaml")["limits_config"]["max_line_size"] == "256KB"

    def test_what_is_kept_longest_are_trades_and_audit(self):
        limits = yaml_file("loki", "loki.yaml")["limits_config"]
        hours = {each["selector"]: each["period"] for each in limits["retention_stream"]}
        assert hours['{log_type="trade"}'] == hours['{log_type="audit"}'] == "2160h"
        days = int(hours['{log_type="trade"}'][:-1]) * DAYS["h"]
        policy = read_json(DEPLOY / "elasticsearch" / "ilm-policy.json")["policy"]["phases"]["delete"]["min_age"]
        assert days == int(policy[:-1]) * DAYS["d"]
