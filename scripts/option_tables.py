"""Tables of every option with its default, taken from the options' own classes; written into docs/guides/configure.md.

`.venv/bin/python scripts/option_tables.py` rewrites the page between its marks, and the JSON schema for editors. Tests
compare both with what the code says, so that no option can be added, renamed or given another default without its
documentation.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeAliasType, Union, cast, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from metaexpert.logger import (
    AlertsOptions,
    AppriseTargetOptions,
    ArchiveOptions,
    AuditFailureRuleOptions,
    CaptureOptions,
    ClockOptions,
    ConsoleOptions,
    ConsoleTargetOptions,
    CustomOptions,
    DeadLetterOptions,
    DispatcherOptions,
    DropsRuleOptions,
    ElasticsearchOptions,
    EmailTargetOptions,
    EntryRuleOptions,
    ErrorOptions,
    ErrorRateRuleOptions,
    EvidenceOptions,
    FieldConditionOptions,
    FileOptions,
    FilterOptions,
    HeldBackOptions,
    HttpOptions,
    JournalOptions,
    KeysOptions,
    LoggerConfig,
    LokiOptions,
    MemoryOptions,
    NdjsonOptions,
    OtlpOptions,
    PerformanceOptions,
    QueueOptions,
    RateLimitOptions,
    RateRuleOptions,
    RedactionOptions,
    RepeatsOptions,
    RetentionOptions,
    RotationOptions,
    SamplingOptions,
    SilenceRuleOptions,
    SinkDownRuleOptions,
    SplunkOptions,
    SpoolOptions,
    SyslogOptions,
    ThresholdOptions,
    ThresholdRuleOptions,
    TracingOptions,
    WebhookTargetOptions,
)
from metaexpert.logger.configuring.presets import PRESETS
from metaexpert.logger.configuring.schema import schema_text
from metaexpert.logger.configuring.words import words_of
from metaexpert.logger.options.alert_rules import AlertRuleOptions, EntryAlertOptions
from metaexpert.logger.options.alert_targets import AlertTargetOptions
from metaexpert.logger.options.sink import SinkOptions

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "guides" / "configure.md"
SCHEMA: Final = PAGE.parents[1] / "schema" / "metaexpert.json"
BEGIN: Final = "<!-- begin: written by scripts/option_tables.py -->"
END: Final = "<!-- end -->"
PRESETS_BEGIN: Final = "<!-- begin presets: written by scripts/option_tables.py -->"
PRESETS_END: Final = "<!-- end presets -->"
KIBIBYTE: Final = 1024

SECTIONS: Final[tuple[tuple[str, type[BaseModel], type[BaseModel] | None], ...]] = (
    ("LoggerConfig", LoggerConfig, None),
    ("queue: QueueOptions", QueueOptions, None),
    ("dispatcher: DispatcherOptions", DispatcherOptions, None),
    ("redaction: RedactionOptions", RedactionOptions, None),
    ("capture: CaptureOptions", CaptureOptions, None),
    ("errors: ErrorOptions", ErrorOptions, None),
    ("journal: JournalOptions", JournalOptions, None),
    ("tracing: TracingOptions", TracingOptions, None),
    ("buffer_until_error: HeldBackOptions", HeldBackOptions, None),
    ("clock: ClockOptions", ClockOptions, None),
    ("performance: PerformanceOptions", PerformanceOptions, None),
    ("performance.thresholds: ThresholdOptions", ThresholdOptions, None),
    ("Every sink", SinkOptions, None),
    ("filter: FilterOptions", FilterOptions, None),
    ("filter.include_fields, filter.exclude_fields: FieldConditionOptions", FieldConditionOptions, None),
    ("keys: KeysOptions", KeysOptions, None),
    ("sampling: SamplingOptions", SamplingOptions, None),
    ("rate_limit: RateLimitOptions", RateLimitOptions, None),
    ("repeats: RepeatsOptions", RepeatsOptions, None),
    ("ConsoleOptions", ConsoleOptions, SinkOptions),
    ("FileOptions", FileOptions, SinkOptions),
    ("rotation: RotationOptions", RotationOptions, None),
    ("retention: RetentionOptions", RetentionOptions, None),
    ("archive: ArchiveOptions", ArchiveOptions, None),
    ("tamper_evidence: EvidenceOptions", EvidenceOptions, None),
    ("Every HTTP sink", HttpOptions, SinkOptions),
    ("spool: SpoolOptions", SpoolOptions, None),
    ("dead_letters: DeadLetterOptions", DeadLetterOptions, None),
    ("LokiOptions", LokiOptions, HttpOptions),
    ("ElasticsearchOptions", ElasticsearchOptions, HttpOptions),
    ("SplunkOptions", SplunkOptions, HttpOptions),
    ("OtlpOptions", OtlpOptions, HttpOptions),
    ("NdjsonOptions", NdjsonOptions, HttpOptions),
    ("SyslogOptions", SyslogOptions, SinkOptions),
    ("MemoryOptions", MemoryOptions, SinkOptions),
    ("CustomOptions", CustomOptions, SinkOptions),
    ("alerts: AlertsOptions", AlertsOptions, None),
    ("Every rule of alerts", AlertRuleOptions, None),
    ("Every rule about entries", EntryAlertOptions, AlertRuleOptions),
    ("EntryRuleOptions", EntryRuleOptions, EntryAlertOptions),
    ("RateRuleOptions", RateRuleOptions, EntryAlertOptions),
    ("ErrorRateRuleOptions", ErrorRateRuleOptions, EntryAlertOptions),
    ("ThresholdRuleOptions", ThresholdRuleOptions, EntryAlertOptions),
    ("SilenceRuleOptions", SilenceRuleOptions, EntryAlertOptions),
    ("SinkDownRuleOptions", SinkDownRuleOptions, AlertRuleOptions),
    ("DropsRuleOptions", DropsRuleOptions, AlertRuleOptions),
    ("AuditFailureRuleOptions", AuditFailureRuleOptions, AlertRuleOptions),
    ("Every target of alerts", AlertTargetOptions, None),
    ("ConsoleTargetOptions", ConsoleTargetOptions, AlertTargetOptions),
    ("WebhookTargetOptions", WebhookTargetOptions, AlertTargetOptions),
    ("EmailTargetOptions", EmailTargetOptions, AlertTargetOptions),
    ("AppriseTargetOptions", AppriseTargetOptions, AlertTargetOptions),
)
"""Heading, class, and the class whose options are listed above already."""

SELF_EXPLANATORY: Final = {
    "type": "What tells the sinks in a list apart.",
}
"""Words for options whose class says none."""


def tables() -> str:
    """All tables, as Markdown."""
    return "\n\n".join(f"### {heading}\n\n{_table(model, above)}" for heading, model, above in SECTIONS)


def preset_table() -> str:
    """What each preset says, and nothing where it says nothing."""
    names = list(PRESETS)
    values = {name: dict(_options_of(preset)) for name, preset in PRESETS.items()}
    keys = dict.fromkeys(key for preset in values.values() for key in preset)
    lines = [f"| option | {' | '.join(f'`{name}`' for name in names)} |", "| --- " * (len(names) + 1) + "|"]
    lines += [f"| `{key}` | {' | '.join(values[name].get(key, '') for name in names)} |" for key in keys]
    return "\n".join(lines)


def _options_of(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _options_of(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        else:
            size = f" ({_binary(value)})" if type(value) is int and value % KIBIBYTE == 0 else ""
            yield f"{prefix}{key}", f"`{_written(value)}`{size}"


def page_with(text: str, content: str, begin: str = BEGIN, end: str = END) -> str:
    """`text` with `content` between the marks."""
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def whole_page(text: str) -> str:
    """`text` with every table as the code has it."""
    return page_with(page_with(text, tables()), preset_table(), PRESETS_BEGIN, PRESETS_END)


def _table(model: type[BaseModel], above: type[BaseModel] | None) -> str:
    lines = ["| option | type | default | meaning |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {meaning(model, name)} |"
        for name, field in model.model_fields.items()
        if above is None or _differs(field, above.model_fields.get(name))
    ]
    return "\n".join(lines)


def _differs(field: FieldInfo, above: FieldInfo | None) -> bool:
    return above is None or _default(field) != _default(above)


def meaning(model: type[BaseModel], name: str) -> str:
    """What the option's class says of it, else a class above, else what stands here."""
    return words_of(model, name).replace("\n", " ").replace("|", "\\|") or SELF_EXPLANATORY[name]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its own defaults"
    if value is None:
        return "left out"
    if type(value) is int and value >= KIBIBYTE and value % KIBIBYTE == 0:
        return f"`{value}` ({_binary(value)})"
    return f"`{_written(value)}`"


