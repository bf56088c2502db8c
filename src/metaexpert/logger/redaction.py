"""The one redaction hook: every field passes `Redactor` under its key, and every text, before it is encoded anywhere.

Keys are compared without case and punctuation (`X-API-Key`, `apiKey` and `api_key` are one); what looks like a secret
is hidden wherever it stands, see `secret_patterns`. Nothing downstream sees what was hidden. A key is judged once and
remembered.
"""

import hmac
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast, final

from metaexpert.logger.described import described
from metaexpert.logger.secret_glance import KeyGlance
from metaexpert.logger.secret_patterns import REDACTED, SecretPatterns

__all__ = ["REDACTED", "UNREADABLE", "Clearing", "Redactor", "normal_key"]

UNREADABLE: Final = "[REDACTED: could not be looked through]"
"""In place of a text that could not be searched for secrets."""

_ANYWHERE: Final = (
    "accesstoken",
    "apikey",
    "authorization",
    "authtoken",
    "bearer",
    "credential",
    "idtoken",
    "mnemonic",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "refreshtoken",
    "secret",
    "seedphrase",
    "sessiontoken",
    "signature",
)
_WHOLE: Final = frozenset(
    {"auth", "cookie", "cookies", "jwt", "listenkey", "otp", "pin", "pwd", "seed", "setcookie", "token"}
)
_IDS: Final = frozenset(
    {
        "blockhash", "clientorderid", "executionid", "fillid", "orderid", "origclientorderid", "parentorderid",
        "spanid", "traceid", "tradeid", "transactionhash", "transactionid", "txhash", "txid",
    }
)  # fmt: skip
"""Keys of ids that may be as long and as random as a secret; without them a trade cannot be told from another."""

_ID: Final = re.compile(r"[\w\-]{32,128}")
_SOME_DIGIT: Final = re.compile(r"\d")
_PUNCTUATION: Final = re.compile(r"[\W_]+")
_REMEMBERED_KEYS: Final = 4096
_PSEUDONYM: Final = "pseudonym:"
_PSEUDONYM_BYTES: Final = 12
_CLEARED_VALUES: Final = 2048


def normal_key(key: str) -> str:
    """A key without case and punctuation, as keys are compared."""
    return _PUNCTUATION.sub("", key.casefold())


@final
class Redactor:
    """Decides which keys carry secrets.

    Args:
        keys: further keys to hide; each matches anywhere in a key.
        allow: keys to show although a rule matches them; each must match the whole key.
        values: whether to look for secrets in text, too.
        patterns: further regular expressions; what they match is hidden.
        pseudonyms: keys whose values are shown as keyed pseudonyms; each must match the whole key.
        pseudonym_key: the key of these.

    Attributes:
        least_characters: text that is shorter need not be shown to `scrub`.
        least_number_characters: likewise a decimal number that stands alone, of digits and a point.
    """

    def __init__(
        self,
        keys: Iterable[str] = (),
        allow: Iterable[str] = (),
        *,
        values: bool = True,
        patterns: Iterable[str] = (),
        pseudonyms: Iterable[str] = (),
        pseudonym_key: str = "",
    ) -> None:
        self._pseudonyms = frozenset(map(normal_key, pseudonyms))
        self._pseudonym_key = pseudonym_key.encode()
        self._anywhere = (*_ANYWHERE, *filter(None, map(normal_key, keys)))
        self._allow = frozenset(map(normal_key, allow))
        self._verdicts: dict[str, bool] = {}
        glance = KeyGlance(self._anywhere, _WHOLE | self._pseudonyms)
        digits_differ = any(_SOME_DIGIT.search(key) for key in (*self._anywhere, *self._allow, *self._pseudonyms))
        searched = SecretPatterns(self.hides, patterns, glance=glance, digits_differ=digits_differ) if values else None
        self._patterns = searched
        self.least_characters = sys.maxsize if searched is None else searched.least_characters
        self.least_number_characters = sys.maxsize if searched is None else searched.least_number_characters

    def hides(self, key: str) -> bool:
        """Whether a value under `key` must not leave the call."""
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._judge(normal_key(key))
            if len(self._verdicts) < _REMEMBERED_KEYS:
                self._verdicts[key] = verdict
        return verdict

    def in_place_of(self, key: str, value: object) -> str:
        """What is shown of a value under a key that is hidden."""
        if normal_key(key) not in self._pseudonyms:
            return REDACTED
        digest = hmac.digest(self._pseudonym_key, described(value, str).encode("utf-8", "backslashreplace"), "sha256")
        return f"{_PSEUDONYM}{digest[:_PSEUDONYM_BYTES].hex()}"

    def scrub(self, text: str) -> str:
        """`text` without what looks like a secret; the same object where nothing does."""
        if self._patterns is None:
            return text
        try:
            return self._patterns.scrub(text)
        except Exception:  # noqa: BLE001 - a log call does not raise, and text that was not looked through is not shown
            return UNREADABLE

    def id_under(self, key: str, text: str) -> str | None:
        """What is shown of an id of one word under a key that says it is one; None of anything else."""
        if self._patterns is None or not _ID.fullmatch(text) or normal_key(key) not in _IDS:
            return None
        return self._patterns.scrub_id(text)

    def _judge(self, key: str) -> bool:
        if key in self._pseudonyms:
            return True
        if key in self._allow:
            return False
        return key in _WHOLE or any(part in key for part in self._anywhere)


@final
class Clearing:
    """One pass over one call's values for somebody else's handler, bounded; what it cannot look into is not shown."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = _CLEARED_VALUES

    def value(self, value: object) -> object:
        """The same value, or a copy of it without what is hidden in it."""
        try:
            return self._cleared(value)
        except Exception:  # noqa: BLE001 - containers and keys of the user's own kind may do anything
            return REDACTED

    def member(self, name: str, value: object) -> object:
        """The same for the value of a key."""
        if self._redactor.hides(name):
            return self._redactor.in_place_of(name, value)
        shown = self._redactor.id_under(name, value) if type(value) is str else None
        return self.value(value) if shown is None else shown

    def _cleared(self, value: Any) -> Any:
        self._left -= 1
        kind = cast("type[object]", type(value))
        if self._left < 0:
            return REDACTED
        if issubclass(kind, Mapping):
            return {
                self._redactor.scrub(key) if type(key) is str else key: self.member(name, value[key])
                for key, name in ((key, described(key, str)) for key in self._some(value))
            }
        if issubclass(kind, list | tuple):
            cleared = [self._cleared(each) for each in self._some(value)]
            return tuple(cleared) if issubclass(kind, tuple) else cleared
        return self._redactor.scrub(value) if kind is str else value

    def _some(self, container: Iterable[Any]) -> Iterable[Any]:
        """Its members as long as any may still be looked at."""
        for member in container:
            if self._left < 0:
                return
            yield member
