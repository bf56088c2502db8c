"""Throw-away certificates for loopback, made by the openssl program."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """A certification authority and what it signed; paths of PEM files."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    def server_context(self, *, wants_client: bool = False) -> ssl.SSLContext:
        """TLS for a server on 127.0.0.1; `wants_client` makes it demand a client certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.server_key)
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.authority)
        return context


def make_certificates(folder: Path) -> Certificates:
    """A new authority, a server certificate for 127.0.0.1 and a client certificate."""
    made = Certificates(*(folder / name for name in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")))
    authority_key = folder / "ca.key"
    _openssl(
        *_new_key(authority_key, made.authority, "/CN=tests"),
        *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"),
    )
    for certificate, key in ((made.server, made.server_key), (made.client, made.client_key)):
        _openssl(
            *_new_key(key, certificate, f"/CN={certificate.stem}"),
            *("-CA", str(made.authority), "-CAkey", str(authority_key)),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"),
        )
    return made


def make_server_certificate(made: Certificates, folder: Path, names: str, days: int) -> tuple[Path, Path]:
    """Another certificate of the same authority, for `names` as in subjectAltName; less than no `days`: expired."""
    certificate, key, request = folder / "other.pem", folder / "other.key", folder / "other.request"
    authority_key = made.authority.with_suffix(".key")
    _openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-subj", "/CN=other"),
        *("-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(request)),
    )
    _openssl(
        *("x509", "-req", "-in", str(request), "-CA", str(made.authority), "-CAkey", str(authority_key)),
        *("-copy_extensions", "copy", "-days", str(days), "-out", str(certificate)),
    )
    return certificate, key


def _new_key(key: Path, certificate: Path, subject: str) -> list[str]:
    return [
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2"),
        *("-subj", subject, "-keyout", str(key), "-out", str(certificate)),
    ]


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
