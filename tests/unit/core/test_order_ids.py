"""Order ids: unique over runs, known again after a restart, short enough for every exchange."""

import re

from metaexpert.core.order_ids import OrderIds, base36


def test_no_run_gives_an_id_of_another():
    runs = [OrderIds("1001", started_ns) for started_ns in (1_700_000_000_000_000_000, 1_700_000_000_001_000_000)]
    ids = [next(run) for run in runs for _ in range(100)]
    assert len(set(ids)) == len(ids)


def test_a_strategy_knows_its_orders_of_former_runs_and_no_others():
    former, now, other = OrderIds("1001", 10**18), OrderIds("1001", 2 * 10**18), OrderIds("1002", 10**18)
    assert now.owns(next(former))
    assert not now.owns(next(other))
    assert not now.owns("web_4711")


def test_ids_are_letters_and_digits_32_at_most():
    ids = OrderIds("a strategy's long name, with anything in it", 2**62)
    assert all(re.fullmatch(r"[a-z0-9]{1,32}", next(ids)) for _ in range(2000))


def test_base36_counts_on_as_python_reads_it():
    assert [int(base36(number), 36) for number in (0, 35, 36, 123_456_789)] == [0, 35, 36, 123_456_789]
