"""Alerts through apprise, which knows the services of others (https://appriseit.com); the extra `alerts`.

Apprise is imported with the first message, in the target's own thread, and says only whether a message was taken. An
address is a secret as a whole: it is never shown.
"""

from importlib import import_module
from typing import Any, Final, final

from metaexpert.exceptions import ConfigError
from metaexpert.logger.alerts.message import Message, lines, subject
from metaexpert.logger.alerts.targets.base import Blocking, Sent
from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.alert_targets import AppriseTargetOptions
from metaexpert.logger.outcome import Delivered, Retry

_KINDS: Final = {"info": "info", "warning": "warning", "error": "failure", "critical": "failure"}


@final
class AppriseTarget:
    """One address of apprise's.

    Args:
        options: the address.
        worker: the thread, closed with the target.
    """

    def __init__(self, options: AppriseTargetOptions, worker: Worker) -> None:
        self._options = options
        self._blocking = Blocking(worker)

    async def send(self, message: Message) -> Sent:
        """Send it."""
        return await self._blocking.run(message, lambda: self._sent(message))

    async def close(self) -> None:
        """Let the thread end."""
        self._blocking.close()

    def _sent(self, message: Message) -> Sent:
        try:
            apprise = notifier(self._options.address())
        except ConfigError as error:
            return Retry(str(error), pause=True)
        kind = "success" if message.is_over else _KINDS[str(message.words[0].alert.severity)]
        try:
            taken = apprise.notify(title=subject(message), body="\n".join(lines(message)), notify_type=kind)
        except Exception as error:  # noqa: BLE001 - plugins of many people; what they raise may show the address
            return Retry(f"apprise failed: {type(error).__name__}")
        return Delivered() if taken else Retry("the service did not take it, apprise says no more")


def notifier(address: str) -> Any:
    """What apprise makes of an address.

    Raises:
        ConfigError: apprise is not installed, or knows no such service.
    """
    try:
        apprise: Any = import_module("apprise")
    except ImportError:
        raise ConfigError("apprise is not installed: pip install 'metaexpert[alerts]'") from None
    made = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False, secure_logging=True))
    if not made.add(address):
        raise ConfigError("url: apprise knows no such service, or something is missing in it; see appriseit.com")
    return made
