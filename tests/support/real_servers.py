"""Real servers as processes of their own on free loopback ports, with their data in a folder of the test run's.

Each ends with its context; `guarded.py` sees to that even where this process is killed.
"""

import contextlib
import gzip
import http.server
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, override

from support import guarded

START_SECONDS = 60.0
_POLL_SECONDS = 0.05
_STOP_SECONDS = guarded.GRACE_SECONDS + 10.0
_ATTEMPTS = 3
"""A port that was free a moment ago may be taken by the time a server that can't choose one itself asks for it."""

NODE = Path(__file__).resolve().parents[1] / "integration" / "real" / "opensearch" / "OpenSearchNode.java"


class ServerFailedError(Exception):
    """A real server did not start; its last words are in the message."""


class ServerProcess:
    """A command that runs under guard, with its output in a file."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.output = folder / "output.txt"
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, guarded.__file__, *command],
                stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
            )  # fmt: skip

    @property
    def said(self) -> str:
        """What it printed until now."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait_until[T](self, answer: Callable[[], T | None], seconds: float = START_SECONDS) -> T:
        """Ask until there is an answer.

        Raises:
            ServerFailedError: it ended, or gave none in time.
        """
        deadline = time.monotonic() + seconds
        while (found := answer()) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailedError(f"did not start: {self.said[-2000:]}")
            time.sleep(_POLL_SECONDS)
        return found

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()


@contextmanager
def _running(command: Sequence[str], folder: Path) -> Generator[ServerProcess]:
    folder.mkdir(parents=True, exist_ok=True)
    process = ServerProcess(command, folder)
    try:
        yield process
    finally:
        process.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer_of(url: str) -> bytes | None:
    """The body of a good answer; None as long as there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5.0) as response:  # noqa: S310 - a loopback address of our own
            return response.read()
    except (OSError, urllib.error.URLError):
        return None


# ---- OpenSearch ----------------------------------------------------------------------------------------------------


@contextmanager
def opensearch(jars: Path, folder: Path) -> Generator[str]:
    """An OpenSearch node from its jars; its address.

    Raises:
        ServerFailedError: it did not start.
    """
    java = shutil.which("java") or "java"
    # one small heap and the quick compiler alone: it lives for a minute on two cores that others need
    options = ("-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=warn")
    command = [java, *options, "-cp", f"{jars}/*", str(NODE), str(folder)]
    with _running(command, folder) as process:
        port = process.wait_until(lambda: re.search(r"^listening (\d+)$", process.said, re.MULTILINE))[1]
        url = f"http://127.0.0.1:{port}"
        process.wait_until(lambda: answer_of(f"{url}/_cluster/health?wait_for_status=yellow&timeout=5s"))
        yield url


# ---- rotel ---------------------------------------------------------------------------------------------------------


class OtlpCollector:
    """A real OpenTelemetry collector, and what came out of it at the other end.

    Attributes:
        url: where it takes OTLP/HTTP; logs under `/v1/logs`.
        http_port: the port of that address.
        grpc_port: where it takes OTLP/gRPC.
        exported_port: where it sends what it took.
    """

    def __init__(self, http_port: int, grpc_port: int, exported: "_Exported") -> None:
        self.url = f"http://127.0.0.1:{http_port}"
        self.http_port = http_port
        self.grpc_port = grpc_port
        self.exported_port = exported.server_port
        self._exported = exported

    def exported(self) -> list[bytes]:
        """Every `ExportLogsServiceRequest` the collector sent on since the start, as protobuf bytes."""
        return list(self._exported.bodies)

    def records(self) -> list[Any]:
        """Their log records (protobuf messages), in the order they came."""
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        return [
            record
            for body in self.exported()
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


class _Exported(http.server.ThreadingHTTPServer):
    """Where the collector sends what it was given: keeps the bodies."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keep)
        self.bodies: list[bytes] = []


