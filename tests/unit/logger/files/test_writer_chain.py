"""What a log tells its hash chain: each line once, after it was written, in the order of files."""

import asyncio
import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.written_logs import in_order, new_log, written

from metaexpert.logger.files import retiring
from metaexpert.logger.files.names import LogFile
from metaexpert.logger.files.ownership import is_written
from metaexpert.logger.files.rotation import Rotation
from metaexpert.logger.jobs import Worker


class RecordingSeal:
    """Notes when it is to be brought to the disk; cannot be as long as it is told so."""

    def __init__(self, told: list[tuple[object, ...]]) -> None:
        self.is_refused = False
        self._told = told

    def bring_to_disk(self) -> bool:
        self._told.append(("refused",) if self.is_refused else ("sealed",))
        return not self.is_refused

    def give_up(self) -> None:
        self._told.append(("given up",))


class RecordingChain:
    """Notes what it is told; refuses what it is told to refuse, once."""

    def __init__(self, *refused: str) -> None:
        self.told: list[tuple[object, ...]] = []
        self._refused = list(refused)
        self.sealing = RecordingSeal(self.told)

    def _take(self, name: str, *what: object) -> None:
        if name in self._refused:
            self._refused.remove(name)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.told.append((name, *what))

    def begin(self, file: LogFile, size_bytes: int) -> None:
        self._take("begin", file.number, size_bytes)

    def add(self, lines: Sequence[bytes], end_bytes: int) -> None:
        self._take("add", *lines, end_bytes)

    def sync(self) -> None:
        self._take("sync")

    def seal(self, reason: str) -> RecordingSeal:
        self._take("seal", reason)
        return self.sealing

    def close(self) -> None:
        self._take("close")


async def test_it_is_told_of_files_and_lines_in_their_order(tmp_path: Path, worker: Worker):
    chain = RecordingChain()
    file = new_log(tmp_path / "expert.log", worker, Rotation(max_bytes=10), chain=chain)
    await file.append([b"one", b"two"], 1)
    await file.append([b"three"], 2)
    await file.sync()
    await file.close()
    assert [told for told in chain.told if told != ("sealed",)] == [
        ("begin", 1, 0),
        ("add", b"one", b"two", 8),
        ("seal", "rotation"),
        ("begin", 2, 0),
        ("add", b"three", 6),
        ("sync",),
        ("seal", "stop"),
        ("close",),
    ]
    assert chain.told.count(("sealed",)) == 2


async def test_a_sealed_file_is_not_gone_on_with(tmp_path: Path, worker: Worker):
    chain = RecordingChain()
    file = new_log(tmp_path / "expert.log", worker, chain=chain)
    await file.append([b"one"], 1)
    await file.close()
    await file.append([b"two"], 2)
    await file.close()
    assert [each.read_bytes() for each in in_order(tmp_path / "expert.log")] == [b"one\n", b"two\n"]
    assert [told for told in chain.told if told[0] == "begin"] == [("begin", 1, 0), ("begin", 2, 0)]


async def test_nor_by_a_log_without_a_chain(tmp_path: Path, worker: Worker):
    """As after a reload that leaves tamper evidence out."""
    log = tmp_path / "expert.log"
    chained = new_log(log, worker, chain=RecordingChain())
    await chained.append([b"one"], 1)
    await chained.close()
    (file,) = (LogFile.parsed(path) for path in in_order(log))
    assert file is not None
    file.chain.touch()
    plain = new_log(log, worker)
    await plain.append([b"two"], 2)
    await plain.close()
    assert len(in_order(log)) == 2


@pytest.mark.parametrize("refused", ["begin", "add"])
async def test_what_it_refuses_is_told_again_and_written_once(tmp_path: Path, worker: Worker, refused: str):
    chain = RecordingChain(refused)
    file = new_log(tmp_path / "expert.log", worker, chain=chain)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        await file.append([b"one"], "batch")
    await file.append([b"one"], "batch")
    await file.append([b"two"], "next")
    await file.close()
    assert written(tmp_path / "expert.log") == b"one\ntwo\n"
    assert chain.told[:3] == [("begin", 1, 0), ("add", b"one", 4), ("add", b"two", 8)]


