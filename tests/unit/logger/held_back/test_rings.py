"""Rings stay within their bounds whatever comes, lose the oldest first, and count every entry once."""

import gc
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from metaexpert.logger.entry import SEQ, SIZE, Capture
from metaexpert.logger.held_back.rings import RING_BYTES, Rings

type Make = Callable[..., Capture]


def numbers(captures: list[Capture]) -> list[int]:
    return [capture[SEQ] for capture in captures]


def test_a_ring_keeps_the_newest_entries(make_entry: Make):
    rings = Rings(3, 100_000, 1_000_000)
    firsts = [rings.add("a", make_entry(number)) for number in range(5)]
    assert firsts == [True, False, False, False, False]
    assert numbers(rings.take("a")) == [2, 3, 4]
    assert rings.take("a") == []
    assert (rings.stats().held, rings.stats().released, rings.stats().dropped) == (5, 3, 2)


def test_a_ring_keeps_within_its_bytes_even_for_one_entry(make_entry: Make):
    rings = Rings(100, 2_000, 1_000_000)
    for number in range(5):
        rings.add("a", make_entry(number, size=700))
    assert numbers(rings.take("a")) == [3, 4]
    rings.add("a", make_entry(9, size=5_000))
    assert rings.take("a") == []


def test_the_longest_unused_goes_first(make_entry: Make):
    rings = Rings(100, 100_000, 4 * (RING_BYTES + 500) + 100)
    for number, key in enumerate("abcab"):
        rings.add(key, make_entry(number))
    rings.add("d", make_entry(9))
    assert rings.take("c") == []
    assert [numbers(rings.take(key)) for key in "abd"] == [[0, 3], [1, 4], [9]]


def test_one_that_takes_the_key_of_another_gets_none_of_its_entries(make_entry: Make):
    class Owner:
        pass

    rings = Rings(100, 100_000, 1_000_000)
    former = Owner()
    rings.add(7, make_entry(1), former)
    del former
    gc.collect()
    later = Owner()
    assert rings.owner(7) is None
    assert rings.add(7, make_entry(2), later)
    assert rings.owner(7) is later
    assert numbers(rings.take(7)) == [2]
    assert rings.stats().dropped == 1


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdefgh"), st.integers(450, 4_000), st.sampled_from(["add"] * 6 + ["take", "forget"])
        ),
        max_size=120,
    )
)
def test_every_entry_is_held_released_or_dropped_within_the_bounds(make_entry: Make, steps: list[tuple[str, int, str]]):
    rings = Rings(5, 8_000, 16_000)
    for number, (key, size, step) in enumerate(steps):
        match step:
            case "add":
                rings.add(key, make_entry(number, size=size))
            case "take":
                taken = rings.take(key)
                assert numbers(taken) == sorted(numbers(taken))
                assert len(taken) <= 5
                assert sum(capture[SIZE] for capture in taken) <= 8_000
            case _:
                rings.forget(key)
        now = rings.stats()
        assert now.held == now.released + now.dropped + now.entries
        assert now.bytes <= 16_000
    rings.clear()
    assert (rings.stats().bytes, rings.stats().entries, rings.stats().keys) == (0, 0, 0)
