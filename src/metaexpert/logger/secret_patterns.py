"""What looks like a secret in text, wherever it stands: a message, a value, a traceback, an address. Pure.

Each kind is looked for only where a cheap question says that it may be there, so that text without secrets costs little
more than that. In doubt text is hidden: a log can do without a word, not with a key in it. What cannot be told from
something harmless is not: order ids, hashes and UUIDs that are 32 characters of lower-case hexadecimal stay.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, final

REDACTED: Final = "[REDACTED]"

LEAST_CHARACTERS: Final = 8
"""No secret that is known by its looks is shorter."""

_MARK: Final = "[REDACTED"
_ADDRESS: Final = "[REDACTED e-mail]"
_LONG_TOKEN: Final = 32
_CARD_DIGITS: Final = 15
_LONG_SECRET: Final = 40
_HEX_SECRET: Final = 64
_LEAST_DIFFERENT: Final = 8
_WORDS: Final = 12
_MOST_SCANNED: Final = 72 * 1024
_MOST_SHOWN: Final = 64 * 1024
"""Characters of one text that are looked through, and those that any entry has room for."""

_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_KEY_BACKWARDS: Final = re.compile(r"""\s?["']?\\?([\w.\-]{0,63}[A-Za-z])""")
_VALUE_AFTER: Final = re.compile(r"""\s?\\?["']?([^\s&"'\\,;(){}\[\]<>]+)""")
_KEY_CHARACTERS: Final = 70
_LEAST_AFTER_COLON: Final = 6
_USER: Final = re.compile(r"://[^\s/@:]+:[^\s/@]+@")
_SCHEME: Final = re.compile(r"(?i)\b(bearer|basic|token)(\s+)[A-Za-z0-9._~+/=\-]{8,}")
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_\-]{4,}\.[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)?")
_RUN: Final = re.compile(r"(?:0x)?[A-Za-z0-9]{32,}|[A-Za-z0-9+/_\-]{40,}={0,2}")
_HEX: Final = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_UPPER_HEX: Final = re.compile(r"[0-9A-F]+")
_UPPER: Final = re.compile(r"[A-Z]")
_LOWER: Final = re.compile(r"[a-z]")
_DIGIT: Final = re.compile(r"[0-9]")
_LOCAL_BACKWARDS: Final = re.compile(r"[A-Za-z0-9._%+\-]{1,64}")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+")
_LOCAL_CHARACTERS: Final = 64
_CARD: Final = re.compile(
    r"(?<![\d.\-])(?:[3-6]\d{3}[ \-]\d{4}[ \-]\d{4}[ \-]\d{4}|3[47]\d{2}[ \-]\d{6}[ \-]\d{5})(?![\d\-])"
)
_BARE_CARD: Final = re.compile(r"(?<![\d.])(?:3[47]\d{13}|[3-6]\d{15})(?!\d)")
_PHRASE: Final = re.compile(r"(?<![\w])(?:[a-z]{3,8}+[ ,]{1,2}+){11,}+(?:[a-z]{3,8}+(?![\w]))?")
_WORD: Final = re.compile(r"[a-z]+[ ,]*")
_HIDDEN_PHRASE: Final = "[REDACTED phrase] "
_SENTENCE_WORDS: Final = frozenset(
    {
        "the", "and", "for", "was", "not", "with", "from", "that", "this", "has", "are", "were", "have", "will",
        "been", "but", "its", "into", "than", "then", "they", "our", "all", "any", "did", "does", "had", "him",
        "her", "his", "how", "may", "now", "out", "per", "see", "she", "too", "two", "via", "who", "why", "yet",
        "you", "your", "which", "while", "when",
    }
)  # fmt: skip
"""Words that any longer sentence has one of."""


