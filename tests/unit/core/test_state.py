"""The state file: whole or not at all, and never silently forgotten."""

import os
from pathlib import Path

import pytest

from metaexpert.core.keeper import Keeper
from metaexpert.core.state import StateError, StateFile, encoded


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "state" / "expert.paper.json")


def test_what_is_saved_is_loaded_and_nothing_is_none(file: StateFile):
    assert file.load() is None
    file.save(encoded({"user": {"seen": 3}, "open_orders": ["a"]}))
    assert file.load() == {"version": 1, "user": {"seen": 3}, "open_orders": ["a"]}


def test_only_its_owner_may_read_it(file: StateFile):
    file.save(encoded({}))
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_former_state(file: StateFile, monkeypatch: pytest.MonkeyPatch):
    file.save(encoded({"user": 1}))

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StateError, match="No space left"):
        file.save(encoded({"user": 2}))
    assert file.load() == {"version": 1, "user": 1}
    assert list(file.path.parent.iterdir()) == [file.path]


@pytest.mark.parametrize("content", [b"", b'{"version": 1', b"[]", b'{"version": 99}', b"\xff\x00"])
def test_a_damaged_or_foreign_file_is_an_error_that_says_what_to_do(file: StateFile, content: bytes):
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    with pytest.raises(StateError, match="move it away"):
        file.load()


def test_what_json_cannot_say_is_refused_in_words():
    with pytest.raises(StateError, match="keep numbers, texts, lists"):
        encoded({"user": object()})


async def test_the_keeper_writes_what_changed_and_only_then(file: StateFile):
    state = {"user": {"n": [1]}}
    keeper = Keeper(file, lambda: state)
    await keeper.save()
    first = file.path.stat()
    await keeper.save()
    assert file.path.stat().st_ino == first.st_ino
    state["user"]["n"].append(2)
    await keeper.save()
    assert file.load() == {"version": 1, "user": {"n": [1, 2]}}
