"""A log file in every kind of trouble: entries wait, and arrive each once and untorn when the place can be written."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.eventually import eventually
from support.faults import ids_in, trial
from support.notices import told
from support.written_logs import in_order

from metaexpert.logger import FileOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's files and limits")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "expert.log"


# ---- places that cannot be written ---------------------------------------------------------------------------------


async def test_a_folder_that_is_a_file(path: Path):
    path.parent.write_text("in the way")
    async with trial(FileOptions(path=path)) as run:
        run.log()
        await run.shows("failed", f"{path}: ")
        await run.healthy_keeps_up()
        path.parent.unlink()
        await run.recovers()
    run.assert_all_arrived(ids_in(path))


async def test_a_file_that_is_a_folder(path: Path):
    path.mkdir(parents=True)
    async with trial(FileOptions(path=path)) as run:
        run.log()
        await run.shows("failed", "Is a directory")
        await run.healthy_keeps_up()
        path.rmdir()
        await run.recovers()
    run.assert_all_arrived(ids_in(path))


async def test_a_file_system_that_takes_no_files(path: Path):
    """/proc refuses even root; a link that leads there is set right later."""
    path.parent.symlink_to("/proc/1")
    async with trial(FileOptions(path=path)) as run:
        run.log()
        await run.shows("failed", f"{path}: ")
        await run.healthy_keeps_up()
        path.parent.unlink()
        await run.recovers()
    run.assert_all_arrived(ids_in(path))


@contextmanager
def _mounted(folder: Path, options: str) -> Generator[None]:
    """A file system of the test's own in memory; needs the right to mount."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def test_a_file_system_that_is_read_only(path: Path):
    with _mounted(path.parent, "size=1m,ro"):
        async with trial(FileOptions(path=path)) as run:
            run.log()
            await run.shows("failed", "Read-only file system")
            await run.healthy_keeps_up()
            subprocess.run(["mount", "-o", "remount,rw", str(path.parent)], check=True)
            await run.recovers()
        run.assert_all_arrived(ids_in(path))


@contextmanager
def _as_somebody_else(owner: int) -> Generator[None]:
    """Root may write everywhere: give its rights up for a while, as far as files are concerned."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(owner)
    os.seteuid(owner)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


NOBODY = 65_534


async def test_a_folder_without_permission(tmp_path: Path):
    folder = tmp_path / "logs"
    folder.mkdir()
    _let_through(tmp_path)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    folder.chmod(0o500)
    path = folder / "expert.log"
    with _as_somebody_else(NOBODY):
        async with trial(FileOptions(path=path)) as run:
            run.log()
            await run.shows("failed", "Permission denied")
            await run.healthy_keeps_up()
            folder.chmod(0o700)
            await run.recovers()
    run.assert_all_arrived(ids_in(path))


def _let_through(folder: Path) -> None:
    """Let others pass through folders of pytest's, which are their owner's alone."""
    for each in (folder, *folder.parents[:2]):
        if each.stat().st_uid == os.geteuid():
            each.chmod(each.stat().st_mode | 0o011)


async def test_a_place_that_hangs(path: Path):
    """A pipe that nobody reads does what a dead network file system does: the system call does not come back."""
    path.parent.mkdir()
    os.mkfifo(path)
    async with trial(FileOptions(path=path, max_bytes=1000), shutdown_timeout=5.0) as run:
        run.log(400)
        await run.healthy_keeps_up()
        assert not await run.runtime.flush(timeout=0.05)
        assert (run.stats.state, run.stats.retries) == ("active", 0)
        run.assert_within_bounds()
        content: list[bytes] = []
        reader = threading.Thread(target=lambda: content.append(path.read_bytes()))
        reader.start()
        await run.recovers()
        run.log(40)
        assert await run.runtime.flush()
    reader.join(20)
    run.assert_all_arrived(ids_of(content[0].splitlines()))
    assert list(path.parent.iterdir()) == [path]


async def test_a_place_that_hangs_until_the_end(path: Path):
    """The stop does not wait for the system call beyond its deadline."""
    path.parent.mkdir()
    os.mkfifo(path)
    async with trial(FileOptions(path=path), shutdown_timeout=0.2) as run:
        run.log()
        await run.healthy_keeps_up()
        started = time.monotonic()
    assert time.monotonic() - started < 3.0
    ledger = run.stats.ledger
    assert run.stats.state == "stopped"
    assert {reason for _, reason in ledger.dropped} == {"shutdown"}
    # the journal keeps the errors for the next start
    assert {level for level, _ in ledger.dropped}.isdisjoint({"ERROR", "CRITICAL"})
    assert ledger.spooled > 0
    assert ledger.dropped_total + ledger.spooled == run.logged
    let_go = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # the thread that hangs gets its reader
    await eventually(lambda: not any(thread.name == "metaexpert-file" for thread in threading.enumerate()))
    await run.runtime.sinks["file"].close()
    os.close(let_go)


async def test_a_process_without_descriptors_left(path: Path):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with trial(FileOptions(path=path)) as run:
        taken = os.open(os.devnull, os.O_RDONLY)
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 1, before[1]))
        try:
            run.log()
            await run.shows("failed", "Too many open files")
            await run.healthy_keeps_up()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            os.close(taken)
        await run.recovers()
    run.assert_all_arrived(ids_in(path))


# ---- no room -------------------------------------------------------------------------------------------------------


async def test_a_full_disk(path: Path):
    """A real file system of 64 KiB: the line that is half written when it is full is completed and not repeated."""
    with _mounted(path.parent, "size=64k"):
        filler = path.parent / "filler"
        filler.write_bytes(bytes(32 * 1024))
        async with trial(FileOptions(path=path)) as run:
            run.log(200)
            await run.shows("failed", "No space left on device")
            await run.healthy_keeps_up()
            assert not path.read_bytes().endswith(b"\n")  # half a line is there: else this test shows nothing
            run.log(10)
            filler.unlink()
            subprocess.run(["mount", "-o", "remount,size=4m", str(path.parent)], check=True)
            await run.recovers()
            run.log(10)
        run.assert_all_arrived(ids_in(path))


@contextmanager
def _files_up_to(limit_bytes: int) -> Generator[None]:
    """Let no file of this process grow beyond that; a write is cut short there and the next one fails with EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_file_that_may_not_grow(path: Path):
    """As a quota does; needs no rights, and so shows on any machine that no line is torn or repeated."""
    async with trial(FileOptions(path=path)) as run:
        with _files_up_to(16 * 1024 + 7):
            run.log(200)
            await run.shows("failed", "File too large")
            await run.healthy_keeps_up()
            assert path.stat().st_size == 16 * 1024 + 7
            run.log(10)
        await run.recovers()
    run.assert_all_arrived(ids_in(path))


