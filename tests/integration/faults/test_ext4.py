"""A log on a small ext4 of the test's own: full for real, and gone read-only amid the writes as after an I/O error.

Needs the right to mount a file (root, loop devices); elsewhere skipped. `test_disk.py` shows the same without rights.
"""

import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.faults import ids_in, trial
from support.written_logs import in_order

from metaexpert.logger import EvidenceOptions, FileOptions
from metaexpert.logger.files.evidence.verify import verify

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ext4 on a file is Linux's")

IMAGE_BYTES = 4 * 1024 * 1024
ROOM_BYTES = 96 * 1024


def _done(*command: str | Path) -> bool:
    return (
        shutil.which(str(command[0])) is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


@dataclass
class Ext4:
    """A file system on a file, mounted.

    Attributes:
        image: the file it is on.
        folder: where it is mounted.
    """

    image: Path
    folder: Path

    def mount(self) -> bool:
        return _done("mount", "-o", "loop,errors=remount-ro", self.image, self.folder)

    def fill(self) -> Path:
        """Leave little room; what takes the rest."""
        filler = self.folder / "filler"
        free = shutil.disk_usage(self.folder).free
        filler.write_bytes(bytes(free - ROOM_BYTES))
        return filler

    def goes_read_only(self) -> None:
        """As the kernel does by itself when it finds the file system damaged."""
        attached = subprocess.run(["losetup", "-j", self.image, "-O", "NAME", "-n"], capture_output=True, check=True)
        trigger = Path("/sys/fs/ext4") / Path(attached.stdout.decode().strip()).name / "trigger_fs_error"
        if not trigger.exists():
            pytest.skip("this kernel does not let one damage a file system")
        trigger.write_text("1")

    def is_replaced(self) -> None:
        """By what is on the disk, checked, and mounted in its place."""
        subprocess.run(["umount", "-l", self.folder], check=True)
        copy = self.image.with_name("replaced.img")
        shutil.copyfile(self.image, copy)
        subprocess.run(["e2fsck", "-f", "-y", copy], capture_output=True, check=False)
        self.image = copy
        assert self.mount()


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Ext4]:
    made = Ext4(tmp_path / "disk.img", tmp_path / "disk")
    made.folder.mkdir()
    with made.image.open("wb") as image:
        image.truncate(IMAGE_BYTES)
    if not (_done("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", made.image) and made.mount()):
        pytest.skip("may not mount an ext4 here: needs root, mkfs.ext4 and a loop device")
    try:
        yield made
    finally:
        with suppress(subprocess.CalledProcessError):
            subprocess.run(["umount", "-l", made.folder], check=True)


@pytest.mark.parametrize("fsync", ["never", "batch"])
async def test_a_full_ext4(disk: Ext4, fsync: str):
    """Lines, chains and seals wait; each is there once when there is room, and verified."""
    path = disk.folder / "logs" / "expert.log"
    options = FileOptions(
        path=path, fsync=fsync, max_bytes=40_000, backup_count=1000, tamper_evidence=EvidenceOptions()
    )
    async with trial(options) as run:
        run.log(20)
        filler = disk.fill()
        run.log(800)
        await run.shows("failed", "No space left on device")
        await run.healthy_keeps_up()
        filler.unlink()
        await run.recovers()
        run.log(20)
    files = in_order(path)
    assert len(files) > 2
    run.assert_all_arrived(ids_in(*files))
    report = verify([path.parent], processes=1)
    assert [each.finding for each in report.files if each.finding is not None] == []
    assert report.is_intact


async def test_an_ext4_that_goes_read_only_amid_the_writes(disk: Ext4):
    """What counted as delivered is on the disk that was checked and mounted anew; the rest waited, and goes there."""
    path = disk.folder / "logs" / "expert.log"
    async with trial(FileOptions(path=path, fsync="batch")) as run:
        run.log(50)
        await run.recovers()
        disk.goes_read_only()
        run.log(50)
        await run.shows("failed", "Read-only file system")
        await run.healthy_keeps_up()
        disk.is_replaced()
        await run.recovers()
        run.log(10)
    run.assert_all_arrived(set(ids_in(*in_order(path))))
