"""Every sink of ours keeps the rules that the runtime relies on."""

from pathlib import Path
from typing import override

from support.certificates import make_certificates
from support.sink_harnesses import (
    ConsoleHarness,
    ElasticsearchHarness,
    FileHarness,
    LokiHarness,
    MemoryHarness,
    NdjsonHarness,
    OtlpHarness,
    SplunkHarness,
    syslog_over,
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


class TestSyslogOverTcp(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return syslog_over("tcp")


class TestSyslogOverTls(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        made = make_certificates(folder)
        return syslog_over("tls", made.server_context(), ca_file=made.authority)


class TestSyslogOverUdp(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return syslog_over("udp")


class TestSyslogOverALocalSocketOfDatagrams(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return syslog_over("unix-datagrams")


class TestSyslogOverALocalStream(SinkConformance):
    @override
    def harness(self, folder: Path) -> SinkHarness:
        return syslog_over("unix-stream")
