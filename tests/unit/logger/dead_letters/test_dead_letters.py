"""What a destination refuses for good is on disk afterwards, bounded, whatever the disk does meanwhile."""

import logging
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.fake_sinks import FakeSink, capture
from support.notices import told
from support.running_logger import logging_to, sink_stats
from support.scripted_collector import ScriptedCollector, serving, status

from metaexpert.exceptions import ConfigError
from metaexpert.logger import (
    Batch,
    CustomOptions,
    DeadLetterOptions,
    JournalOptions,
    LoggingRuntime,
    LokiOptions,
    Outcome,
    get_logger,
)
from metaexpert.logger.dead_letters.format import DeadLetter, new_letter
from metaexpert.logger.dead_letters.inspection import folders_in, read_sheet, runs_in
from metaexpert.logger.dead_letters.store import DeadLetterStore, files_in, label_of, lock_path
from metaexpert.logger.entry import Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.outcome import Delivered, Partial, Rejection

log = get_logger("unit.dead_letters")

BOOT = "1a2b3c4d5e6" + "0f" * 3


def letters_below(log_dir: Path) -> list[DeadLetter]:
    sheets = [read_sheet(path) for folder in folders_in(log_dir) for run in runs_in(folder) for path in run.paths]
    assert not sum(sheet.unreadable for sheet in sheets)
    return [letter for sheet in sheets for letter in sheet.letters if letter]


async def refuse(batch: Batch) -> Outcome:
    return Partial((), tuple(Rejection(at, 400, "no such thing") for at in range(len(batch))), "all refused")


def refusing(log_dir: Path, answer: Any = refuse, **bounds: Any) -> LoggingRuntime:
    options = CustomOptions(
        name="mine", new_sink=lambda _: FakeSink(answer), dead_letters=DeadLetterOptions(**bounds), batch_max_age=0.01
    )
    return logging_to(options, log_dir=log_dir)


def store_in(folder: Path, max_bytes: int = 80_000, max_entries: int = 1000, pid: int = 1) -> DeadLetterStore:
    return DeadLetterStore(folder, BOOT, pid, max_bytes, max_entries)


class TestLetter:
    @pytest.mark.parametrize("part", [b'{"a":"\xc3\xa9\\n"}', b"\xff\x00protobuf", b"", None])
    def test_its_line_brings_it_back(self, part: bytes | None):
        entry = capture(7, logging.ERROR, "trade")
        letter = new_letter(entry, Rejection(3, 413, "too large"), part, sink="s", kind="loki", boot_id=BOOT, time_ns=9)
        line = letter.line()
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert DeadLetter.from_line(line) == letter
        assert (letter.entry_id, letter.level_name, letter.status, letter.part) == (f"{BOOT}-7", "ERROR", 413, part)
        assert (b'"base64"' in line) == (part is not None and b"\xff" in part)

    def test_an_entry_of_an_earlier_run_keeps_its_id(self):
        earlier = "0" * 11 + "abcdef"
        part = b'{"message":"x","id":"%b-7","seq":7}' % earlier.encode()
        letter = new_letter(capture(7), Rejection(0, 1, ""), part, sink="s", kind="k", boot_id=BOOT, time_ns=1)
        assert letter.entry_id == f"{earlier}-7"

    def test_whatever_a_sink_gives_as_its_reason_can_be_written(self):
        rejection = Rejection(0, 2**80, "lone \ud800 and\nnewline" + "x" * 100_000)
        letter = new_letter(capture(1), rejection, b"part", sink="s\ud800", kind="k", boot_id=BOOT, time_ns=1)
        assert len(letter.line()) < 6000
        assert DeadLetter.from_line(letter.line()).part == b"part"

    @pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"time_ns":1}', b"\x00\x00\x00"])
    def test_a_line_that_is_none_is_an_error(self, line: bytes):
        with pytest.raises(ValueError):  # noqa: PT011 - whichever decoder finds out
            DeadLetter.from_line(line)


