"""Processes that look through parts of files: whatever goes wrong in one, who asked is answered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never, override

import pytest
from support.readable_logs import START_NS, Folder, json_line

from metaexpert.logger.files.reader import Reader, ReadError, Source, sources_in
from metaexpert.logger.files.reading.helpers import Helper, HelperError
from metaexpert.logger.files.reading.parts import Answer, Looking, Part
from metaexpert.logger.files.reading.query import Query

PATIENCE_SECONDS = 60


class Unsendable(str):
    """A logger's name that cannot be sent to another process."""

    __slots__ = ()

    @override
    def __reduce_ex__(self, protocol: Any) -> Never:
        raise ValueError("not for others")


@pytest.fixture
def part(tmp_path: Path) -> Part:
    path = Folder(tmp_path).write([json_line(START_NS)])
    return Part(Source.at(path), 0, path.stat().st_size, 0, 0)


@pytest.fixture
def helper() -> Iterator[Helper[Part, Answer]]:
    started = Helper[Part, Answer](Looking(Query()))
    yield started
    started.close()


def test_what_goes_wrong_in_the_process_is_answered_and_it_goes_on(helper: Helper[Part, Answer], part: Part):
    nothing: Any = None
    asked = [helper.ask(each) for each in (part._replace(source=nothing), part)]
    with pytest.raises(HelperError, match="AttributeError"):
        asked[0].result(PATIENCE_SECONDS)
    assert len(asked[1].result(PATIENCE_SECONDS).kept) == 1


def test_a_part_that_cannot_be_sent_is_answered(helper: Helper[Part, Answer], part: Part):
    unsendable: Any = Unsendable()
    asked = [helper.ask(each) for each in (part._replace(start=unsendable), part)]
    with pytest.raises(ValueError, match="not for others"):
        asked[0].result(PATIENCE_SECONDS)
    assert len(asked[1].result(PATIENCE_SECONDS).kept) == 1


def test_work_that_cannot_be_sent_fails_each_part(part: Part):
    helper = Helper[Part, Answer](Looking(Query(loggers=(Unsendable("expert"),))))
    try:
        for each in [helper.ask(part), helper.ask(part)]:
            with pytest.raises(ValueError, match="not for others"):
                each.result(PATIENCE_SECONDS)
    finally:
        helper.close()


def test_reading_ends_with_what_went_wrong(tmp_path: Path):
    path = Folder(tmp_path).write([json_line(START_NS)])
    with pytest.raises(ReadError, match="not for others") as caught:
        list(Reader(sources_in([tmp_path]), Query(loggers=(Unsendable("expert"),)), parallel=2))
    assert str(path) in str(caught.value)
