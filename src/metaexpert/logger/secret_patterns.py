"""What looks like a secret in text, wherever it stands: a message, a value, a traceback, an address. Pure.

Each kind is looked for only where a cheap question says that it may be there, so that text without secrets costs little
more than that. In doubt text is hidden: a log can do without a word, not with a key in it. What cannot be told from
something harmless is not: order ids, hashes and UUIDs that are 32 characters of lower-case hexadecimal stay.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, final

from metaexpert.logger.secret_glance import may_hold_card, may_hold_long_word, may_hold_phrase, shape_of

REDACTED: Final = "[REDACTED]"

LEAST_CHARACTERS: Final = 8
"""No secret that is known by its looks is shorter."""

LEAST_NUMBER_CHARACTERS: Final = 32
"""No decimal number that stands alone, of digits and a point, is a secret where it is shorter."""

_MARK: Final = "[REDACTED"
_ADDRESS: Final = "[REDACTED e-mail]"
_LONG_TOKEN: Final = 32
_CARD_DIGITS: Final = 15
_HEX_SECRET: Final = 64
_LEAST_DIFFERENT: Final = 8
_WORDS: Final = 12
_MOST_SCANNED: Final = 72 * 1024
_MOST_SHOWN: Final = 64 * 1024
"""Characters of one text that are looked through, and those that any entry has room for."""

_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_MEMBER: Final = re.compile(r"""(?<![\w.\-])([\w.\-]++)\\{0,3}["']?\s{0,8}+([=:])""")
"""Begins at words alone and gives none of them back, so that its time grows with the text and no faster."""

_OPENING: Final = re.compile(
    r"""[=>]{0,2}+\s{0,8}+(?:\(|\[(?!REDACTED))?(?:(?P<escaped>\\{1,3}["'])|[bru]?(?P<quote>["']))?"""
)
_PLAIN: Final = re.compile(r"""[^\s&"'\\,;(){}\[\]<>]+""")
_TO_QUOTE: Final = {quote: re.compile(rf"(?:[^\\{quote}]|\\.)++(?={quote})", re.DOTALL) for quote in "\"'"}
_TO_ESCAPE: Final = re.compile(r"""[^\\"']+""")
_HEADER: Final = re.compile(r"""[^\r\n"']+""")
_HEADERS: Final = ("authorization", "cookie")
"""What a header of such a name has is one secret up to the end of its line."""

_SECOND_WORDS: Final = frozenset({"key", "keys", "phrase"})
"""Say what is secret together with the word before them: "api key", "seed phrase"."""

_WORD_BEFORE: Final = re.compile(r"[A-Za-z]+[ \-]\Z")
_BEFORE_CHARACTERS: Final = 16
_KEY_CHARACTERS: Final = 64
_LEAST_AFTER_COLON: Final = 6
_BESIDE: Final = re.compile(
    r"""(?:(?<![\w\-])--([\w.\-]++)["']?,?\s{1,4}+|\(b?["']([\w.\-]++)["'],\s{0,4}+)b?(["']?)(?!-)"""
)
"""A key with its value beside it: an option of a command line, in one text or in a list; a pair."""

_USER: Final = re.compile(r"""://[^\s/@:]*:[^\s/@]+@(?:[^\s/@"',]+@)?""")
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
_UPPER: Final = re.compile(r"[A-Z]")
_LOWER: Final = re.compile(r"[a-z]")
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
_PHRASE: Final = re.compile(r"""(?<![\w])(?:[a-z]{3,8}+[\s,"']{1,4}+){11,}+(?:[a-z]{3,8}+(?![\w]))?""")
_WORD: Final = re.compile(r"""[a-z]+[\s,"']*""")
_BETWEEN: Final = " \t\n\v\f\r,\"'"
_HIDDEN_PHRASE: Final = "[REDACTED phrase] "
_SENTENCE_WORDS: Final = frozenset(
    {
        "the", "and", "for", "was", "not", "with", "from", "has", "are", "were", "been", "but", "its", "than", "our",
        "did", "does", "had", "him", "her", "his", "how", "may", "out", "per", "see", "she", "too", "via", "who",
        "why", "yet", "your", "which", "while",
    }
)  # fmt: skip
"""Words that any longer sentence has one of, and no recovery phrase: none is among BIP-39's (as "this", "will" are)."""