class TestStore:
    def test_files_are_the_owners_alone(self, tmp_path: Path):
        store = store_in(tmp_path / "a" / "b")
        store.append([b"one\n"])
        (path, _), *_ = files_in(tmp_path / "a" / "b")
        assert path.read_bytes() == b"one\n"
        if sys.platform != "win32":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
        store.close()

    def test_the_oldest_give_way_by_bytes(self, tmp_path: Path):
        store = store_in(tmp_path, max_bytes=8000)
        for number in range(100):
            store.append([b"%0999d\n" % number])
        kept = [line for path, _ in files_in(tmp_path) for line in path.read_bytes().splitlines()]
        assert [int(line) for line in kept] == list(range(92, 100))
        assert store.given_up == 92
        store.close()

    def test_the_oldest_give_way_by_count(self, tmp_path: Path):
        store = store_in(tmp_path, max_entries=16)
        for number in range(100):
            store.append([b"%d\n" % number])
        kept = [int(line) for path, _ in files_in(tmp_path) for line in path.read_bytes().splitlines()]
        assert kept == list(range(100 - len(kept), 100))
        assert 14 <= len(kept) <= 16
        assert store.given_up == 100 - len(kept)
        store.close()

    def test_letters_of_runs_that_ended_count_and_give_way_first(self, tmp_path: Path):
        ended = store_in(tmp_path, max_entries=8, pid=1)
        ended.append([b"old\n"] * 6)
        ended.close()
        store = store_in(tmp_path, max_entries=8, pid=2)
        store.append([b"new\n"] * 4)
        kept = [line for path, _ in files_in(tmp_path) for line in path.read_bytes().splitlines()]
        assert kept == [b"new"] * 4
        assert store.given_up == 6
        store.close()

    def test_another_process_keeps_its_own(self, tmp_path: Path):
        first, second = store_in(tmp_path, max_entries=8, pid=1), store_in(tmp_path, max_entries=8, pid=2)
        first.append([b"first\n"] * 8)
        second.append([b"second\n"] * 8)
        names = {name.pid for _, name in files_in(tmp_path)}
        assert names == {1, 2}
        assert (first.given_up, second.given_up) == (0, 0)
        first.close()
        second.close()

    def test_more_than_may_be_kept_is_refused(self, tmp_path: Path):
        store = store_in(tmp_path, max_bytes=1000)
        with pytest.raises(OSError, match="more than may be kept"):
            store.append([b"x" * 2000 + b"\n"])

    def test_a_folder_taken_away_is_made_anew(self, tmp_path: Path):
        store = store_in(tmp_path / "letters")
        store.append([b"one\n"])
        if sys.platform != "win32":
            shutil.rmtree(tmp_path / "letters")
            store.append([b"two\n"])
            ((path, name),) = files_in(tmp_path / "letters")
            assert path.read_bytes() == b"two\n"
            assert lock_path(tmp_path / "letters", name.run).exists()
        store.close()

    def test_a_refused_write_leaves_whole_lines(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        store = store_in(tmp_path)
        store.append([b"one\n"])
        write = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:2]) if len(data) > 4 else _full())
        with pytest.raises(OSError, match="No space"):
            store.append([b"two two\n"])
        monkeypatch.undo()
        store.append([b"three\n"])
        ((path, _),) = files_in(tmp_path)
        assert path.read_bytes() == b"one\nthree\n"
        store.close()

    def test_long_names_fit_a_file_system_and_differ(self):
        labels = {label_of("loki", "x" * 300 + end) for end in ("a", "b")}
        assert len(labels) == 2
        assert max(map(len, labels)) < 200
        assert "/" not in label_of("loki", "../../etc")


def _full() -> int:
    raise OSError(28, "No space left on device")


