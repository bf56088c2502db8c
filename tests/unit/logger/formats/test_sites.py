"""Names on a line: of loggers, tasks, modules and functions, cut where they are megabytes and no names any more."""

from collections.abc import Callable

import orjson
import pytest
from support.fake_sinks import capture

from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.formats.sites import bounded_name, encode_name
from metaexpert.logger.formats.text import TextLines
from metaexpert.logger.identity import Identity

IDENTITY = Identity(service="expert")
FORMATS: dict[str, Callable[[Capture], bytes]] = {
    "json": JsonLines(IDENTITY),
    "ecs": EcsDocuments(IDENTITY),
    "text": TextLines(use_colors=False),
}


def named(name: str) -> Capture:
    """An entry all of whose names are this one."""
    entry = capture(1)
    code = entry[5].replace(co_name=name, co_filename=f"/{name}.py")
    return (*entry[:3], name, entry[4], code, *entry[6:10], name, *entry[11:])


@pytest.mark.parametrize("encode", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("character", ["x", "\N{MONEY BAG}", "\udc80"])
def test_names_of_megabytes_take_a_kilobyte_each(encode: Callable[[Capture], bytes], character: str):
    line = encode(named(character * 2_000_000))
    assert len(line) < 10_000
    assert b"[cut " in line


def test_names_are_otherwise_as_they_are():
    name = "package.module." * 60
    assert bounded_name(name) == name
    assert orjson.loads(encode_name(name)) == name
    line = orjson.loads(FORMATS["json"](named(name)))
    assert (line["logger"], line["task"], line["function"]) == (name, name, name)
