"""The first of a window stand for those that follow; memory is bounded; any thread counts."""

from concurrent.futures import ThreadPoolExecutor

from metaexpert.logger.faults.groups import Group, Groups
from metaexpert.logger.faults.summaries import ErrorSummaries, summary_of

FAR = 2**62


def group(digest: str = "d", ends_at: int = FAR) -> Group:
    return Group(digest, "KeyError", "orders.place", "app", ends_at)


def test_one_key_has_one_group_while_its_window_lasts():
    groups = Groups()
    first = groups.group_of("a", group())
    assert groups.group_of("a", group()) is first
    assert groups.group_of("b", group()) is not first


def test_a_window_that_ended_makes_room_for_another_and_is_told_of_once():
    groups = Groups()
    first = groups.group_of("a", group(ends_at=0))
    first.left_out = 2
    second = groups.group_of("a", group())
    assert second is not first
    assert groups.ended() == [first]
    assert groups.ended() == []


def test_a_window_that_nothing_was_left_out_of_is_not_told_of():
    groups = Groups()
    groups.group_of("a", group(ends_at=0))
    assert groups.ended() == []
    assert len(groups) == 0


def test_the_oldest_makes_room_and_what_was_left_out_of_it_is_told():
    groups = Groups(most=3)
    oldest = groups.group_of(0, group())
    oldest.left_out = 1
    for key in range(1, 10):
        groups.group_of(key, group())
    assert (len(groups), groups.crowded_out) == (3, 7)
    assert groups.ended() == [oldest]


def test_threads_count_each_occurrence_once():
    one = group()
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: one.see(), range(2000)))
    assert sorted(numbers) == list(range(1, 2001))


def test_the_first_entry_that_is_on_its_way_stands_for_the_others():
    one = group()
    one.told_by(7)
    one.told_by(9)
    assert one.number == 7


def test_the_summary_says_how_often_and_since_when():
    one = group("abcd1234")
    one.message = "'BTC'"
    for _ in range(240):
        one.see()
    one.left_out = 237
    one.first_ns, one.last_ns = 1_700_000_000_123_456_789, 1_700_000_060_000_000_000
    message = summary_of(one)[4]
    assert message == (
        "KeyError in orders.place seen 240 times, first 2023-11-14T22:13:20.123Z, last 2023-11-14T22:14:20.000Z: 'BTC'"
    )


async def test_what_is_open_at_the_end_is_said_then():
    from metaexpert.logger.faults.groups import groups

    groups.forget()
    one = groups.group_of("a", group())
    one.see()
    one.left_out = 1
    said: list[object] = []
    summaries = ErrorSummaries(said.append)
    await summaries.finish(1.0)
    await summaries.finish(1.0)
    assert len(said) == 1
