"""What looks like a secret in text, wherever it stands: a message, a value, a traceback, an address. Pure.

Each kind is looked for only where a cheap question says that it may be there, so that text without secrets costs little
more than that. In doubt text is hidden: a log can do without a word, not with a key in it. What cannot be told from
something harmless is not: order ids, hashes and UUIDs that are 32 characters of lower-case hexadecimal stay.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, final

from metaexpert.logger.recovery_words import recovery_words
from metaexpert.logger.secret_glance import ANY_DIGIT, longest_word, may_hold_card, may_hold_phrase, shape_of
from metaexpert.logger.secret_members import REDACTED, KeyedValues

__all__ = ["REDACTED", "SecretPatterns"]

LEAST_CHARACTERS: Final = 8
"""No secret that is known by its looks is shorter."""

LEAST_NUMBER_CHARACTERS: Final = 32
"""No decimal number that stands alone, of digits and a point, is a secret where it is shorter."""

_ADDRESS: Final = "[REDACTED e-mail]"
_LONG_TOKEN: Final = 32
_CARD_DIGITS: Final = 15
_HEX_SECRET: Final = 64
_LEAST_DIFFERENT: Final = 8
_WORDS: Final = 12
_KNOWN_FORMS: Final = 2048
_KNOWN_CHARACTERS: Final = 256
"""Forms of texts without secrets that are remembered, and how long they are at the most."""

_MOST_SCANNED: Final = 72 * 1024
_MOST_SHOWN: Final = 64 * 1024
"""Characters of one text that are looked through, and those that any entry has room for."""

_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_USER: Final = re.compile(
    r"""://(?!\[)(?![^\s/@:]*:\d{1,5}(?:[/?#\s]|\Z))[^\s/@:]*:(?:[^\s"'<>]{1,256}|[^\s/@]+)@(?=[\w\[])"""
)
"""Up to the last "@" of the word, since a password may have any sign; a port has no "@" behind it that counts."""

_ISSUED: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS
    r"|xox[a-z]-[A-Za-z0-9\-]{10,}|xapp-[A-Za-z0-9\-]{10,}"  # Slack
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{12,}"  # Stripe
    r"|gh[oprsu]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{20,}"  # GitHub
    r"|AIza[A-Za-z0-9_\-]{30,})"  # Google
)
"""Keys whose issuers mark them so that they are found."""

_MARKS: Final = ("IA", "xox", "xapp-", "k_live_", "k_test_", "gh", "AIza")
"""Of which an issued key has one."""

_BOT: Final = re.compile(r":(?<=\d{8}:)[A-Za-z0-9_\-]{35}(?![A-Za-z0-9_\-])")
"""A Telegram bot's key behind its number."""

_ISSUED_CHARACTERS: Final = 20
_SCHEME: Final = re.compile(r"(?i)\b(bearer|basic|token)(\s{1,8})[A-Za-z0-9._~+/=\-]{8,}")
_CHAIN: Final = re.compile(r"[A-Za-z0-9_.\-]+")
_JWT_BEGIN: Final = "eyJ"
_JWT_LEAST: Final = 7
_JWT_LEAST_BODY: Final = 4
_RUN: Final = re.compile(r"(?:0x)?[A-Za-z0-9]{32,}|[A-Za-z0-9+/_\-]{40,}={0,2}")
_PIECE: Final = re.compile(r"[A-Za-z0-9]{32,}|[A-Za-z0-9+_\-]{40,}={0,2}")
_NUMBER: Final = re.compile(r"\d+[eE]?\d*")
"""A part of a decimal number, or one without a point: 4.4501477170144020250819966727949918e-308."""

_HEX: Final = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_UPPER_HEX: Final = re.compile(r"[0-9A-F]+")
_DIGIT: Final = re.compile(r"[0-9]")
_LOCAL_BACKWARDS: Final = re.compile(r"[\w.%+\-]{1,64}")
_DOMAIN: Final = re.compile(r"(?<=[\w.%+\-])@(?:[\w\-]++\.)+[^\W\d_][\w\-]+")
_LOCAL_CHARACTERS: Final = 64
_PART: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_MOST_A_PART: Final = 4
"""Letters and digits that a random run has for each of its words and numbers at the most; names have more."""

