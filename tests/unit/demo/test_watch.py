"""A collector counts the requests that have a text it was told of, and never says the text."""

from metaexpert.demo.collector.watch import Watch


def test_each_request_counts_once_whatever_part_of_it_has_the_text():
    watch = Watch()
    watch.look((b"needle",))
    watch.watch_for({"a": "needle", "b": "other", "empty": ""})
    watch.look((b"/path?needle", b"Header: needle", b"body"))
    watch.look((b"/", b"body with another needle"))
    watch.look((b"/", b"nothing"))
    assert watch.found == {"a": 2, "b": 1}


def test_other_texts_take_the_place_of_the_former_ones():
    watch = Watch()
    watch.watch_for({"a": "needle"})
    watch.look((b"needle",))
    watch.watch_for({"a": "thread"})
    assert watch.found == {"a": 0}
