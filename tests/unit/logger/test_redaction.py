"""Secrets are hidden by their key before an entry is queued, wherever they are put and however the key is spelt."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from metaexpert.logger import Logger, LoggingRuntime, RedactionOptions, get_logger, lazy, log_context
from metaexpert.logger.redaction import REDACTED, Redactor

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]

SECRET = "hunter2-s3cret"


@dataclass
class Account:
    """Carries a secret as an attribute."""

    name: str
    api_secret: str


class Credentials(BaseModel):
    """Carries a secret as a model's field."""

    user: str
    password: str


class Sealed(BaseModel):
    """Carries what pydantic itself hides."""

    value: SecretStr


class TestKeys:
    @pytest.mark.parametrize(
        "key",
        [
            "api_key", "apikey", "apiKey", "API_KEY", "X-API-Key", "X-MBX-APIKEY", "api.key", "api key",
            "binance_api_key",
            "password", "Password", "db_password_old", "passwd", "passphrase", "OK-ACCESS-PASSPHRASE", "secret",
            "client_secret", "apiSecret", "secret_key", "signature", "Signature", "private_key", "privateKey",
            "authorization", "Authorization", "Proxy-Authorization", "access_token", "refreshToken", "id_token",
            "auth_token", "session-token", "token", "TOKEN", "jwt", "cookie", "Set-Cookie", "listenKey", "bearer",
            "credentials", "mnemonic", "seed_phrase", "otp", "pin", "pwd",
        ],
    )  # fmt: skip
    def test_what_carries_secrets_is_hidden(self, key: str):
        assert Redactor().hides(key)

    @pytest.mark.parametrize(
        "key",
        [
            "symbol", "price", "order_id", "client_order_id", "strategy_id", "key", "keys", "author", "token_count",
            "tokens",
            "pinned", "spinning", "seeded", "opinion", "monkey", "exchange", "market_type", "", "--", "цена", "kind",
        ],
    )  # fmt: skip
    def test_what_does_not_is_shown(self, key: str):
        assert not Redactor().hides(key)

    def test_further_keys_match_anywhere_and_however_spelt(self):
        redactor = Redactor(keys=("account-no", "Iban"))
        for key in ("account_no", "ACCOUNTNO", "main.account.no.eu", "iban", "my_iban"):
            assert redactor.hides(key)
        assert redactor.hides("password")
        assert not redactor.hides("account")

    @pytest.mark.parametrize("key", ["пароль", "ПАРОЛЬ", "Мой-Пароль", "мой_пароль_2", "пар.оль"])
    def test_further_keys_may_be_of_any_alphabet(self, key: str):
        assert Redactor(keys=("пароль",)).hides(key)
        assert Redactor(keys=("Па_роль",)).hides(key)
        assert not Redactor(keys=("пароль",), allow=(key,)).hides(key)
        assert not Redactor(keys=("ключ",)).hides(key)

    def test_allowed_keys_are_shown_when_they_match_whole(self):
        redactor = Redactor(allow=("signature-kind", "token"))
        assert not redactor.hides("signature_kind")
        assert not redactor.hides("TOKEN")
        assert redactor.hides("signature_kinds")
        assert redactor.hides("signature")

    def test_keys_without_letters_or_digits_hide_nothing(self):
        assert not Redactor(keys=("", "--")).hides("symbol")

    def test_the_answer_stays_the_same_after_many_other_keys(self):
        redactor = Redactor()
        for number in range(10_000):
            assert not redactor.hides(f"field{number}")
        assert redactor.hides("api_key")
        assert not redactor.hides("field1")


