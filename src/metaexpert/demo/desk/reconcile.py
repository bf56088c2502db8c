"""A job that fails ten times for the same reason, its local variables full of what nobody may see."""

from decimal import Decimal
from typing import Final

from metaexpert.demo.desk.gateway import Credentials
from metaexpert.logger import get_logger

LOGGER: Final = "demo.balances"
MESSAGE: Final = "balances differ"
ATTEMPTS: Final = 10
_BOOKED: Final = Decimal("1250.00")
_REPORTED: Final = Decimal("1249.10")

log = get_logger(LOGGER)


class BalanceMismatchError(Exception):
    """The exchange reports another balance than the books."""


def reconcile(credentials: Credentials) -> None:
    """Compare the books with the exchange, again and again, and log each failure."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _compare(_BOOKED, _REPORTED, credentials.api_secret)
        except BalanceMismatchError:
            log.exception(MESSAGE, attempt=attempt)


def _compare(booked: Decimal, reported: Decimal, api_secret: str) -> None:
    asked = f"/sapi/v3/asset/getUserAsset?signature={api_secret}"
    if booked != reported:
        raise BalanceMismatchError(f"the books have {booked}, {asked.partition('?')[0]} says {reported}")
