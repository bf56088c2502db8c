"""Secrets that are logged on purpose, made anew for each run, and a harmless word beside each of them.

None may be found in any byte of any file, or of what was sent; the word has to be, or looking would prove nothing.
"""

import base64
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from metaexpert.demo.desk.gateway import Credentials
from metaexpert.logger import get_logger

LOGGER: Final = "demo.careless"
MARK: Final = "the word beside them"
_LETTERS: Final = string.ascii_letters + string.digits

log = get_logger(LOGGER)


@dataclass(frozen=True, slots=True)
class Planted:
    """What is logged on purpose.

    Attributes:
        credentials: An exchange's key and the secret that goes with it.
        password: Of a database.
        token: A JSON web token.
        mark: The harmless word.
    """

    credentials: Credentials
    password: str
    token: str
    mark: str

    @classmethod
    def made(cls) -> Self:
        """New ones."""
        credentials = Credentials(_letters(64), _letters(64))
        return cls(credentials, _letters(20), _web_token(), f"harmless{secrets.token_hex(8)}")

    @property
    def secrets(self) -> Mapping[str, str]:
        """What must not be found, by name."""
        key, secret = self.credentials.api_key, self.credentials.api_secret
        return {"key": key, "secret": secret, "password": self.password, "token": self.token}

    def log(self) -> None:
        """Log them in every way that secrets get into logs: as fields, in texts, in addresses, beside trades."""
        marked = log.bind(mark=self.mark)
        key, secret = self.credentials.api_key, self.credentials.api_secret
        marked.info("credentials loaded", api_key=key, account={"name": "main", "api_secret": secret})
        marked.warning("connecting with password=%s", self.password)
        marked.error("refused: https://api.binance.com/api/v3/account?timestamp=1&signature=%s", secret)
        marked.trade.balance_changed(asset="USDT", balance="1250", note=f"Authorization: Bearer {self.token}")


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def _web_token() -> str:
    parts = (b'{"alg":"HS256","typ":"JWT"}', secrets.token_bytes(48), secrets.token_bytes(32))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