_CARD_WORD: Final = re.compile(r"(?i)(?<![a-z])card")
_CARD: Final = re.compile(
    r"(?<![\d.\-])(?:[3-6]\d{3}[ \-]\d{4}[ \-]\d{4}[ \-]\d{4}|3[47]\d{2}[ \-]\d{6}[ \-]\d{5})(?![\d\-])"
)
_BARE_CARD: Final = re.compile(r"(?<![\d.])(?:3[47]\d{13}|[3-6]\d{15})(?!\d)")
_PHRASE: Final = re.compile(r"""(?<![\w])(?:[A-Za-z]{3,8}+[\s,"']{1,4}+){11,}+(?:[A-Za-z]{3,8}+(?![\w]))?""")
_WORD: Final = re.compile(r"""[A-Za-z]+[\s,"']*""")
_BETWEEN: Final = " \t\n\v\f\r,\"'"
_HIDDEN_PHRASE: Final = "[REDACTED phrase] "


@final
class SecretPatterns:
    """Looks for secrets in text.

    Args:
        hides: whether what stands under a key, as in `key=value`, is secret.
        glance: whether ASCII text may have such a key at all.
        digits_differ: whether `hides` tells keys apart by their digits.
        further: regular expressions of the user's own; what they match is hidden.

    Attributes:
        least_characters: text that is shorter need not be shown to `scrub`.
        least_number_characters: likewise a decimal number that stands alone, of digits and a point.
    """

    def __init__(
        self,
        hides: Callable[[str], bool],
        further: Iterable[str] = (),
        *,
        glance: Callable[[bytes], bool] = lambda _: True,
        digits_differ: bool = False,
    ) -> None:
        self._keyed = KeyedValues(hides)
        self._glance = glance
        self._further = tuple(re.compile(pattern) for pattern in further)
        self._known_characters = 0 if self._further or digits_differ else _KNOWN_CHARACTERS
        self._clean: set[bytes] = set()
        self.least_characters = 1 if self._further else LEAST_CHARACTERS
        self.least_number_characters = 1 if self._further else LEAST_NUMBER_CHARACTERS

    def scrub(self, text: str) -> str:  # noqa: C901, PLR0912 - a question and an answer for each kind
        """`text` without what looks like a secret; the same object where nothing does."""
        if len(text) < self.least_characters:
            return text
        if len(text) > _MOST_SCANNED:
            return self._scrub_long(text)
        given = text
        data = text.encode() if text.isascii() else b""
        form = data.translate(ANY_DIGIT) if len(data) <= self._known_characters else b""
        if form in self._clean:
            return text
        lower = text.lower()
        if ("bearer" in lower or "basic" in lower or "token" in lower) and _SCHEME.search(text):
            text = _SCHEME.sub(rf"\1\2{REDACTED}", text)
        if "-----BEGIN" in text:
            text = _PEM.sub("[REDACTED private key]", text)
        if "://" in text and "@" in text:
            text = _USER.sub(f"://{REDACTED}@", text)
        if ("=" in text or ":" in text) and (not data or self._glance(data)):
            text = self._keyed.without_members(text)
        if "%" in text and ("3D" in text or "3d" in text or "3A" in text or "3a" in text):
            text = self._keyed.without_encoded(text)
        if "--" in text or "'," in text or '",' in text:
            text = self._keyed.without_pairs(text)
        if _JWT_BEGIN in text:
            text = _CHAIN.sub(_without_token, text)
        longest = longest_word(data) if data else _longest_word(text)
        if longest >= _ISSUED_CHARACTERS:
            text = _without_issued(text)
            if longest >= _LONG_TOKEN:
                text = _RUN.sub(_run, text)
        if "@" in text and text.rfind(".") > text.index("@"):
            text = _without_addresses(text)
        shape = shape_of(data) if data else ""
        if may_hold_card(shape, lower) if data else _digits(text) >= _CARD_DIGITS:
            text = _without_cards(text)
            form = b""
        if not data or may_hold_phrase(shape):
            text = _PHRASE.sub(_phrase, text)
        if self._further:
            text = self._without_further(text)
        if text != given:
            return text
        if form and longest < _LONG_TOKEN and "%" not in given:
            self._remember(form)
        return given

    def scrub_id(self, text: str) -> str:
        """An id, which may well look like a secret, without what is marked as one and the user's own patterns match."""
        return self._without_further(_without_issued(text))

    def _remember(self, form: bytes) -> None:
        """Take texts of this form, whatever their digits are, for clean: what is asked of digits was answered."""
        if len(self._clean) >= _KNOWN_FORMS:
            self._clean.clear()
        self._clean.add(form)

    def _without_further(self, text: str) -> str:
        for pattern in self._further:
            text = pattern.sub(REDACTED, text)
        return text

    def _scrub_long(self, text: str) -> str:
        head = text[:_MOST_SCANNED]
        scrubbed = self.scrub(head)
        if scrubbed is head:
            return text
        return scrubbed + (text[_MOST_SCANNED:] if len(scrubbed) > _MOST_SHOWN else "…")