class TestKept:
    async def test_what_a_collector_refuses_is_kept_byte_for_byte(self, tmp_path: Path):
        async with serving(ScriptedCollector(status(400, "entry too old"))) as loki:
            async with logging_to(LokiOptions(url=loki.url, batch_max_age=0.01), log_dir=tmp_path) as runtime:
                log.info("one", a=1)
                log.trade.order_cancelled(order_id=1, symbol="BTCUSDT")
                assert not await runtime.flush(timeout=5.0)
            stats = sink_stats(runtime)
        letters = letters_below(tmp_path)
        bodies = b"".join(request.body for request in loki.requests)
        assert [(letter.status, letter.reason) for letter in letters] == [(400, "entry too old")] * 2
        assert all(letter.part and letter.part in bodies for letter in letters)
        assert all(letter.part and letter.entry_id.encode() in letter.part for letter in letters)
        assert {letter.log_type for letter in letters} == {"general", "trade"}
        assert (stats.ledger.rejected, stats.ledger.balanced) == (2, True)
        size = sum(len(letter.line()) for letter in letters)
        assert (stats.dead_letters, stats.dead_letter_bytes, stats.dead_letters_lost) == (2, size, 0)

    async def test_only_the_refused_of_a_batch_are_kept(self, tmp_path: Path):
        async def answer(batch: Batch) -> Outcome:
            refused = [at for at, part in enumerate(batch.parts) if part.startswith(b"bad")]
            rejected = tuple(Rejection(at, 422, f"reason {batch.parts[at].decode()}") for at in refused)
            return Partial((), rejected, "some") if rejected else Delivered()

        async with refusing(tmp_path, answer) as runtime:
            for number in range(10):
                log.info("%s %d", "bad" if number % 3 == 0 else "good", number)
            await runtime.flush(timeout=5.0)
        assert [letter.reason for letter in letters_below(tmp_path)] == [f"reason bad {at}" for at in (0, 3, 6, 9)]

    async def test_what_cannot_be_encoded_is_kept_to_be_read(self, tmp_path: Path):
        class Clumsy(FakeSink):
            def encode(self, entry: Capture) -> bytes:  # noqa: ARG002 - it looks at no entry
                raise KeyError("symbol")

        options = CustomOptions(new_sink=lambda _: Clumsy(), dead_letters=DeadLetterOptions())
        async with logging_to(options, log_dir=tmp_path) as runtime:
            log.info("to be read", a=1)
            await runtime.flush(timeout=5.0)
        (letter,) = letters_below(tmp_path)
        assert (letter.part, letter.status) == (None, 0)
        assert '"message":"to be read"' in letter.entry
        assert "KeyError" in letter.reason

    async def test_secrets_are_hidden_in_them_as_everywhere(self, tmp_path: Path):
        async with (
            serving(ScriptedCollector(status(400, "bad"))) as loki,
            logging_to(LokiOptions(url=loki.url, batch_max_age=0.01), log_dir=tmp_path) as runtime,
        ):
            log.info("login", api_key="hunter2-s3cret")
            await runtime.flush(timeout=5.0)
        (letter,) = letters_below(tmp_path)
        assert b"hunter2" not in letter.line()

    @pytest.mark.parametrize("enabled", [True, False])
    async def test_they_can_be_switched_off(self, enabled: bool, tmp_path: Path):
        async with refusing(tmp_path, enabled=enabled) as runtime:
            log.info("one")
            await runtime.flush(timeout=5.0)
        assert len(letters_below(tmp_path)) == enabled
        assert sink_stats(runtime).dead_letters == enabled
        assert sink_stats(runtime).ledger.rejected == 1

    def test_a_custom_sink_keeps_none_unless_told(self):
        assert not CustomOptions(new_sink=lambda _: FakeSink()).dead_letters.enabled
        assert LokiOptions(url="http://loki.example").dead_letters.enabled
        with pytest.raises(ConfigError, match="max_bytes"):
            DeadLetterOptions(max_bytes=10)

    async def test_the_bound_holds_while_all_is_refused(self, tmp_path: Path):
        async with refusing(tmp_path, max_entries=80, max_bytes=64 * 1024) as runtime:
            for number in range(500):
                log.info("n %d", number)
            await runtime.flush(timeout=10.0)
        stats, letters = sink_stats(runtime), letters_below(tmp_path)
        assert stats.ledger.rejected == 500
        assert 0 < len(letters) <= 80
        assert len(letters) + stats.dead_letters_lost == 500
        assert letters[-1].text == "n 499"

    async def test_a_disk_that_refuses_costs_the_letters_alone(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ):
        def refused(_: DeadLetterStore, __: object) -> None:
            _full()

        monkeypatch.setattr(DeadLetterStore, "append", refused)
        async with refusing(tmp_path) as runtime:
            for number in range(5):
                log.info("n %d", number)
            await runtime.flush(timeout=5.0)
        stats = sink_stats(runtime)
        assert (stats.ledger.rejected, stats.ledger.balanced) == (5, True)
        assert (stats.dead_letters, stats.dead_letters_lost) == (0, 5)
        assert "dead letters of mine: could not be kept: [Errno 28] No space left on device" in await told(capfd)

    @pytest.mark.parametrize("enabled", [True, False], ids=["disk full", "switched off"])
    async def test_protected_entries_that_are_kept_nowhere_are_an_audit_failure(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: bool
    ):
        failures: list[tuple[str, int]] = []

        def refused(_: DeadLetterStore, __: object) -> None:
            _full()

        monkeypatch.setattr(DeadLetterStore, "append", refused)
        journal = JournalOptions(
            enabled=True, on_audit_failure=lambda reason, entries: failures.append((reason, entries))
        )
        sink = CustomOptions(
            name="mine", new_sink=lambda _: FakeSink(refuse), dead_letters=DeadLetterOptions(enabled=enabled)
        )
        async with logging_to(sink, log_dir=tmp_path, journal=journal) as runtime:
            log.info("ordinary")
            log.error("an error")
            log.trade.order_cancelled(order_id=1, symbol="BTCUSDT")
            assert not await runtime.flush(timeout=5.0)
            await eventually(lambda: sum(entries for _, entries in failures) == 2)
        assert {reason.partition(":")[0] for reason, _ in failures} == {
            "mine refused protected entries, which are kept nowhere"
        }
        journal_stats = runtime.stats().journal
        assert journal_stats is not None
        assert journal_stats.failures == 2

    async def test_protected_entries_whose_letters_are_kept_are_none(self, tmp_path: Path):
        failures: list[str] = []
        journal = JournalOptions(enabled=True, on_audit_failure=lambda reason, _: failures.append(reason))
        sink = CustomOptions(name="mine", new_sink=lambda _: FakeSink(refuse), dead_letters=DeadLetterOptions())
        async with logging_to(sink, log_dir=tmp_path, journal=journal) as runtime:
            log.error("an error")
            assert not await runtime.flush(timeout=5.0)
        assert (sink_stats(runtime).dead_letters, failures) == (1, [])

    async def test_a_place_that_is_no_folder_costs_the_letters_alone(self, tmp_path: Path):
        (tmp_path / "dead-letters").write_text("in the way")
        async with refusing(tmp_path) as runtime:
            log.info("one")
            await runtime.flush(timeout=5.0)
        stats = sink_stats(runtime)
        assert (stats.ledger.rejected, stats.dead_letters_lost) == (1, 1)

    async def test_a_reload_goes_on_with_its_counts(self, tmp_path: Path):
        async with refusing(tmp_path) as runtime:
            log.info("one")
            await runtime.flush(timeout=5.0)
            await eventually(lambda: sink_stats(runtime).dead_letters == 1)
            changed = runtime.config.sinks[0].model_copy(update={"level": "INFO"})
            await runtime.reload(runtime.config.model_copy(update={"sinks": (changed,)}))
            log.info("two")
            await runtime.flush(timeout=5.0)
            await eventually(lambda: sink_stats(runtime).dead_letters == 2)
        assert [letter.text for letter in letters_below(tmp_path)] == ["one", "two"]

    async def test_what_waits_for_a_slow_disk_is_bounded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("metaexpert.logger.dead_letters.dead_letters._WAITING_BYTES", 4000)
        async with refusing(tmp_path) as runtime:
            pipeline = runtime._pipeline
            assert pipeline is not None
            letters = pipeline._lineup["mine"].delivery.dead_letters
            assert letters is not None
            with letters._lock:  # its thread cannot take any
                for number in range(100):
                    letters.keep(capture(number + 1, size=400), Rejection(0, 400, "no"), b"x")
                assert letters._waiting_bytes <= 4000
                lost = letters.counters.lost
            assert lost >= 90
        assert len(letters_below(tmp_path)) + lost == 100


