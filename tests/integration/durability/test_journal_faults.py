"""The journal where its disk, its folder or its neighbours fail it: no loss in silence, no exception in a call."""

import os
import signal
import sys
from pathlib import Path

import pytest
from support.programs import BEGINNING, FORK, POSIX, Ended, run_program, running_program
from support.written_logs import in_order

WITH_JOURNAL = """\
told = []


def halt(reason, count):
    told.append((reason, count))


def journal(**more):
    return {"segment_bytes": 256 * 1024, "max_bytes": 512 * 1024, "on_audit_failure": halt, **more}


def journal_stats(runtime):
    return runtime.stats().journal


"""

RECOVERING = """
async def main():
    async with setup_logging(config(journal=journal())) as runtime:
        assert await runtime.flush(30)

asyncio.run(main())
"""


def started(code: str, folder: Path, warnings: str = "error") -> Ended:
    return run_program(code, folder, warnings=warnings, beginning=BEGINNING + WITH_JOURNAL)


def run(code: str, folder: Path, warnings: str = "error") -> Ended:
    done = started(code, folder, warnings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


class TestFolder:
    @POSIX
    def test_deleted_while_running_it_is_written_anew_and_a_kill_afterwards_loses_nothing(self, tmp_path: Path):
        code = """
        async def main():
            import shutil
            async with setup_logging(config(journal=journal(recorder_bytes=65536))) as runtime:
                await log.error("before")
                shutil.rmtree(Path("logs", "journal"))
                until_anew = time.monotonic() + 30
                while not list(Path("logs").glob("journal/*.lock")) or not list(Path("logs").glob("journal/*.journal")):
                    assert time.monotonic() < until_anew
                    await asyncio.sleep(0.01)
                await log.error("after")
                assert list(Path("logs").glob("journal/*.running"))
                log.error("last words")
                os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
        """
        killed = started(code, tmp_path)
        assert killed.returncode == -signal.SIGKILL
        assert "were deleted by somebody else; written anew" in killed.stderr
        found = run(RECOVERING, tmp_path)
        messages = found.messages()
        assert messages.count("before") == messages.count("after") == 1
        assert "last words" in messages
        assert any("recovered" in message for message in messages)

    @POSIX
    @pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root writes everywhere")
    def test_read_only_it_is_told_and_logging_goes_on(self, tmp_path: Path):
        (tmp_path / "ro").mkdir(mode=0o500)
        check_unusable(tmp_path, "ro/journal")

    def test_that_cannot_be_made_is_told_and_logging_goes_on(self, tmp_path: Path):
        (tmp_path / "file").write_text("no folder")
        check_unusable(tmp_path, "file/journal")


def check_unusable(tmp_path: Path, folder: str) -> None:
    """Each protected entry is told to the hook, arrives in the file all the same, and its receipt says why not."""
    code = f"""
    async def main():
        from metaexpert.exceptions import ReceiptError
        async with setup_logging(config(journal=journal(folder={folder!r}))) as runtime:
            for number in range(3):
                try:
                    await log.error("n %d", number)
                except ReceiptError as error:
                    assert "the journal cannot be written" in str(error), error
                else:
                    raise AssertionError("safe?")
            assert [count for _, count in told] == [1, 1, 1], told
            assert journal_stats(runtime).failures == 3
            assert journal_stats(runtime).state == "degraded"

    asyncio.run(main())
    """
    done = run(code, tmp_path)
    assert done.messages() == ["n 0", "n 1", "n 2"]
    assert "journal: cannot be opened in" in done.stderr


@POSIX
class TestDisk:
    def test_a_sync_that_fails_once_costs_nothing(self, tmp_path: Path):
        code = """
        async def main():
            real, failed = os.fdatasync, []
            def fdatasync(descriptor):
                if not failed:
                    failed.append(descriptor)
                    raise OSError(5, "Input/output error")
                real(descriptor)
            os.fdatasync = fdatasync
            async with setup_logging(config(journal=journal())) as runtime:
                await asyncio.gather(*[log.error("n %d", number) for number in range(20)])
                stats = journal_stats(runtime)
                assert (failed != [], stats.sync_failures, stats.failures, told) == (True, 1, 0, []), (stats, told)
                await log.error("afterwards")
                assert await runtime.flush(30)

        asyncio.run(main())
        """
        done = run(code, tmp_path)
        assert done.messages() == [*(f"n {number}" for number in range(20)), "afterwards"]
        assert "the disk refused a sync" in done.stderr

    def test_a_disk_that_syncs_no_more_fails_the_receipts_and_calls_the_hook(self, tmp_path: Path):
        code = """
        async def main():
            from metaexpert.exceptions import ReceiptError
            def fdatasync(descriptor):
                raise OSError(5, "Input/output error")
            real, os.fdatasync = os.fdatasync, fdatasync
            async with setup_logging(config(journal=journal(fsync_interval=60.0))) as runtime:
                receipts = [log.error("n %d", number) for number in range(5)]
                answers = await asyncio.gather(*map(waited, receipts))
                assert all("Input/output error" in answer for answer in answers), answers
                assert sum(count for _, count in told) == 5, told
                os.fdatasync = real
                assert await waited(log.error("afterwards")) == ""
                assert await runtime.flush(30)

        async def waited(receipt):
            try:
                await receipt
            except LoggingError as error:
                return str(error)
            return ""

        from metaexpert.exceptions import ReceiptError as LoggingError
        asyncio.run(main())
        """
        assert run(code, tmp_path).messages() == [*(f"n {number}" for number in range(5)), "afterwards"]

    def test_full_when_it_is_opened_it_is_asked_again(self, tmp_path: Path):
        code = """
        async def main():
            real = os.posix_fallocate
            def posix_fallocate(*_):
                raise OSError(28, "No space left on device")
            os.posix_fallocate = posix_fallocate
            async with setup_logging(config(journal=journal())) as runtime:
                assert "it has no file" in log.error("too early").failure
                os.posix_fallocate = real
                deadline = time.monotonic() + 30
                while log.error("again").failure:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.01)
                await log.error("safe")
                assert told
                assert not [reason for reason, _ in told if "No space" in reason and "no file" in reason]

        asyncio.run(main())
        """
        done = run(code, tmp_path)
        assert "No space left on device" in done.stderr
        assert done.messages()[0] == "too early"
        assert done.messages()[-1] == "safe"

    @pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system has no such call")
    def test_full_at_the_turn_of_a_segment_each_entry_is_told_and_room_is_used_when_there_is_some(self, tmp_path: Path):
        code = """
        async def main():
            async with setup_logging(config(journal=journal(max_bytes=4 * 1024 * 1024))) as runtime:
                real = os.posix_fallocate
                def posix_fallocate(*_):
                    raise OSError(28, "No space left on device")
                deadline = time.monotonic() + 30
                while len(list(Path("logs", "journal").glob("*.journal"))) < 2:  # the spare one
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.01)
                os.posix_fallocate = posix_fallocate
                failures = 0
                for number in range(40):
                    failures += bool(log.error("n %d", number, blob="x" * 30_000).failure)
                assert failures, "it never turned"
                assert len(told) == failures == journal_stats(runtime).failures
                assert "No space left on device" in told[0][0]
                os.posix_fallocate = real
                while log.error("again").failure:
                    assert time.monotonic() < deadline + 30
                    await asyncio.sleep(0.01)
                await log.error("safe")
                assert await runtime.flush(30)

        asyncio.run(main())
        """
        messages = run(code, tmp_path).messages()
        assert [each for each in messages if each.startswith("n ")] == [f"n {number}" for number in range(40)]
        assert messages[-1] == "safe"


class TestHook:
    def test_one_that_raises_or_logs_harms_nothing(self, tmp_path: Path):
        (tmp_path / "file").write_text("no folder")
        code = """
        calls = []

        def raises(reason, count):
            calls.append(count)
            log.error("the hook logs: %s", reason)
            raise RuntimeError("the hook fails")

        async def main():
            options = journal(folder="file/journal", on_audit_failure=raises)
            async with setup_logging(config(journal=options)) as runtime:
                log.error("x")
                log.trade.order_placed(symbol="BTCUSDT", side="BUY", order_id="1", quantity="1")
                stats = journal_stats(runtime)
                assert calls == [1, 1], calls
                assert stats.failures == 4, stats
                assert "on_audit_failure raised RuntimeError: the hook fails" in stats.last_error, stats

        asyncio.run(main())
        """
        assert len(run(code, tmp_path).messages()) == 4

    def test_a_sink_that_never_settles_fills_the_journal_and_is_named(self, tmp_path: Path):
        code = """
        from metaexpert.logger import CustomOptions

        class Stuck:
            def encode(self, entry):
                return b"x"

            async def write(self, batch):
                await asyncio.get_running_loop().create_future()

            async def close(self):
                pass

        async def main():
            sinks = (CustomOptions(new_sink=lambda _: Stuck()),)
            options = config(journal=journal(), sinks=sinks, shutdown_timeout=0.2)
            async with setup_logging(options) as runtime:
                deadline = time.monotonic() + 30
                while not told:
                    log.error("x", blob="y" * 20_000)
                    await asyncio.sleep(0)
                    assert time.monotonic() < deadline
                reason, count = told[0]
                assert "its cap of 524288 bytes" in reason and count == 1, told[0]
                while not any("custom has" in reason for reason, _ in told):
                    log.error("x")
                    await asyncio.sleep(0.01)
                    assert time.monotonic() < deadline + 30, told[-1]
                assert runtime.stats().journal.disk_bytes <= 512 * 1024

        asyncio.run(main())
        """
        run(code, tmp_path)


class TestProcesses:
    @FORK
    def test_a_forked_child_writes_nothing_of_its_parents(self, tmp_path: Path):
        code = """
        async def main():
            async with setup_logging(config(journal=journal())) as runtime:
                early = log.error("before")
                before = {path: path.read_bytes() for path in Path("logs", "journal").iterdir()}
                pid = os.fork()
                if pid == 0:
                    status = 1
                    try:
                        for _ in range(50):
                            log.error("nobody hears it")
                        try:
                            early.wait(10)
                        except ReceiptError as error:
                            assert "forked" in str(error), error
                            status = 0
                        after = {path: path.read_bytes() for path in Path("logs", "journal").iterdir()}
                        assert after == before
                    except BaseException as error:
                        print(repr(error), flush=True)
                        status = 2
                    os._exit(status)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                await log.error("after")

        from metaexpert.exceptions import ReceiptError
        asyncio.run(main())
        """
        done = run(code, tmp_path, warnings="ignore::DeprecationWarning")
        assert done.messages() == ["before", "after"]
        assert not (tmp_path / "logs" / "journal").exists()

    @POSIX
    def test_stopped_by_sigstop_for_a_while_it_goes_on(self, tmp_path: Path):
        code = """
        async def main():
            async with setup_logging(config(journal=journal())) as runtime:
                await log.error("before")
                say("ready")
                until(lambda: Path("go").exists(), 60)
                await log.error("after")
                assert told == []

        asyncio.run(main())
        """
        with running_program(code, tmp_path, beginning=BEGINNING + WITH_JOURNAL) as program:
            program.wait_for("ready")
            program.send(signal.SIGSTOP)
            neighbour = run(RECOVERING, tmp_path)  # which must not take the stopped one for dead
            assert not any("recovered" in message for message in neighbour.messages())
            program.send(signal.SIGCONT)
            (tmp_path / "go").touch()
            done = program.ended()
        assert (done.returncode, done.stderr) == (0, "")

    def test_a_clock_set_back_an_hour_changes_neither_order_nor_safety(self, tmp_path: Path):
        code = """
        async def main():
            async with setup_logging(config(journal=journal())) as runtime:
                await log.error("before")
                real = time.time_ns
                for module in list(sys.modules.values()):
                    if getattr(module, "time_ns", None) is real:
                        module.time_ns = lambda: real() - 3600 * 10**9
                await log.error("after")
                log.error("last words")
                os._exit(0)

        asyncio.run(main())
        """
        started(code, tmp_path)
        done = run(RECOVERING, tmp_path)
        wanted = ["before", "after", "last words"]
        known = {entry["id"]: entry["message"] for entry in done.entries("errors.log")}
        assert list(known.values()) == wanted
        assert [each for each in dict.fromkeys(done.messages()) if each in wanted] == wanted

    @POSIX
    def test_two_that_start_at_once_recover_a_killed_run_once(self, tmp_path: Path):
        dies = """
        async def main():
            async with setup_logging(config(journal=journal())) as runtime:
                for number in range(100):
                    log.error("n %d", number)
                os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
        """
        assert started(dies, tmp_path).returncode == -signal.SIGKILL
        starts = """
        async def main():
            say("here")
            until(lambda: Path("go").exists(), 60)
            async with setup_logging(config(journal=journal())) as runtime:
                assert await runtime.flush(30)
                print(journal_stats(runtime).recovered, flush=True)

        asyncio.run(main())
        """
        with running_program(starts, tmp_path, beginning=BEGINNING + WITH_JOURNAL) as one:
            one.wait_for("here")
            with running_program(starts, tmp_path, beginning=BEGINNING + WITH_JOURNAL) as other:
                other.wait_for("here")
                (tmp_path / "go").touch()
                ended = [one.ended(), other.ended()]
        assert [each.returncode for each in ended] == [0, 0], ended
        recovered = sorted(int(each.stdout.split()[-1]) for each in ended)
        assert recovered == [0, 100]
        files = in_order(tmp_path / "logs" / "errors.log")
        lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
        for number in range(100):
            assert sum(f'"message":"n {number}"' in line for line in lines) == 1
        assert not list((tmp_path / "logs" / "journal").glob("*.journal"))