def _without_token(match: re.Match[str]) -> str:
    """Parts with dots between them without a JSON web token among them."""
    chain = match.group()
    if _JWT_BEGIN not in chain:
        return chain
    told: list[str] = []
    parts = chain.split(".")
    at = 0
    while at < len(parts):
        part = parts[at]
        begin = part.find(_JWT_BEGIN)
        body = len(parts[at + 1]) if at + 1 < len(parts) else 0
        if begin >= 0 and len(part) - begin >= _JWT_LEAST and body >= _JWT_LEAST_BODY:
            told.append(f"{part[:begin]}[REDACTED token]")
            at += 3
        else:
            told.append(part)
            at += 1
    return ".".join(told)


def _without_issued(text: str) -> str:
    """Without keys that are known by how they begin."""
    for mark in _MARKS:
        if mark in text:
            text = _ISSUED.sub(REDACTED, text)
            break
    return _BOT.sub(f":{REDACTED}", text) if ":" in text else text


def _longest_word(text: str) -> int:
    """As `longest_word`, of text that is not ASCII."""
    if not _has_long_word(text, _ISSUED_CHARACTERS):
        return 0
    return _LONG_TOKEN if _has_long_word(text, _LONG_TOKEN) else _ISSUED_CHARACTERS


def _has_long_word(text: str, least: int) -> bool:
    """Whether there is a run without a space of so many characters."""
    begin, size = 0, len(text)
    while begin + least <= size:
        space = text.rfind(" ", begin, begin + least)
        if space < 0:
            return True
        begin = space + 1
    return False


def _without_addresses(text: str) -> str:
    """Without e-mail addresses."""
    parts: list[str] = []
    done = 0
    for domain in _DOMAIN.finditer(text):
        at = domain.start()
        local = _LOCAL_BACKWARDS.match(text[max(done, at - _LOCAL_CHARACTERS) : at][::-1])
        if local is not None:
            parts += (text[done : at - len(local.group())], _ADDRESS)
            done = domain.end()
    return "".join((*parts, text[done:])) if parts else text


def _run(match: re.Match[str]) -> str:
    """A run of letters and digits that is no word and no id: an exchange's key, a signature, a key in hexadecimal."""
    run = match.group()
    if _NUMBER.fullmatch(run) or len(set(run)) < _LEAST_DIFFERENT:
        return run
    if _HEX.fullmatch(run):
        secret = len(run.removeprefix("0x")) >= _HEX_SECRET or (
            len(run) >= _LONG_TOKEN and _UPPER_HEX.fullmatch(run) is not None
        )
    elif _is_mixed(run):
        secret = True
    else:
        # a path or an address may end in one
        return run if run.isalnum() else _PIECE.sub(_piece, run)
    return REDACTED if secret else run


def _piece(match: re.Match[str]) -> str:
    return REDACTED if _is_mixed(match.group()) else match.group()


def _is_mixed(run: str) -> bool:
    """Whether it has capitals, small letters and digits as if by chance."""
    return run != run.lower() and run != run.upper() and _DIGIT.search(run) is not None and _is_random(run)


def _is_random(run: str) -> bool:
    """Whether its kinds of letters change as often as by chance; in paths, names of classes and of runs they don't."""
    parts = _PART.findall(run)
    return sum(map(len, parts)) <= _MOST_A_PART * len(parts)


def _digits(text: str) -> int:
    return sum(map(text.count, "0123456789"))


def _without_cards(text: str) -> str:
    for pattern in (_CARD, _BARE_CARD) if _CARD_WORD.search(text) else (_CARD,):
        text = pattern.sub(lambda match: "[REDACTED card]" if _is_card(match.group()) else match.group(), text)
    return text


def _is_card(number: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1, annex B)."""
    digits = [int(digit) for digit in reversed(number) if digit.isdecimal()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[1::2]]  # noqa: PLR2004 - two digits are added
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _phrase(match: re.Match[str]) -> str:
    """Hide so many words in a row of those that recovery phrases are made of."""
    told: list[str] = []
    row: list[str] = []
    known = recovery_words()
    for word in [*_WORD.findall(match.group()), ""]:
        if word.rstrip(_BETWEEN).lower() in known:
            row.append(word)
            continue
        told += [_HIDDEN_PHRASE] if len(row) >= _WORDS else row
        told.append(word)
        row = []
    return "".join(told)
