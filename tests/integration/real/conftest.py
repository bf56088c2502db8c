"""Fixtures for the real servers, started once a session, and the words at its end that say which ones ran.

An address in a variable is used as it is; else the server is started where `scripts/dev.py servers` could install it;
else its tests skip and say why.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from support import real_servers
from support.certificates import Certificates, make_certificates
from support.real_servers import OtlpCollector, Rsyslog, ServerFailedError

from devtools.real_servers import Installed, installed, rotel_executable, rsyslog_executable

ROOT = Path(__file__).resolve().parents[3]
OPENSEARCH_URL = "METAEXPERT_TEST_OPENSEARCH_URL"
LOKI_URL = "METAEXPERT_TEST_LOKI_URL"
LOKI_BINARY = "METAEXPERT_TEST_LOKI_BINARY"

_TOLD = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TOLD] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Which real servers the tests ran against."""
    told = config.stash.get(_TOLD, {})
    if told:
        terminalreporter.section("real servers")
        for name, words in told.items():
            terminalreporter.write_line(f"{name} {words}")


@pytest.fixture(scope="session")
def opensearch_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The address of an OpenSearch (or Elasticsearch)."""
    told = request.config.stash[_TOLD]
    url = os.environ.get(OPENSEARCH_URL, "").rstrip("/")
    if url:
        told["OpenSearch"] = f"{_version_at(url)} ({OPENSEARCH_URL})"
        yield url
        return
    found = installed(ROOT, "opensearch")
    _skip_where_absent(found, told)
    with _or_fail(found, told), real_servers.opensearch(found.folder, tmp_path_factory.mktemp("opensearch")) as started:
        told["OpenSearch"] = f"{_version_at(started)} (started)"
        yield started


@pytest.fixture(scope="session")
def real_otlp(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[OtlpCollector]:
    """A real OpenTelemetry collector: `url` takes OTLP/HTTP, `records()` is what it passed on."""
    told = request.config.stash[_TOLD]
    found = installed(ROOT, "rotel")
    _skip_where_absent(found, told)
    executable = rotel_executable(found.folder)
    with _or_fail(found, told), real_servers.rotel(executable, tmp_path_factory.mktemp("rotel")) as started:
        told["rotel"] = f"{found.version} (started)"
        yield started


@pytest.fixture
def rsyslog(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Rsyslog]:
    """A real rsyslogd that takes UDP and TCP."""
    yield from _rsyslogd(request, tmp_path / "rsyslog", None)


@pytest.fixture
def rsyslog_tls(request: pytest.FixtureRequest, tmp_path: Path, certificates: Certificates) -> Generator[Rsyslog]:
    """A real rsyslogd whose TCP is TLS, with client certificates."""
    tls = (certificates.authority, certificates.server, certificates.server_key)
    yield from _rsyslogd(request, tmp_path / "rsyslog", tls)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """Throw-away ones."""
    return make_certificates(tmp_path)


def _rsyslogd(request: pytest.FixtureRequest, folder: Path, tls: tuple[Path, Path, Path] | None) -> Generator[Rsyslog]:
    told = request.config.stash[_TOLD]
    found = installed(ROOT, "rsyslog")
    _skip_where_absent(found, told)
    daemon = Rsyslog(rsyslog_executable(found.folder), folder, tls)
    try:
        with _or_fail(found, told):
            daemon.start()
        told["rsyslog"] = f"{found.version} (started)"
        yield daemon
    finally:
        daemon.kill()


@pytest.fixture(scope="session")
def loki_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The address of a Grafana Loki."""
    told = request.config.stash[_TOLD]
    url, binary = os.environ.get(LOKI_URL, "").rstrip("/"), os.environ.get(LOKI_BINARY, "")
    if url:
        told["Loki"] = f"{_loki_version_at(url)} ({LOKI_URL})"
        yield url
        return
    wanted = Installed("Loki", "", Path(binary), "" if binary else f"neither {LOKI_URL} nor {LOKI_BINARY} names one")
    _skip_where_absent(wanted, told)
    with _or_fail(wanted, told), real_servers.loki(wanted.folder, tmp_path_factory.mktemp("loki")) as started:
        told["Loki"] = f"{_loki_version_at(started)} (started)"
        yield started


def _skip_where_absent(found: Installed, told: dict[str, str]) -> None:
    if found.reason:
        told[found.name] = f"{found.version} (skipped: {found.reason})".lstrip()
        pytest.skip(f"{found.name}: {found.reason}")


@contextmanager
def _or_fail(found: Installed, told: dict[str, str]) -> Generator[None]:
    """What is installed and does not start is a failure, not a reason to skip."""
    try:
        yield
    except ServerFailedError:
        told[found.name] = f"{found.version} (FAILED to start)"
        raise


def _version_at(url: str) -> str:
    return orjson.loads(real_servers.answer_of(url) or b'{"version":{"number":"?"}}')["version"]["number"]


def _loki_version_at(url: str) -> str:
    answer = real_servers.answer_of(f"{url}/loki/api/v1/status/buildinfo") or b"{}"
    return orjson.loads(answer).get("version") or "of unknown version"