class TestWhereverTheyAre:
    def calls(self, log: Logger) -> dict[str, Callable[[], object]]:
        def context() -> None:
            with log_context(password=SECRET, deep={"password": SECRET}):
                log.info("x")

        return {
            "field": lambda: log.info("x", password=SECRET),
            "field beside others": lambda: log.info("x", a=1, password=SECRET, b=2),
            "nested": lambda: log.info("x", deep={"a": [{"password": SECRET}]}),
            "nested in tuple": lambda: log.info("x", deep=({"password": SECRET},)),
            "other key": lambda: log.info("x", deep={("password",): SECRET}),
            "bytes key": lambda: log.info("x", deep={b"password": SECRET}),
            "value is bytes": lambda: log.info("x", password=SECRET.encode()),
            "value is a list": lambda: log.info("x", password=[SECRET]),
            "value is lazy": lambda: log.info("x", password=lazy(lambda: SECRET)),
            "in lazy": lambda: log.info("x", deep=lazy(dict, password=SECRET)),
            "dataclass": lambda: log.info("x", account=Account("a", SECRET)),
            "model": lambda: log.info("x", account=Credentials(user="a", password=SECRET)),
            "pydantic secret": lambda: log.info("x", account=Sealed(value=SecretStr(SECRET)), one=SecretStr(SECRET)),
            "extra": lambda: log.info("x", extra={"password": SECRET}),
            "nested extra": lambda: log.info("x", extra={"deep": {"password": SECRET}}),
            "bind": lambda: log.bind(password=SECRET, deep={"password": SECRET}).info("x"),
            "bind of bind": lambda: log.bind(password=SECRET).bind(a=1).info("x", b=2),
            "context": context,
            "log": lambda: log.log(20, "x", password=SECRET),
            "audit": lambda: log.audit("x", password=SECRET),
            "trade": lambda: log.trade.order_cancelled(order_id=1, password=SECRET),
            "nested trade": lambda: log.trade.order_cancelled(order_id=1, raw={"password": SECRET}),
            "trade of bind": lambda: log.bind(password=SECRET).trade.order_cancelled(order_id=1),
        }

    @pytest.mark.parametrize("number", range(23))
    def test_no_secret_arrives_and_the_place_is_marked(self, log: Logger, lines: Lines, number: int):
        calls = self.calls(log)
        assert len(calls) == 23
        place, call = list(calls.items())[number]
        for _ in range(3):
            call()
        found = lines()
        assert len(found) == 3
        assert SECRET not in str(found), place
        if place != "pydantic secret":
            assert all(REDACTED in str(entry) for entry in found), place

    def test_neighbours_are_shown(self, log: Logger, lines: Lines):
        for _ in range(2):
            log.info("x", user="ann", password=SECRET, deep={"a": 1, "apiKey": SECRET})
        expected = {"user": "ann", "password": REDACTED, "deep": {"a": 1, "apiKey": REDACTED}}
        assert [entry["extra"] for entry in lines()] == [expected, expected]

    def test_a_hidden_value_is_not_even_looked_at(self, log: Logger, lines: Lines):
        looked: list[int] = []
        log.info("x", password=lazy(looked.append, 1), deep={"token": lambda: looked.append(2)})
        assert lines()[0]["extra"] == {"password": REDACTED, "deep": {"token": REDACTED}}
        assert looked == []


class TestConfigured:
    RULES = RedactionOptions(keys=("account",), allow=("token",))

    def test_the_configurations_keys_hold(
        self, start: Callable[..., LoggingRuntime], lines_of: Callable[..., list[Line]], log: Logger
    ):
        runtime = start(redaction=self.RULES)
        log.info("x", account_no=SECRET, token="page-2", password=SECRET)
        assert lines_of(runtime)[0]["extra"] == {"account_no": REDACTED, "token": "page-2", "password": REDACTED}

    def test_they_hold_for_entries_logged_before_the_start(
        self, start: Callable[..., LoggingRuntime], lines_of: Callable[..., list[Line]], log: Logger
    ):
        log.info("x", account_no=SECRET, deep={"account": SECRET})
        log.trade.order_cancelled(order_id=1, account=SECRET)
        found = lines_of(start(redaction=self.RULES))
        assert len(found) == 2
        assert SECRET not in str(found)

    def test_they_hold_for_loggers_bound_before_the_start(
        self, start: Callable[..., LoggingRuntime], lines_of: Callable[..., list[Line]], log: Logger
    ):
        bound = log.bind(account_no=SECRET, side="BUY")
        runtime = start(redaction=self.RULES)
        bound.info("x")
        assert lines_of(runtime)[0]["extra"] == {"account_no": REDACTED, "side": "BUY"}

    def test_they_hold_for_a_context_entered_before_the_start(
        self, start: Callable[..., LoggingRuntime], lines_of: Callable[..., list[Line]], log: Logger
    ):
        with log_context(account_no=SECRET):
            runtime = start(redaction=self.RULES)
            log.info("x")
        assert lines_of(runtime)[0]["extra"] == {"account_no": REDACTED}

    def test_a_later_runtime_has_rules_of_its_own(
        self,
        runner: asyncio.Runner,
        start: Callable[..., LoggingRuntime],
        lines_of: Callable[..., list[Line]],
        name: str,
    ):
        log = get_logger(name)
        first = start()
        log.info("x", account_no="shown")
        log.info("x", account_no="shown")
        assert [entry["extra"] for entry in lines_of(first)] == [{"account_no": "shown"}] * 2
        runner.run(first.stop())
        second = start(redaction=self.RULES)
        log.info("x", account_no=SECRET)
        assert lines_of(second)[0]["extra"] == {"account_no": REDACTED}
