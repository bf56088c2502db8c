"""Every sink of ours keeps the rules that the runtime relies on."""

from pathlib import Path
from typing import override

from support.sink_harnesses import (
    ConsoleHarness,
    ElasticsearchHarness,
    FileHarness,
    LokiHarness,
    MemoryHarness,
    NdjsonHarness,
    OtlpHarness,
    SplunkHarness,
)

from metaexpert.logger.testing import SinkConformance, SinkHarness


class TestConsole(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return ConsoleHarness()


class TestFileOfText(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return FileHarness(folder, json_logging=False)


class TestFileOfJsonThatRotates(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return FileHarness(folder, json_logging=True, max_bytes=20_000)


class TestMemory(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return MemoryHarness()


class TestLoki(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return LokiHarness()


class TestElasticsearch(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return ElasticsearchHarness()


class TestOtlp(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return OtlpHarness("protobuf")


class TestOtlpInJson(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return OtlpHarness("json")


class TestNdjson(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return NdjsonHarness()


class TestNdjsonOfEcs(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return NdjsonHarness(format="ecs", gzip_min_bytes=0)


class TestSplunk(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return SplunkHarness(acks=False)


class TestSplunkWithAcknowledgement(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return SplunkHarness(acks=True)