@final
class SecretPatterns:
    """Looks for secrets in text.

    Args:
        hides: whether what stands under a key, as in `key=value`, is secret.
        glance: whether ASCII text may have such a key at all.
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
    ) -> None:
        self._hides = hides
        self._glance = glance
        self._further = tuple(re.compile(pattern) for pattern in further)
        self.least_characters = 1 if self._further else LEAST_CHARACTERS
        self.least_number_characters = 1 if self._further else LEAST_NUMBER_CHARACTERS

    def scrub(self, text: str) -> str:  # noqa: C901 - a question and an answer for each kind
        """`text` without what looks like a secret; the same object where nothing does."""
        if len(text) < self.least_characters:
            return text
        if len(text) > _MOST_SCANNED:
            return self._scrub_long(text)
        given = text
        data = text.encode() if text.isascii() else b""
        lower = text.lower()
        if ("bearer" in lower or "basic" in lower or "token" in lower) and _SCHEME.search(text):
            text = _SCHEME.sub(rf"\1\2{REDACTED}", text)
        if "-----BEGIN" in text:
            text = _PEM.sub("[REDACTED private key]", text)
        if "://" in text and "@" in text:
            text = _USER.sub(f"://{REDACTED}@", text)
        if ("=" in text or ":" in text) and (not data or self._glance(data)):
            text = self._without_members(text)
        if "--" in text or "'," in text or '",' in text:
            text = self._without_pairs(text)
        if _JWT_BEGIN in text:
            text = _CHAIN.sub(_without_token, text)
        if may_hold_long_word(data) if data else _has_long_word(text):
            text = _RUN.sub(_run, text)
        if "@" in text and text.rfind(".") > text.index("@"):
            text = _without_addresses(text)
        if len(text) >= _CARD_DIGITS:
            text = _without_numbers_and_words(text, shape_of(data) if data else "")
        if self._further:
            text = self.scrub_id(text)
        return given if text == given else text

    def scrub_id(self, text: str) -> str:
        """An id, which may well look like a secret, without what the user's own patterns match."""
        for pattern in self._further:
            text = pattern.sub(REDACTED, text)
        return text

    def _scrub_long(self, text: str) -> str:
        head = text[:_MOST_SCANNED]
        scrubbed = self.scrub(head)
        if scrubbed is head:
            return text
        return scrubbed + (text[_MOST_SCANNED:] if len(scrubbed) > _MOST_SHOWN else "…")

    def _without_members(self, text: str) -> str:
        """Without values of `key=value`, or of `key: value`, under keys that are hidden."""
        parts: list[str] = []
        done = at = 0
        while (member := _MEMBER.search(text, at)) is not None:
            at = member.end()
            key = member[1][-_KEY_CHARACTERS:]
            if key.isdecimal() or not self._is_hidden(key, text, member.start()):
                continue
            begin, end = _value(text, at, key.lower(), member[2])
            if end > begin and not text.startswith(_MARK, begin):
                parts += (text[done:begin], REDACTED)
                done = at = end
        return "".join((*parts, text[done:])) if parts else text

    def _without_pairs(self, text: str) -> str:
        """Without values beside hidden keys: `--api-key value`, `('api_key', 'value')`."""
        parts: list[str] = []
        done = 0
        for pair in _BESIDE.finditer(text):
            key = (pair[1] or pair[2])[-_KEY_CHARACTERS:]
            quote, begin = pair[3], pair.end()
            found = (_TO_QUOTE[quote] if quote else _PLAIN).match(text, begin)
            if found is None or not self._hides(key) or text.startswith(_MARK, begin):
                continue
            if not quote and found.end() - begin < _LEAST_AFTER_COLON:
                continue  # a usage's name of the value, or prose
            parts += (text[done:begin], REDACTED)
            done = found.end()
        return "".join((*parts, text[done:])) if parts else text

    def _is_hidden(self, key: str, text: str, begin: int) -> bool:
        if self._hides(key):
            return True
        if key.lower() not in _SECOND_WORDS:
            return False
        before = _WORD_BEFORE.search(text[max(0, begin - _BEFORE_CHARACTERS) : begin])
        return before is not None and self._hides(before[0] + key)


def _value(text: str, at: int, key: str, sign: str) -> tuple[int, int]:
    """Where the value after a key's sign begins and ends."""
    opening = _OPENING.match(text, at)
    begin = opening.end() if opening else at
    quote = opening and opening["quote"]
    if quote and (quoted := _TO_QUOTE[quote].match(text, begin)):
        return begin, quoted.end()
    if opening and opening["escaped"]:
        pattern, least = _TO_ESCAPE, 1
    elif sign == ":" and not quote and key.endswith(_HEADERS):
        pattern, least = _HEADER, _LEAST_AFTER_COLON
    else:
        pattern, least = _PLAIN, 1 if sign == "=" else _LEAST_AFTER_COLON  # after a colon there is prose as well
    found = pattern.match(text, begin)
    return (begin, found.end()) if found and found.end() - begin >= least else (begin, begin)


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
    return all(kind.search(run) for kind in (_UPPER, _LOWER, _DIGIT)) and _is_random(run)


def _is_random(run: str) -> bool:
    """Whether its kinds of letters change as often as by chance; in paths, names of classes and of runs they don't."""
    parts = _PART.findall(run)
    return sum(map(len, parts)) <= _MOST_A_PART * len(parts)


def _without_numbers_and_words(text: str, shape: str) -> str:
    """Without cards and recovery phrases; the shape of what the text was before is known, or empty."""
    if may_hold_card(shape) if shape else _digits(text) >= _CARD_DIGITS:
        text = _without_cards(text)
    if not shape or may_hold_phrase(shape):
        text = _PHRASE.sub(_phrase, text)
    return text


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
    """Hide so many words in a row that none of them belongs to a sentence."""
    told: list[str] = []
    row: list[str] = []
    for word in [*_WORD.findall(match.group()), ""]:
        if word and word.rstrip(_BETWEEN) not in _SENTENCE_WORDS:
            row.append(word)
            continue
        told += [_HIDDEN_PHRASE] if len(row) >= _WORDS else row
        told.append(word)
        row = []
    return "".join(told)