class TestInspect:
    def left(self, tmp_path: Path, count: int = 3) -> Path:
        store = DeadLetterStore(tmp_path / "dead-letters" / "loki-loki", Identity(service="s").boot_id, 1, 10**6, 1000)
        entries = [capture(number + 1) for number in range(count)]
        store.append(
            [
                new_letter(
                    entry, Rejection(0, 400, "no"), b"part", sink="loki", kind="loki", boot_id=BOOT, time_ns=1
                ).line()
                for entry in entries
            ]
        )
        store.close()
        ((path, _),) = files_in(tmp_path / "dead-letters" / "loki-loki")
        return path

    def test_a_torn_last_line_is_skipped_and_kept(self, tmp_path: Path):
        path = self.left(tmp_path)
        torn = path.read_bytes()[:-20]
        path.write_bytes(torn)
        sheet = read_sheet(path)
        assert ([letter is not None for letter in sheet.letters], sheet.unreadable) == ([True, True, False], 1)
        sheet.keep([1, 2])
        assert path.read_bytes() == b"".join(torn.splitlines(keepends=True)[1:])

    def test_a_file_without_letters_left_is_deleted(self, tmp_path: Path):
        path = self.left(tmp_path)
        read_sheet(path).keep([])
        assert folders_in(tmp_path) == []

    def test_a_running_process_is_told_from_one_that_ended(self, tmp_path: Path):
        self.left(tmp_path)
        store = store_in(tmp_path / "dead-letters" / "loki-loki", pid=77)
        store.append([b"{}\n"])
        (folder,) = folders_in(tmp_path)
        assert {run.pid: run.is_live() for run in runs_in(folder)} == {1: False, 77: True}
        for run in runs_in(folder):
            with run.held() as ours:
                assert ours == (run.pid == 1)
        store.close()
        assert [run.is_live() for run in runs_in(folder)] == [False, False]