@final
class SecretPatterns:
    """Looks for secrets in text.

    Args:
        hides: whether what stands under a key, as in `key=value`, is secret.
        further: regular expressions of the user's own; what they match is hidden.

    Attributes:
        least_characters: text that is shorter need not be shown to `scrub`.
    """

    def __init__(self, hides: Callable[[str], bool], further: Iterable[str] = ()) -> None:
        self._hides = hides
        self._further = tuple(re.compile(pattern) for pattern in further)
        self.least_characters = 1 if self._further else LEAST_CHARACTERS

    def scrub(self, text: str) -> str:  # noqa: C901, PLR0912 - a question and an answer for each kind
        """`text` without what looks like a secret; the same object where nothing does."""
        if len(text) < self.least_characters:
            return text
        if len(text) > _MOST_SCANNED:
            return self._scrub_long(text)
        given = text
        if ("earer" in text or "asic " in text or "oken " in text) and _SCHEME.search(text):
            text = _SCHEME.sub(rf"\1\2{REDACTED}", text)
        if "-----BEGIN" in text:
            text = _PEM.sub("[REDACTED private key]", text)
        if "://" in text and "@" in text:
            text = _USER.sub(f"://{REDACTED}@", text)
        for sign in "=:":
            if sign in text:
                text = self._without_members(text, sign)
        if "eyJ" in text:
            text = _JWT.sub("[REDACTED token]", text)
        if _has_long_word(text):
            text = _RUN.sub(_run, text)
        if "@" in text:
            text = _without_addresses(text)
        if len(text) >= _CARD_DIGITS and sum(map(text.count, "0123456789")) >= _CARD_DIGITS:
            text = _without_cards(text)
        if text.count(" ") >= _WORDS - 1:
            text = _PHRASE.sub(_phrase, text)
        for pattern in self._further:
            text = pattern.sub(REDACTED, text)
        return given if text == given else text

    def _scrub_long(self, text: str) -> str:
        head = text[:_MOST_SCANNED]
        scrubbed = self.scrub(head)
        if scrubbed is head:
            return text
        return scrubbed + (text[_MOST_SCANNED:] if len(scrubbed) > _MOST_SHOWN else "…")

    def _without_members(self, text: str, sign: str) -> str:
        """Without values of `key=value`, or of `key: value`, under keys that are hidden."""
        at = text.find(sign)
        while at >= 0:
            key = _KEY_BACKWARDS.match(text[max(0, at - _KEY_CHARACTERS) : at][::-1])
            if key is not None and self._hides(key.group(1)[::-1]) and (value := _VALUE_AFTER.match(text, at + 1)):
                begin, end = value.span(1)
                # after a colon there is prose as well
                if (sign == "=" or end - begin >= _LEAST_AFTER_COLON) and not text.startswith(_MARK, begin):
                    text = f"{text[:begin]}{REDACTED}{text[end:]}"
                    at = begin + len(REDACTED) - 1
            at = text.find(sign, at + 1)
        return text


def _has_long_word(text: str) -> bool:
    """Whether there is a run without a space that is long enough for a key."""
    begin, size = 0, len(text)
    while begin + _LONG_TOKEN <= size:
        space = text.rfind(" ", begin, begin + _LONG_TOKEN)
        if space < 0:
            return True
        begin = space + 1
    return False


def _without_addresses(text: str) -> str:
    """Without e-mail addresses."""
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        local = domain and _LOCAL_BACKWARDS.match(text[max(0, at - _LOCAL_CHARACTERS) : at][::-1])
        if domain and local:
            begin = at - len(local.group())
            text = f"{text[:begin]}{_ADDRESS}{text[domain.end() :]}"
            at = begin + len(_ADDRESS) - 1
        at = text.find("@", at + 1)
    return text


def _run(match: re.Match[str]) -> str:
    """A run of letters and digits that is no word and no id: an exchange's key, a signature, a key in hexadecimal."""
    run = match.group()
    if run.isdecimal() or len(set(run)) < _LEAST_DIFFERENT:
        return run
    if _HEX.fullmatch(run):
        secret = len(run.removeprefix("0x")) >= _HEX_SECRET or (
            len(run) >= _LONG_TOKEN and _UPPER_HEX.fullmatch(run) is not None
        )
    else:
        kinds = (_UPPER, _LOWER, _DIGIT)
        secret = all(kind.search(run) for kind in kinds) and (run.isalnum() or len(run) >= _LONG_SECRET)
    return REDACTED if secret else run


def _without_cards(text: str) -> str:
    for pattern in (_CARD, _BARE_CARD) if "ard" in text else (_CARD,):
        text = pattern.sub(lambda match: "[REDACTED card]" if _is_card(match.group()) else match.group(), text)
    return text


def _is_card(number: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1, annex B)."""
    digits = [int(digit) for digit in reversed(number) if digit.isdecimal()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[1::2]]  # noqa: PLR2004 - two digits are added
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _phrase(match: re.Match[str]) -> str:
    """Hide so many words in a row that none of them belongs to a sentence."""
    told: list[str] = []
    row: list[str] = []
    for word in [*_WORD.findall(match.group()), ""]:
        if word and word.strip(" ,") not in _SENTENCE_WORDS:
            row.append(word)
            continue
        told += [_HIDDEN_PHRASE] if len(row) >= _WORDS else row
        told.append(word)
        row = []
    return "".join(told)