class _Keep(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Keep the body without its compression."""
        assert isinstance(self.server, _Exported)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


@contextmanager
def rotel(executable: Path, folder: Path) -> Generator[OtlpCollector]:
    """Rotel between two loopback ports: it takes OTLP and sends it on to where it can be looked at.

    Raises:
        ServerFailedError: it did not start.
    """
    with _exported() as exported, contextlib.ExitStack() as stack:
        for attempt in range(1, _ATTEMPTS + 1):
            collector = OtlpCollector(_free_port(), _free_port(), exported)
            process = stack.enter_context(_running(_rotel_command(executable, collector), folder / str(attempt)))
            try:
                process.wait_until(lambda port=collector.http_port: _listens(port))
            except ServerFailedError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                yield collector
                return


def _rotel_command(executable: Path, collector: OtlpCollector) -> list[str]:
    return [
        str(executable), "start",
        "--otlp-http-endpoint", f"127.0.0.1:{collector.http_port}",
        "--otlp-grpc-endpoint", f"127.0.0.1:{collector.grpc_port}",
        "--otlp-exporter-endpoint", f"http://127.0.0.1:{collector.exported_port}",
        "--otlp-exporter-protocol", "http",
        "--batch-timeout", "50ms",
    ]  # fmt: skip


@contextmanager
def _exported() -> Generator[_Exported]:
    server = _Exported()
    thread = threading.Thread(target=server.serve_forever, name="otlp-exported")
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _listens(port: int) -> bool | None:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return None
    return True


# ---- rsyslog -----------------------------------------------------------------------------------------------------

_RSYSLOG = """\
global(workDirectory="{folder}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off" {tls})
module(load="imudp")
module(load="imtcp" {driver})
template(name="line" type="list" option.jsonf="on") {{
  property(outname="pri" name="pri" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="pid" name="procid" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="sd" name="structured-data" format="jsonf")
  property(outname="text" name="msg" format="jsonf")
}}
ruleset(name="keep") {{
  action(type="omfile" file="{folder}/received.jsonl" template="line")
}}
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="keep")
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="keep")
"""


class Rsyslog:
    """A real rsyslogd, which can be stopped, killed and begun again at the same address.

    Args:
        executable: the daemon.
        folder: its files.
        tls: paths of authority, certificate and key; clients then need a certificate of that authority over TCP.
    """

    def __init__(self, executable: Path, folder: Path, tls: tuple[Path, Path, Path] | None = None) -> None:
        self._executable = executable
        self._folder = folder
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Begin, at a free port the first time.

        Raises:
            ServerFailedError: it did not.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, _ATTEMPTS + 1):
            self.port = self.port or _free_port()
            config = self._folder / "rsyslog.conf"
            config.write_text(self._config(), encoding="utf-8")
            command = [str(self._executable), "-n", "-f", str(config), "-i", str(self._folder / "pid")]
            with (self._folder / "output.txt").open("ab") as output:
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            if self._began():
                return
            self.kill()
            if attempt < _ATTEMPTS:
                self.port = 0
        raise ServerFailedError((self._folder / "output.txt").read_text(encoding="utf-8", errors="replace")[-2000:])

    def _began(self) -> bool:
        deadline = time.monotonic() + _RSYSLOG_SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            if _listens(self.port):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _config(self) -> str:
        tls = driver = ""
        if self._tls is not None:
            authority, certificate, key = self._tls
            tls = (
                f'defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{authority}" '
                f'defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}"'
            )
            driver = 'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid"'
        return _RSYSLOG.format(folder=self._folder, port=self.port, tls=tls, driver=driver)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_STOP_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
            self._process = None

    @property
    def received(self) -> list[dict[str, str]]:
        """Every message it wrote down, taken apart by it; the last line may be under way."""
        file = self._folder / "received.jsonl"
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_bytes().split(b"\n")[:-1]]


_RSYSLOG_SECONDS = 20.0


# ---- Loki ----------------------------------------------------------------------------------------------------------

_LOKI = """\
auth_enabled: false
target: all
server:
  http_listen_address: 127.0.0.1
  http_listen_port: {http_port}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: {grpc_port}
  log_level: warn
analytics:
  reporting_enabled: false
common:
  instance_addr: 127.0.0.1
  instance_interface_names: [lo]
  path_prefix: {folder}
  replication_factor: 1
  ring:
    instance_addr: 127.0.0.1
    kvstore:
      store: inmemory
  storage:
    filesystem:
      chunks_directory: {folder}/chunks
      rules_directory: {folder}/rules
schema_config:
  configs:
    - from: 2020-10-24
      store: tsdb
      object_store: filesystem
      schema: v13
      index:
        prefix: index_
        period: 24h
"""
"""Loki's own defaults for every limit; loopback only."""


@contextmanager
def loki(executable: Path, folder: Path) -> Generator[str]:
    """A single-binary Loki; its address.

    Raises:
        ServerFailedError: it did not start.
    """
    with contextlib.ExitStack() as stack:
        for attempt in range(1, _ATTEMPTS + 1):
            home, http_port = folder / str(attempt), _free_port()
            config = _loki_config(home, http_port)
            process = stack.enter_context(_running([str(executable), f"-config.file={config}"], home))
            url = f"http://127.0.0.1:{http_port}"
            try:
                process.wait_until(lambda ready=f"{url}/ready": answer_of(ready))
            except ServerFailedError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                yield url
                return


def _loki_config(home: Path, http_port: int) -> Path:
    home.mkdir(parents=True)
    config = home / "loki.yaml"
    config.write_text(_LOKI.format(http_port=http_port, grpc_port=_free_port(), folder=home), encoding="utf-8")
    return config
