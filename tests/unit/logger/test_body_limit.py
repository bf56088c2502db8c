"""How large a batch may be is learnt from what was refused for its size, and tried again bit by bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_sinks import captures

from metaexpert.logger.batch import Batch
from metaexpert.logger.body_limit import BodyLimit


def batch(*sizes: int) -> Batch:
    """A batch with parts of these sizes."""
    return Batch(captures(range(len(sizes))), [b"x" * size for size in sizes])


def sent(limit: BodyLimit, whole: Batch, takes_bytes: int) -> tuple[int, int]:
    """How many requests a server that takes so much got, and how many it refused, until all was with it."""
    waiting, requests, refused = [whole], 0, 0
    while waiting:
        pieces = limit.cut(waiting[0])
        if pieces is not None:
            waiting[:1] = pieces
            continue
        head = waiting.pop(0)
        requests += 1
        if head.size_bytes <= takes_bytes:
            limit.passed(head.size_bytes)
            continue
        refused += 1
        assert len(head) > 1
        limit.refused(head.size_bytes)
        waiting[:0] = head.halves()
    return requests, refused


class TestFront:
    @given(st.lists(st.integers(0, 50), min_size=2, max_size=30), st.integers(0, 2000))
    def test_is_as_much_as_fits_and_at_least_one_entry(self, sizes: list[int], most: int):
        whole = batch(*sizes)
        first, rest = whole.front(most)
        assert first.entries + rest.entries == whole.entries
        assert first.parts + rest.parts == whole.parts
        assert len(rest) >= 1
        assert len(first) == 1 or first.size_bytes <= most
        assert first.size_bytes + len(rest.parts[0]) > most or len(rest) == 1


class TestBodyLimit:
    def test_there_is_none_at_first(self):
        limit = BodyLimit()
        limit.passed(10**9)
        assert limit.cut(batch(10**6, 10**6)) is None

    def test_the_first_refusal_tells_the_batches_after_it(self):
        limit = BodyLimit()
        assert sent(limit, batch(*[100] * 64), takes_bytes=1000) == (11, 3)
        assert sent(limit, batch(*[100] * 64), takes_bytes=1000) == (8, 0)

    def test_over_many_batches_few_are_refused(self):
        limit = BodyLimit()
        refused = [sent(limit, batch(*[100] * 64), takes_bytes=1000)[1] for _ in range(200)]
        requests = 200 * 64 * 100 / 1000
        assert sum(refused[1:]) <= requests / 8

    def test_it_grows_back_when_the_server_takes_more(self):
        limit = BodyLimit()
        sent(limit, batch(*[100] * 64), takes_bytes=1000)
        requests = [sent(limit, batch(*[100] * 64), takes_bytes=10**6)[0] for _ in range(60)]
        assert requests[0] >= 8
        assert requests[-1] == 1
        assert requests == sorted(requests, reverse=True)

    def test_batches_far_below_it_prove_nothing(self):
        limit = BodyLimit()
        limit.refused(2000)
        for _ in range(1000):
            limit.passed(10)
        assert limit.bytes == 1000

    def test_one_entry_is_never_cut(self):
        limit = BodyLimit()
        limit.refused(10)
        assert limit.cut(batch(10_000)) is None

    @pytest.mark.parametrize(("size", "limit_bytes"), [(10_000, 5_000), (6_000, 4_000), (100, 4_000)])
    def test_no_limit_is_concluded_below_the_least(self, size: int, limit_bytes: int):
        limit = BodyLimit()
        limit.refused(size, least_bytes=4_000)
        assert limit.bytes == limit_bytes

    def test_pieces_are_about_even(self):
        limit = BodyLimit()
        limit.refused(2000)
        pieces = limit.cut(batch(*[100] * 12))
        assert pieces is not None
        assert [one.size_bytes for one in pieces] == [600, 600]