def _written(value: Any) -> str:
    """A default as TOML has it."""
    match value:
        case bool():
            return str(value).lower()
        case str() | Path():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(map(_written, cast('tuple[Any, ...]', value)))}]"
        case _:
            return str(value)


def _binary(value: int) -> str:
    mebibytes, rest = divmod(value, KIBIBYTE * KIBIBYTE)
    return f"{value // KIBIBYTE} KiB" if rest else f"{mebibytes} MiB"


def _type(annotation: Any) -> str:
    return " or ".join(dict.fromkeys(_names(annotation)))


def _names(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, TypeAliasType):
        yield from _alias(annotation)
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _names(arguments[0])
    elif origin is Literal:
        yield from (f'`"{value}"`' for value in arguments)
    elif origin in {Union, UnionType}:
        yield from _all_names(arguments)
    elif origin is tuple:
        yield f"list of {_type(arguments[0])}"
    elif origin is dict:
        yield f"table of {_type(arguments[1])}"
    elif isinstance(annotation, type):
        yield from _class(annotation)
    else:
        raise TypeError(f"no words for {annotation!r}")


def _alias(alias: TypeAliasType) -> Iterator[str]:
    words = {
        "LevelName": "level",
        "HttpUrl": "address",
        "Duration": 'seconds, or `"90d"`',
        "AnySink": "sink",
        "AnyRule": "rule",
        "AnyTarget": "target",
        "SinkFactory": 'function, or `"module:name"`',
        "AuditFailureHook": 'function, or `"module:name"`',
    }
    if alias.__name__ in words:
        yield words[alias.__name__]
    else:
        yield from _names(alias.__value__)


def _all_names(annotations: Iterable[Any]) -> Iterator[str]:
    for annotation in annotations:
        yield from _names(annotation)


def _class(kind: type) -> Iterator[str]:
    if issubclass(kind, StrEnum):
        yield from (f'`"{member}"`' for member in kind)
    elif issubclass(kind, BaseModel):
        yield "table"
    else:
        names: dict[type, str] = {
            bool: "boolean",
            int: "integer",
            float: "number",
            str: "string",
            Path: "path",
            SecretStr: "secret string",
            NoneType: "left out",
        }
        yield names[kind]


if __name__ == "__main__":
    PAGE.write_text(whole_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
