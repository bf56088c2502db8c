"""The context in which certificates are verified."""

import ssl
from pathlib import Path
from typing import Protocol

from metaexpert.logger.options.http import HttpOptions


class TlsChoices(Protocol):
    """What options of a destination say of TLS."""

    @property
    def verify_tls(self) -> bool:
        """Whether the server's certificate is verified."""
        ...

    @property
    def ca_file(self) -> Path | None:
        """Authorities to trust instead of the system's."""
        ...

    @property
    def client_cert_file(self) -> Path | None:
        """The client certificate."""
        ...

    @property
    def client_key_file(self) -> Path | None:
        """Its key, where it is in a file of its own."""
        ...


def tls_context(options: HttpOptions) -> ssl.SSLContext | bool:
    """The context certificates are verified in; False, only on explicit request, for no verification.

    Raises:
        OSError: a file cannot be read, or is no certificate or key (ssl.SSLError).
        ValueError: the key is encrypted.
    """
    if not options.verify_tls and not options.client_cert_file:
        return False
    return client_context(options)


def client_context(options: TlsChoices) -> ssl.SSLContext:
    """As `tls_context`, and a context in any case.

    Raises:
        OSError: a file cannot be read, or is no certificate or key (ssl.SSLError).
        ValueError: the key is encrypted.
    """
    context = ssl.create_default_context(cafile=str(options.ca_file) if options.ca_file else None)
    if not options.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.client_cert_file:
        context.load_cert_chain(
            str(options.client_cert_file),
            str(options.client_key_file) if options.client_key_file else None,
            password=_no_passphrase,
        )
    return context


def _no_passphrase() -> str:
    """Instead of OpenSSL's own question on the terminal, which would hold the thread for ever."""
    raise ValueError("the key is encrypted; store it without a passphrase, readable by its owner alone")
