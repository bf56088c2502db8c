"""Secrets that are logged on purpose: others in each run, hidden in every entry, the word beside them in each."""

from pathlib import Path

from support.running_logger import logging_to
from support.written_logs import written

from metaexpert.demo.desk.planted import Planted
from metaexpert.demo.desk.reconcile import reconcile
from metaexpert.demo.desk.search import Search
from metaexpert.logger import ErrorOptions, FileOptions


async def test_none_is_in_any_byte_and_the_word_beside_them_is_in_each_entry(tmp_path: Path):
    planted = Planted.made()
    assert set(planted.secrets.values()).isdisjoint(Planted.made().secrets.values())
    sink = FileOptions(path=tmp_path / "all.log", format="json")
    async with logging_to(sink, log_dir=tmp_path, errors=ErrorOptions(locals=True)) as runtime:
        planted.log()
        reconcile(planted.credentials)
        await runtime.flush()
    search = Search()
    search.look(tmp_path, {**planted.secrets, "mark": planted.mark})
    assert search.found.keys() == {"mark"}
    assert written(tmp_path / "all.log").count(planted.mark.encode()) == 4
