"""The one redaction hook: every field passes `Redactor.hides` under its key before it is encoded anywhere.

Keys are compared without case and punctuation (`X-API-Key`, `apiKey` and `api_key` are one). Rules added later, such as
value patterns, extend this class; nothing downstream sees a value it hid. A value's key is judged once and remembered.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast, final

from metaexpert.logger.described import described

REDACTED: Final = "[REDACTED]"

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
_PUNCTUATION: Final = re.compile(r"[\W_]+")
_REMEMBERED_KEYS: Final = 4096
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
    """

    def __init__(self, keys: Iterable[str] = (), allow: Iterable[str] = ()) -> None:
        self._anywhere = (*_ANYWHERE, *filter(None, map(normal_key, keys)))
        self._allow = frozenset(map(normal_key, allow))
        self._verdicts: dict[str, bool] = {}

    def hides(self, key: str) -> bool:
        """Whether a value under `key` must not leave the call."""
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._judge(normal_key(key))
            if len(self._verdicts) < _REMEMBERED_KEYS:
                self._verdicts[key] = verdict
        return verdict

    def _judge(self, key: str) -> bool:
        if key in self._allow:
            return False
        return key in _WHOLE or any(part in key for part in self._anywhere)


@final
class Clearing:
    """One pass over one call's values for somebody else's handler, bounded; what it cannot look into is not shown."""

    def __init__(self, redactor: Redactor) -> None:
        self._hides = redactor.hides
        self._left = _CLEARED_VALUES

    def value(self, value: object) -> object:
        """The same value, or a copy of a container without what is hidden in it; leaves are never touched."""
        try:
            return self._cleared(value)
        except Exception:  # noqa: BLE001 - containers and keys of the user's own kind may do anything
            return REDACTED

    def _cleared(self, value: Any) -> Any:
        self._left -= 1
        kind = cast("type[object]", type(value))
        if self._left < 0:
            return REDACTED
        if issubclass(kind, Mapping):
            return {
                key: REDACTED if self._hides(described(key, str)) else self._cleared(value[key])
                for key in self._some(value)
            }
        if issubclass(kind, list | tuple):
            cleared = [self._cleared(each) for each in self._some(value)]
            return tuple(cleared) if issubclass(kind, tuple) else cleared
        return value

    def _some(self, container: Iterable[Any]) -> Iterable[Any]:
        """Its members as long as any may still be looked at."""
        for member in container:
            if self._left < 0:
                return
            yield member