async def test_a_device_that_is_always_full(path: Path):
    """A link to /dev/full is taken away: the descriptor that failed is not held on to."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    path.parent.mkdir()
    path.symlink_to("/dev/full")
    async with trial(FileOptions(path=path)) as run:
        run.log()
        await run.shows("failed", "No space left on device")
        await run.healthy_keeps_up()
        path.unlink()
        await run.recovers()
    run.assert_all_arrived(ids_in(path))


async def test_a_file_taken_away_under_a_full_disk(path: Path):
    """The new file gets the whole batch: the rest of it alone would begin with half a line."""
    async with trial(FileOptions(path=path)) as run:
        with _files_up_to(16 * 1024 + 7):
            run.log(100)
            await run.shows("failed", "File too large")
            moved = path.resolve().rename(path.with_name("moved.log"))
        await run.recovers()
        assert "begun anew" in (run.stats.last_error or "")
    torn = moved.read_bytes()
    kept = torn[: torn.rindex(b"\n") + 1].splitlines()
    # what was whole in the old file may be in the new one too, under the same id; nothing is missing, nothing torn
    assert set(ids_in(path)) | set(ids_of(kept)) == set(run.healthy_ids)
    assert len(ids_in(path)) == len(set(ids_in(path)))
    assert run.stats.ledger.delivered == run.logged


async def test_rotation_on_a_full_disk(path: Path):
    async with trial(FileOptions(path=path, max_bytes=20_000, backup_count=50)) as run:
        with _files_up_to(16 * 1024 + 7):
            run.log(300)
            await run.shows("failed", "File too large")
            await run.healthy_keeps_up()
        await run.recovers()
        run.log(300)
    files = in_order(path)
    assert len(files) > 2
    run.assert_all_arrived(ids_in(*files))


async def test_a_rotation_that_can_make_no_file(path: Path):
    """No descriptor is left for the next one: an overlong file is better than a lost entry."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with trial(FileOptions(path=path, max_bytes=8_000, batch_max_entries=20)) as run:
        run.log(1)
        assert await run.runtime.flush()
        taken = os.open(os.devnull, os.O_RDONLY)
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken, before[1]))
        try:
            run.log(200)
            await run.healthy_keeps_up()
            await eventually(lambda: "could not rotate" in (run.stats.last_error or ""))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            os.close(taken)
        await run.recovers()
        run.log(20)
        assert await run.runtime.flush()
    first, *more = in_order(path)
    assert first.stat().st_size > 8_000
    assert more
    run.assert_all_arrived(ids_in(first, *more))


