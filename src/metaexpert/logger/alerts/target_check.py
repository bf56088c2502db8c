"""What keeps a target from being told, as far as that shows without telling it: secrets, certificates, addresses."""

from collections.abc import Iterator

from metaexpert.exceptions import ConfigError
from metaexpert.logger.options.alert_targets import (
    AnyTarget,
    AppriseTargetOptions,
    EmailTargetOptions,
    WebhookTargetOptions,
    address_fault,
)
from metaexpert.logger.sinks.tls import tls_context


def target_errors(options: AnyTarget) -> Iterator[str]:
    """What is wrong, each by its option; files that cannot be read are told elsewhere."""
    match options:
        case WebhookTargetOptions():
            yield from _webhook_errors(options)
        case EmailTargetOptions(ca_file=ca_file) if ca_file is not None and not ca_file.is_file():
            yield f"ca_file: there is no file {str(ca_file)!r}"
        case AppriseTargetOptions():
            yield from _apprise_errors(options)
        case _:
            return


def target_risks(options: AnyTarget) -> Iterator[str]:
    """What works, but is hardly meant."""
    if isinstance(options, WebhookTargetOptions | EmailTargetOptions) and not options.verify_tls:
        yield "verify_tls: is off: whoever stands in between can read the alerts; name a ca_file instead"


def _webhook_errors(options: WebhookTargetOptions) -> Iterator[str]:
    try:
        fault = address_fault(options.address())
    except ConfigError:  # that its file cannot be read is told with all secrets
        return
    if fault:
        yield f"url_file: the address in it {fault}"
    named = [str(path) for path in (options.ca_file, options.client_cert_file, options.client_key_file) if path]
    try:
        tls_context(options.as_http("https://localhost"))
    except (OSError, ValueError) as error:
        yield f"{', '.join(named)} cannot be used: {error}"


def _apprise_errors(options: AppriseTargetOptions) -> Iterator[str]:
    from metaexpert.logger.alerts.targets.apprise import notifier  # noqa: PLC0415 - where it is wanted

    try:
        address = options.address()
    except ConfigError:  # as above
        return
    try:
        notifier(address)
    except ConfigError as error:
        yield str(error)
