"""What looks like a secret is hidden, and nothing else."""

import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.leaks import HARMLESS, LEAKS, Leak

from metaexpert.logger.recovery_words import recovery_words
from metaexpert.logger.redaction import UNREADABLE, Redactor
from metaexpert.logger.secret_patterns import SecretPatterns

PATTERNS = Redactor()


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.kind)
@pytest.mark.parametrize("frame", ["{}", "before {} after", "({})", "x\n{}\ny", "{}, {}"])
def test_no_leak_is_seen(leak: Leak, frame: str):
    scrubbed = PATTERNS.scrub(frame.format(*[leak.text] * frame.count("{}")))
    assert leak.secret not in scrubbed
    assert "[REDACTED" in scrubbed


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays_and_is_not_copied(text: str):
    assert PATTERNS.scrub(text) is text


def test_all_of_several_are_hidden():
    text = " | ".join(leak.text for leak in LEAKS)
    scrubbed = PATTERNS.scrub(text)
    assert [leak.kind for leak in LEAKS if leak.secret in scrubbed] == []


def test_what_stands_around_a_secret_stays():
    assert PATTERNS.scrub("GET /order?symbol=BTC&signature=0123abcd&recvWindow=5000") == (
        "GET /order?symbol=BTC&signature=[REDACTED]&recvWindow=5000"
    )
    assert PATTERNS.scrub('{"apiKey": "k3yV4lu3", "side": "BUY"}') == '{"apiKey": "[REDACTED]", "side": "BUY"}'


def test_what_is_hidden_is_not_hidden_again():
    for leak in LEAKS:
        scrubbed = PATTERNS.scrub(leak.text)
        assert PATTERNS.scrub(scrubbed) == scrubbed


def test_further_patterns_and_keys_of_the_user():
    patterns = Redactor(keys=("account",), patterns=[r"DESK-\d+"])
    assert patterns.scrub("account=4711 of DESK-12") == "account=[REDACTED] of [REDACTED]"


def test_a_secret_far_within_a_long_text_is_hidden_as_far_as_any_entry_shows_it():
    secret = LEAKS[0].secret
    text = "x " * 30_000 + secret + " y" * 200_000
    assert secret not in PATTERNS.scrub(text)[: 64 * 1024]
    harmless = "x " * 500_000
    assert PATTERNS.scrub(harmless) is harmless


@pytest.mark.parametrize(
    "hostile",
    [
        "eyJ",
        "eyJaaaa.",
        "a@b.co ",
        "a@",
        "@",
        "=",
        ":",
        "a=",
        "password='",
        'password=\\"',
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN A",
        "4111 ",
        "word ",
        "://a:",
        "token ",
        "--token ",
        "('token', '",
        "word', '",
        "aA1",
        "aA1/",
        " ",
        "a",
        "\n",
    ],
)
def test_the_time_grows_with_the_text_and_no_faster(hostile: str):
    def seconds(characters: int) -> float:
        text = (hostile * characters)[:characters]
        began = process_time()
        PATTERNS.scrub(text)
        return process_time() - began

    # four times the text in the square of it would take sixteen times as long
    assert any(seconds(64_000) < 9 * max(seconds(16_000), 0.02) for _ in range(3))


@given(st.text(max_size=300))
def test_whatever_the_text_it_comes_back_and_a_second_time_unchanged(text: str):
    scrubbed = PATTERNS.scrub(text)
    assert PATTERNS.scrub(scrubbed) == scrubbed


def test_a_text_that_cannot_be_looked_through_is_not_shown(monkeypatch: pytest.MonkeyPatch):
    def failing(_self: SecretPatterns, _text: str) -> str:
        raise re.error("broken")

    monkeypatch.setattr(SecretPatterns, "scrub", failing)
    assert Redactor().scrub("any text") == UNREADABLE


def _told_after(before: str, text: str) -> str:
    scrubbed = PATTERNS.scrub(before + text)
    assert scrubbed.startswith(before)
    return scrubbed.removeprefix(before)


_PIECES = st.sampled_from(
    [
        *(leak.text for leak in LEAKS), *HARMLESS, "api key", "api-key", "a.p_i-K e y", "auth", "Token", "pin",
        "seed", "secret", "=", ":", '": "', "\\", " = ", "abandon ability able ", "zoo, ", "of ", "a ", "4111 1111 ",
        "1111-1111", "4111111111111111", "card ", "0x", "deadBEEF01", "://", "user:pw@", "me@", "host.io", ".", "\n",
        "\t", "\x1c", "BASIC ", "bearer\t", "--api-key ", "('token', '", "abandon,ability,able,", "'zoo', ",
    ]
)  # fmt: skip


@given(st.lists(_PIECES, min_size=1, max_size=8).map("".join))
def test_a_glance_spares_no_search_that_would_find_something(text: str):
    before = "(\u2028\xe9)\n"  # text that is not ASCII is searched for everything
    assert PATTERNS.scrub(text) == _told_after(before, text)


def _other_digits(text: str) -> str:
    return text.translate(str.maketrans("0123456789", "7301924685"))


@given(st.lists(_PIECES, min_size=1, max_size=6).map("".join))
def test_a_form_that_was_clean_before_spares_no_search_of_other_digits(text: str):
    other = _other_digits(text)
    known = Redactor()
    known.scrub(text)
    assert known.scrub(other) == Redactor().scrub(other)


@given(st.text("abAB01 =:-_.@/+,4%3D\n\"'", min_size=1, max_size=200))
def test_nor_does_one_of_any_shape(text: str):
    known = Redactor(keys=("b",))
    known.scrub(text)
    other = _other_digits(text)
    assert known.scrub(other) == Redactor(keys=("b",)).scrub(other)


def test_keys_of_the_user_are_told_apart_by_their_digits():
    for redactor in (
        Redactor(keys=("desk2",)),
        Redactor(pseudonyms=("desk2",)),
        Redactor(keys=("desk",), allow=("desk1",)),
    ):
        assert redactor.scrub("of desk1=hunter at 10:30") == "of desk1=hunter at 10:30"
        assert "hunter" not in redactor.scrub("of desk2=hunter at 10:30")


def test_only_the_words_of_recovery_phrases_make_one():
    words = sorted(recovery_words())
    assert len(words) == len({word[:4] for word in words}) == 2048
    assert {len(word) for word in words} == set(range(3, 9))
    for begin in range(0, 2040, 12):
        assert PATTERNS.scrub(" ".join(words[begin : begin + 12])) == "[REDACTED phrase] "
    eleven = " ".join(words[:11])
    assert PATTERNS.scrub(f"{eleven} columns") == f"{eleven} columns"


@given(st.text("abAB01 =:-_.@/+,\n\"'", min_size=1, max_size=200))
def test_nor_in_text_of_any_shape(text: str):
    before = "(\u2028\xe9)\n"
    assert PATTERNS.scrub(text) == _told_after(before, text)