async def test_a_disk_that_is_full_until_the_end(path: Path, capfd: pytest.CaptureFixture[str]):
    """The stop keeps its deadline; what did not fit is counted, said, and never half of a later run's first line."""
    with _files_up_to(16 * 1024 + 7):
        async with trial(FileOptions(path=path), shutdown_timeout=0.2) as run:
            run.log(200)
            await run.shows("failed", "File too large")
    assert "entries could not be delivered in time" in await told(capfd)
    ledger = run.stats.ledger
    assert (run.stats.state, ledger.dropped_total) == ("stopped", run.logged - ledger.delivered)
    assert {reason for _, reason in ledger.dropped} == {"shutdown"}
    async with trial(FileOptions(path=path)) as after:
        after.log()
    after.assert_all_arrived(ids_in(path))
    assert "of it); the file is left as it is" in await told(capfd)
    torn = next(each for each in in_order(path) if not each.read_bytes().endswith(b"\n"))
    whole = torn.read_bytes().rpartition(b"\n")[0].splitlines()
    assert set(ids_of(whole)) <= set(run.healthy_ids)
    assert len(whole) >= ledger.delivered


def ids_of(lines: list[bytes]) -> list[str]:
    """The ids of JSON lines."""
    return [line.split(b'"id":"', 1)[1].split(b'"', 1)[0].decode() for line in lines]


# ---- while it is written -------------------------------------------------------------------------------------------


@contextmanager
def _system_says(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> Generator[list[object]]:
    """Let a system call of ours fail with that error as long as the context lasts; the calls that did."""
    failed: list[object] = []

    def refuse(*_arguments: object, **_named: object) -> int:
        failed.append(number)
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(name, refuse)
        yield failed


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE])
async def test_every_error_of_a_write_is_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    """Full, over its quota, broken, read-only, or a network share that went away; at the next moment well again."""
    async with trial(FileOptions(path=path, batch_max_entries=20)) as run:
        run.log(20)
        assert await run.runtime.flush()
        with _system_says(monkeypatch, "aiofiles.threadpool.binary.AsyncFileIO.write", number):
            run.log(100)
            await run.shows("failed", os.strerror(number))
            await run.healthy_keeps_up()
        await run.recovers()
    run.assert_all_arrived(ids_in(path))


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
async def test_a_disk_that_takes_no_sync_keeps_entries_in_the_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    """The system took them, the disk did not: protected entries count as delivered when it has them."""
    async with trial(FileOptions(path=path, fsync="protected"), log_dir=path.parent) as run:
        with _system_says(monkeypatch, "metaexpert.logger.files.retiring.sync_descriptor", number):
            run.log(20)
            await run.shows("failed", os.strerror(number))
            await run.healthy_keeps_up()
            journal = run.runtime.stats().journal
            assert journal is not None
            assert journal.kept_entries > 0
        await run.recovers()
    files = in_order(path)
    assert len(files) == 2, "one more was begun, and it stands there as a whole"
    run.assert_all_arrived(set(ids_in(*files)))


async def test_a_rotation_on_a_disk_that_is_slow_or_broken_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch):
    """What cannot be brought to the disk when its file is finished is told, and the next file goes on."""
    async with trial(FileOptions(path=path, max_bytes=5_000, backup_count=1000, batch_max_entries=10)) as run:
        with _system_says(monkeypatch, "metaexpert.logger.files.retiring.sync_descriptor", errno.EIO) as failed:
            run.log(200)
            await run.recovers()
            await eventually(lambda: len(failed) > 5)
    assert len(in_order(path)) > 5
    run.assert_all_arrived(ids_in(*in_order(path)))


async def test_a_name_longer_than_the_system_takes(tmp_path: Path):
    """The files' names are longer than the log's; it is told, and nobody else is harmed."""
    path = tmp_path / f"{'x' * 240}.log"
    async with trial(FileOptions(path=path), shutdown_timeout=0.2) as run:
        run.log(20)
        await run.shows("failed", "File name too long")
        await run.healthy_keeps_up()
    assert run.stats.ledger.dropped_total + run.stats.ledger.spooled == run.logged


async def test_a_long_path(tmp_path: Path):
    """Longer than Windows takes without being told, and within what others take."""
    path = tmp_path.joinpath(*["folder-of-a-long-name" * 5] * 4) / "expert.log"
    assert len(str(path)) > 400
    async with trial(FileOptions(path=path, max_bytes=5_000, backup_count=1000, batch_max_entries=10)) as run:
        run.log(100)
    run.assert_all_arrived(ids_in(*in_order(path)))
    assert path.resolve() == in_order(path)[-1]
