"""A date in Retry-After is measured by the answer's own date, and by this machine's clock only where it has none."""

import pytest

from metaexpert.logger.retry import parse_retry_after

NOON = "Sat, 01 Aug 2026 12:00:00 GMT"
A_MINUTE_LATER = "Sat, 01 Aug 2026 12:01:00 GMT"
NOON_SECONDS = 1_785_585_600.0


def never() -> float:
    raise AssertionError("this machine's clock was asked")


@pytest.mark.parametrize(("value", "seconds"), [(A_MINUTE_LATER, 60.0), (NOON, 0.0), ("120", 120.0)])
def test_the_answers_date_is_what_counts(value: str, seconds: float):
    assert parse_retry_after(value, never, NOON) == seconds


def test_a_date_before_the_answers_is_no_wait():
    assert parse_retry_after(NOON, never, A_MINUTE_LATER) == 0.0


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sat, 99 Aug 2026"])
def test_without_a_usable_one_the_clock_here_is_asked(date: str | None):
    assert parse_retry_after(A_MINUTE_LATER, lambda: NOON_SECONDS, date) == 60.0


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1.5", "Sat, 99 Aug 2026 12:00:00 GMT"])
def test_what_cannot_be_read_is_none(value: str | None):
    assert parse_retry_after(value, never, NOON) is None
