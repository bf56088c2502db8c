"""A certificate that does not verify: nothing is sent, everything waits, and arrives once the certificate is mended."""

import logging
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Certificates, make_certificates, make_server_certificate
from support.faults import trial
from support.holding_collector import HoldingCollector
from support.scripted_collector import serving

from metaexpert.logger.spool.inspection import queue_state


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is needed to make certificates")
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def collector() -> HoldingCollector:
    return HoldingCollector("loki")


async def outlast(collector: HoldingCollector, tls: ssl.SSLContext, certificates: Certificates, words: str) -> None:
    """Log to a server that shows the wrong certificate, and later the right one."""
    async with (
        serving(collector, tls),
        trial(collector.options(ca_file=certificates.authority, bearer_token="s3cret")) as run,
    ):
        run.log()
        await run.shows("failed", "TLS: ")
        assert words in (run.stats.last_error or "")
        await run.healthy_keeps_up()
        assert collector.requests == []
        tls.load_cert_chain(certificates.server, certificates.server_key)
        await run.recovers()
    run.assert_all_arrived(collector.held.elements())


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_self_signed_certificate(collector: HoldingCollector, certificates: Certificates, tmp_path: Path):
    stranger = make_certificates(tmp_path)
    own = server_context(stranger.authority, stranger.authority.with_suffix(".key"))
    await outlast(collector, own, certificates, "self-signed certificate")


async def test_a_certificate_of_another_authority(
    collector: HoldingCollector, certificates: Certificates, tmp_path: Path
):
    stranger = make_certificates(tmp_path)
    await outlast(collector, stranger.server_context(), certificates, "certificate verify failed")


async def test_a_certificate_for_another_host(collector: HoldingCollector, certificates: Certificates, tmp_path: Path):
    other = make_server_certificate(certificates, tmp_path, "IP:127.0.0.2,DNS:other.example", days=2)
    await outlast(collector, server_context(*other), certificates, "IP address mismatch")


async def test_a_certificate_that_has_expired(collector: HoldingCollector, certificates: Certificates, tmp_path: Path):
    expired = make_server_certificate(certificates, tmp_path, "IP:127.0.0.1", days=-1)
    await outlast(collector, server_context(*expired), certificates, "certificate has expired")


@pytest.mark.parametrize("content", ["missing", "no certificate", "another authority"])
async def test_an_authority_file_that_is_mended_while_logging_runs(
    collector: HoldingCollector, certificates: Certificates, tmp_path: Path, content: str
):
    authority = tmp_path / "ca.pem"
    if content == "no certificate":
        authority.write_text("nothing of the kind\n")
    elif content == "another authority":
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        shutil.copy(make_certificates(elsewhere).authority, authority)
    options: dict[str, Any] = {"ca_file": authority}
    async with serving(collector, certificates.server_context()), trial(collector.options(**options)) as run:
        run.log()
        await run.shows("failed", "TLS")
        await run.healthy_keeps_up()
        assert collector.requests == []
        shutil.copy(certificates.authority, authority)
        await run.recovers()
    run.assert_all_arrived(collector.held.elements())


async def test_a_server_that_speaks_no_tls(
    collector: HoldingCollector, certificates: Certificates, caplog: pytest.LogCaptureFixture
):
    """As when the proxy before it was taken away: nothing is sent, and the next start finds all of it on disk."""
    caplog.set_level(logging.CRITICAL + 1, "aiohttp.server")  # the server here is bewildered, and would log here too
    async with serving(collector):
        url = collector.url.replace("http:", "https:")
        async with trial(collector.options(url, ca_file=certificates.authority), shutdown_timeout=0.2) as run:
            run.log()
            await run.shows("failed", "TLS: ")
            await run.healthy_keeps_up()
    assert collector.requests == []
    ledger = run.stats.ledger
    assert (ledger.spooled, dict(ledger.dropped)) == (run.logged, {})
    assert queue_state(run.runtime.config.log_dir / "spool" / "loki-loki").entries == run.logged
