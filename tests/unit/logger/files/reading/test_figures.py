"""Parts of a file looked at by themselves: together they tell what the whole does, clock steps first of all."""

from hypothesis import given
from hypothesis import strategies as st

from metaexpert.logger.files.reading.figures import KEPT_STEPS, STEP_NS, Clock, Step

MS = 1_000_000


def steps_in(times_ns: list[int]) -> tuple[list[Step], int]:
    """What a clock that went through all of them tells, reckoned by itself."""
    newest, steps = times_ns[0], list[Step]()
    for time_ns in times_ns:
        if newest - time_ns >= STEP_NS:
            steps.append((newest, newest - time_ns))
            newest = time_ns
        else:
            newest = max(newest, time_ns)
    return steps, newest


def clock_over(times_ns: list[int], *, is_first: bool) -> Clock:
    clock = Clock(times_ns[0], has_begun=is_first)
    for time_ns in times_ns:
        clock.add(time_ns)
    return clock


TIMES = st.lists(st.integers(0, 600).map(lambda ms: ms * MS), min_size=1, max_size=12)


@given(st.lists(TIMES, min_size=1, max_size=6))
def test_parts_one_after_another_tell_the_steps_of_the_whole(parts: list[list[int]]):
    clock = clock_over(parts[0], is_first=True)
    told = list(clock.steps)
    for part in parts[1:]:
        told += clock.go_on(clock_over(part, is_first=False))
    expected, newest = steps_in([each for part in parts for each in part])
    assert (told, clock.step_count, clock.newest_ns) == (expected, len(expected), newest)


def test_more_steps_than_are_kept_are_counted():
    back_and_forth = [0, STEP_NS] * 150
    clock = clock_over(back_and_forth, is_first=True)
    told = list(clock.steps)
    told += clock.go_on(clock_over(back_and_forth, is_first=False))
    expected, _ = steps_in(back_and_forth * 2)
    assert (clock.step_count, told) == (len(expected), expected[:KEPT_STEPS])


@given(st.lists(st.integers(0, 10 * STEP_NS), min_size=1).map(sorted), st.booleans())
def test_times_in_order_are_taken_in_as_one_by_one(times_ns: list[int], is_first: bool):
    expected = clock_over(times_ns, is_first=is_first)
    clock = Clock(times_ns[0], has_begun=is_first)
    begin = times_ns[:1] if is_first else [each for each in times_ns if each < times_ns[0] + STEP_NS]
    clock.add_in_order([*begin, *times_ns[len(begin) : len(begin) + 1]], times_ns[-1])
    assert (clock.newest_ns, clock.has_begun) == (expected.newest_ns, expected.has_begun)
    before = Clock(times_ns[0] + STEP_NS // 2)
    again = Clock(times_ns[0] + STEP_NS // 2)
    assert before.go_on(clock) == again.go_on(expected)
    assert before.newest_ns == again.newest_ns