async def test_a_seal_it_refuses_is_told_and_holds_nothing_up(tmp_path: Path, worker: Worker):
    chain = RecordingChain("seal")
    file = new_log(tmp_path / "expert.log", worker, Rotation(max_bytes=5), chain=chain)
    await file.append([b"one two"], 1)
    await file.append([b"three"], 2)
    assert "could not be sealed" in file.take_warning()
    await file.close()
    assert written(tmp_path / "expert.log") == b"one two\nthree\n"


async def test_the_next_write_waits_for_no_seal_and_a_seal_for_its_file(
    tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
):
    chain, may_end = RecordingChain(), threading.Event()

    def sync(_descriptor: int) -> None:
        assert may_end.wait(20.0)
        chain.told.append(("on the disk",))

    monkeypatch.setattr(retiring, "sync_descriptor", sync)
    file = new_log(tmp_path / "expert.log", worker, Rotation(max_bytes=5), chain=chain)
    await file.append([b"one"], 1)
    await file.append([b"two"], 2)
    assert ("add", b"two", 4) in chain.told
    assert ("sealed",) not in chain.told
    may_end.set()
    await file.sync()
    await file.close()
    ends = [told for told in chain.told if told in {("on the disk",), ("sealed",)}]
    assert ends == [("on the disk",), ("sealed",), ("on the disk",), ("on the disk",), ("sealed",)]


async def test_a_seal_the_disk_refuses_is_asked_for_again_and_its_file_is_held_until_then(
    tmp_path: Path, worker: Worker
):
    chain, clock, done = RecordingChain(), [100.0], list[int]()
    chain.sealing.is_refused = True
    file = new_log(
        tmp_path / "expert.log",
        worker,
        Rotation(max_bytes=5),
        chain=chain,
        rotated=lambda each: done.append(each.number),
        clock=lambda: clock[0],
    )
    await file.append([b"one"], 1)
    await file.append([b"two"], 2)
    await file.sync()
    await file.sync()
    assert chain.told.count(("refused",)) == 1, "not at every sync"
    assert is_written(in_order(tmp_path / "expert.log")[0])
    chain.sealing.is_refused = False
    clock[0] += 5.0
    await file.append([b"3"], 3)
    await file.sync()
    assert done == [1, 2]
    await file.close()
    assert done == [1, 2, 3]
    assert chain.told.count(("sealed",)) == 3


async def test_one_refused_until_the_end_is_given_up_and_its_file_closed(tmp_path: Path, worker: Worker):
    chain = RecordingChain()
    chain.sealing.is_refused = True
    file = new_log(tmp_path / "expert.log", worker, Rotation(max_bytes=5), chain=chain)
    for number in range(30):
        await file.append([b"line %d" % number], number)
    await file.sync()
    files = in_order(tmp_path / "expert.log")
    assert sum(map(is_written, files)) <= 20, "not ever more files are open"
    await file.close()
    assert chain.told.count(("given up",)) == len(files) == 30
    assert not any(map(is_written, files))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_forked_child_holds_no_file_of_its_parents(tmp_path: Path, worker: Worker):
    log = tmp_path / "expert.log"
    file = new_log(log, worker)
    await file.append([b"one"], 1)
    waits, lives_on = os.pipe()
    told, tells = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(lives_on)
        os.write(tells, b"!")
        os.read(waits, 1)
        os._exit(0)
    try:
        assert os.read(told, 1) == b"!"
        assert is_written(log)
        await file.close()
        assert not is_written(log)
    finally:
        for descriptor in (lives_on, waits, told, tells):
            os.close(descriptor)
        _, ended = await asyncio.to_thread(os.waitpid, child, 0)
        assert ended == 0
