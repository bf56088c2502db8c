"""What stands in examples/deploy, read so that tests can run it: dashboards' queries, saved objects, templates."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).resolve().parents[2] / "examples" / "deploy"
DASHBOARD = DEPLOY / "grafana" / "metaexpert.json"
SAVED_OBJECTS = (DEPLOY / "elasticsearch" / "kibana.ndjson", DEPLOY / "opensearch" / "dashboards.ndjson")
TEMPLATES = (DEPLOY / "elasticsearch" / "index-template.json", DEPLOY / "opensearch" / "index-template.json")

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')
_EXTRACTED = re.compile(r'\b(\w+)="((?:extra|trade_data|error_context|exception)\.[\w.]+)"')
_SELECTOR = re.compile(r"\{([^{}]*)\}")
_BY = re.compile(r"\bby \(([^)]*)\)")
_FILTER = re.compile(r"\|\s*(\w+)\s*(?:=~|!=|=|!~)")
_UNWRAP = re.compile(r"\bunwrap (\w+)")
_SHOWN = re.compile(r"\{\{\.(\w+)\}\}")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """A LogQL query of the Grafana dashboard.

    Attributes:
        panel: the panel's title.
        kind: the panel's type.
        expression: the query, variables and all.
    """

    panel: str
    kind: str
    expression: str

    def filled(self, **variables: str) -> str:
        """The query as Grafana sends it."""
        values = {"env": ".*", "service": ".+", "level": ".+", "order_id": ".*", "search": ""}
        values |= {"__auto": "5m", "__range": "1h"} | variables
        return re.sub(r"\$(\w+)", lambda match: values[match[1]], self.expression)

    @property
    def labels(self) -> set[str]:
        """Labels of streams it selects by."""
        return {name for selector in _SELECTOR.findall(self._bare) for name in _MATCHER.findall(selector)}

    @property
    def paths(self) -> set[str]:
        """Paths into a line it takes values from."""
        return {path for _, path in _EXTRACTED.findall(self.expression)}

    @property
    def fields(self) -> set[str]:
        """Labels, metadata and keys of lines it filters, groups and shows by, but for those it has named itself."""
        grouped = {name.strip() for names in _BY.findall(self._bare) for name in names.split(",")}
        used = grouped | {*_FILTER.findall(self._bare), *_UNWRAP.findall(self._bare), *_SHOWN.findall(self.expression)}
        return used - {name for name, _ in _EXTRACTED.findall(self.expression)} - {"json"}

    @property
    def _bare(self) -> str:
        """The query without what is in quotes."""
        return _STRING.sub('""', self.expression)


def panel_queries() -> list[PanelQuery]:
    return [
        PanelQuery(panel["title"], panel["type"], target["expr"])
        for panel in read_json(DASHBOARD)["panels"]
        for target in panel["targets"]
    ]


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A saved search or visualization: what it asks the server for.

    Attributes:
        name: its id.
        query: in Lucene's syntax.
        aggregations: as the visualization has them.
        columns: the fields a search shows.
    """

    name: str
    query: str
    aggregations: list[dict[str, Any]]
    columns: list[str]

    def body(self) -> dict[str, Any]:
        """The search the dashboards send for it."""
        body: dict[str, Any] = {
            "query": {"query_string": {"query": self.query}},
            "size": 0 if self.aggregations else 50,
        }
        inner = body
        for each in self.aggregations:
            if each["type"] != "count":
                inner["aggs"] = {each["id"]: _aggregation(each["type"], each["params"])}
                inner = inner["aggs"][each["id"]]
        return body

    @property
    def fields(self) -> set[str]:
        """The fields it names."""
        queries = [self.query]
        named = {each["params"]["field"] for each in self.aggregations if "field" in each["params"]}
        for each in self.aggregations:
            queries += [one["input"]["query"] for one in each["params"].get("filters", [])]
        return {*self.columns, *named, *(name for query in queries for name in re.findall(r"([\w.]+):", query))}


def _aggregation(kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
    match kind:
        case "date_histogram":
            return {kind: {"field": params["field"], "fixed_interval": "1m", "min_doc_count": 1}}
        case "terms":
            return {kind: {"field": params["field"], "size": params["size"]}}
        case "filters":
            named = {one["label"]: {"query_string": {"query": one["input"]["query"]}} for one in params["filters"]}
            return {kind: {"filters": named}}
        case _:
            raise AssertionError(f"the test knows no aggregation {kind!r}")


def saved_objects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def saved_queries(path: Path) -> list[SavedQuery]:
    return [_saved_query(each) for each in saved_objects(path) if each["type"] in {"search", "visualization"}]


def _saved_query(each: dict[str, Any]) -> SavedQuery:
    attributes = each["attributes"]
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    state = json.loads(attributes.get("visState", "{}"))
    return SavedQuery(each["id"], source["query"]["query"], state.get("aggs", []), attributes.get("columns", []))


def mapped_fields(mappings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every field of a template's mappings with its type."""
    for name, field in mappings["properties"].items():
        if "properties" in field:
            yield from mapped_fields(field, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field["type"]


def paths_in(document: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every path of a document that leads to a value, and those on the way."""
    for name, value in document.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from paths_in(value, f"{prefix}{name}.")  # pyright: ignore[reportUnknownArgumentType] - JSON
