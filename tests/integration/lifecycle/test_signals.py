"""What signals do to a program that logs: it ends in good order and dies of them, and nothing of others is touched."""

import asyncio
import signal
import textwrap
import time
from pathlib import Path

import pytest
from support.eventually import eventually
from support.programs import LOOPS, POSIX, Ended, entries_of, run_program, running_program
from support.scripted_collector import ScriptedCollector, serving, status

pytestmark = POSIX

DIED = -signal.SIGTERM

SERVICE = """
async def main():
    try:
        async with setup_logging(config()):
            for number in range(500):
                log.info("n %d", number)
            try:
                say("ready")
                await asyncio.Event().wait()
            finally:
                log.info("finally")
                say("finally")
    finally:
        say("after the block")

run(main())
say("after run")
"""
WAITING = """
def wait_for_ever():
    # not signal.pause(): a signal that comes just before it, when Python has looked for signals already, wakes nobody
    while True:
        time.sleep(0.05)


"""
NUMBERS = [f"n {number}" for number in range(500)]


def signalled(code: str, folder: Path, *numbers: int, loop: str = "asyncio") -> Ended:
    """Run until it says that it is ready, send the signals, wait for its end."""
    with running_program(WAITING + textwrap.dedent(code), folder, loop=loop) as program:
        program.wait_for("ready")
        for number in numbers:
            program.send(number)
        return program.ended()


class TestTerminate:
    @LOOPS
    def test_the_main_task_is_cancelled_all_is_flushed_and_the_process_dies_of_it(self, tmp_path: Path, loop: str):
        done = signalled(SERVICE, tmp_path, signal.SIGTERM, loop=loop)
        assert (done.returncode, done.stderr) == (DIED, "")
        assert done.stdout.split("\n") == ["ready", "finally", "after the block", ""]
        assert done.messages() == [*NUMBERS, "finally"]

    @LOOPS
    def test_a_bare_call_in_a_loop(self, tmp_path: Path, loop: str):
        code = """
        async def main():
            setup_logging(config())
            try:
                for number in range(500):
                    log.info("n %d", number)
                say("ready")
                await asyncio.Event().wait()
            finally:
                say("finally")

        run(main())
        """
        done = signalled(code, tmp_path, signal.SIGTERM, loop=loop)
        assert (done.returncode, done.stderr) == (DIED, "")
        assert done.stdout.split() == ["ready", "finally"]
        assert done.messages() == NUMBERS

    def test_a_program_that_handles_the_cancellation_dies_of_it_at_its_exit(self, tmp_path: Path):
        code = """
        async def main():
            async with setup_logging(config()):
                try:
                    say("ready")
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    log.info("cleaning up")

        run(main())
        log.warning("after run")
        """
        done = signalled(code, tmp_path, signal.SIGTERM)
        assert done.returncode == DIED
        assert done.messages() == ["cleaning up"]
        assert "after run" in done.stderr

    def test_a_program_without_a_loop_is_flushed_and_dies(self, tmp_path: Path):
        code = """
        setup_logging(config())
        for number in range(500):
            log.info("n %d", number)
        say("ready")
        wait_for_ever()
        """
        done = signalled(code, tmp_path, signal.SIGTERM)
        assert (done.returncode, done.stderr) == (DIED, "")
        assert done.messages() == NUMBERS

    def test_amid_something_of_stdlib_loggings_own(self, tmp_path: Path):
        """The interrupted thread holds stdlib's lock meanwhile, which nobody else can have then."""
        code = """
        setup_logging(config(shutdown_timeout=50.0))
        for number in range(500):
            log.info("n %d", number)
        with logging._lock:
            say("ready")
            wait_for_ever()
        """
        with running_program(WAITING + textwrap.dedent(code), tmp_path) as program:
            program.wait_for("ready")
            began = time.monotonic()  # how long a program takes to start is the disk's affair
            program.send(signal.SIGTERM)
            done = program.ended()
            seconds = time.monotonic() - began
        assert (done.returncode, done.stderr) == (DIED, "")
        assert done.messages() == NUMBERS
        assert seconds < 40.0

    @pytest.mark.parametrize("kind", ["info", "error"])
    def test_in_the_middle_of_a_log_call_without_a_loop(self, tmp_path: Path, kind: str):
        """The handler runs between two instructions of a call, which may be waiting for the dispatcher."""
        code = f"""
        setup_logging(config(shutdown_timeout=10.0))
        log.info("first")
        say("ready")
        while True:
            log.{kind}("busy")
        """
        began = time.monotonic()
        done = signalled(code, tmp_path, signal.SIGTERM)
        assert done.returncode == DIED
        # a call that was cut off between journal and ingress has not returned; what it wrote waits for the next start
        assert done.stderr in {"", "metaexpert.logger: journal: 1 entries are kept for the next start\n"}
        assert time.monotonic() - began < 8.0
        found = done.entries()
        assert found
        seqs = [entry["seq"] for entry in found]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))

    def test_users_code_that_blocks_the_loop_is_not_waited_for_in_the_handler(self, tmp_path: Path):
        """The handler is told at once; the cancellation arrives when the loop is free again."""
        code = """
        async def main():
            async with setup_logging(config()):
                log.info("before")
                say("ready")
                deadline = time.monotonic() + 1.0
                while time.monotonic() < deadline:
                    pass
                log.info("still here")
                await asyncio.sleep(60)

        run(main())
        """
        done = signalled(code, tmp_path, signal.SIGTERM)
        assert (done.returncode, done.stderr) == (DIED, "")
        assert done.messages() == ["before", "still here"]

    def test_a_reader_who_stalls_holds_up_the_end_for_a_moment_only(self, tmp_path: Path):
        code = """
        async def main():
            async with setup_logging(config()):
                log.info("logged")
                say("ready")
                os.set_blocking(1, False)
                try:
                    while os.write(1, b"x" * 4096):
                        pass
                except BlockingIOError:
                    os.set_blocking(1, True)
                sys.stdout.write("never read")
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.sleep(60)

        run(main())
        """
        done = signalled(code, tmp_path)
        assert done.returncode == DIED
        assert done.messages() == ["logged"]

    def test_a_handler_of_the_users_own_is_left_alone(self, tmp_path: Path):
        code = """
        def mine(number, frame):
            log.info("mine")
            sys.exit(3)

        signal.signal(signal.SIGTERM, mine)

        async def main():
            async with setup_logging(config()):
                assert signal.getsignal(signal.SIGTERM) is mine
                say("ready")
                await asyncio.sleep(60)

        run(main())
        """
        done = signalled(code, tmp_path, signal.SIGTERM)
        assert done.returncode == 3
        assert done.messages() == ["mine"]

    def test_one_of_the_loops_set_later_is_left_alone_too(self, tmp_path: Path):
        code = """
        async def main():
            stop = asyncio.Event()
            async with setup_logging(config()):
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
                say("ready")
                await stop.wait()
                log.info("stopped by my own")

        run(main())
        """
        done = signalled(code, tmp_path, signal.SIGTERM)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.messages() == ["stopped by my own"]

    def test_nothing_is_handled_where_it_was_switched_off_and_all_is_put_back(self, tmp_path: Path):
        code = """
        async def main():
            async with setup_logging(config(handle_signals=False)):
                assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
            async with setup_logging(config()):
                assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
                assert signal.getsignal(signal.SIGINT) != signal.SIG_DFL
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

        before = signal.getsignal(signal.SIGINT)
        run(main())
        assert signal.getsignal(signal.SIGINT) is before

        def elsewhere():
            with setup_logging(config()):
                log.info("handlers are the main thread's alone")

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        """
        assert run_program(code, tmp_path).well().messages() == ["handlers are the main thread's alone"]

    def test_an_expert_ends_in_good_order_and_dies_of_it(self, tmp_path: Path):
        code = """
        from metaexpert.core import MetaExpert

        class Endless:
            async def events(self):
                say("ready")
                await asyncio.Event().wait()
                yield

        expert = MetaExpert(feeds=[Endless()], logging=config())

        @expert.on_deinit
        def on_deinit(reason):
            log.info("deinit %s", reason)

        expert.run()
        """
        done = signalled(code, tmp_path, signal.SIGTERM)
        assert (done.returncode, done.stderr) == (DIED, "")
        assert done.messages() == ["expert started", "deinit signal", "expert stopped"]


DEAD_COLLECTOR = """
from metaexpert.logger import LokiOptions

async def main():
    sinks = [LokiOptions(url=sys.argv[1], batch_max_age=0.01)]
    async with setup_logging(config(sinks=sinks, shutdown_timeout=50.0)):
        log.info("for a collector that hangs")
        try:
            say("ready")
            await asyncio.Event().wait()
        finally:
            say("stopping")

run(main())
"""


class TestSecondSignal:
    @pytest.mark.parametrize(
        "numbers",
        [
            (signal.SIGTERM, signal.SIGTERM),
            (signal.SIGTERM, signal.SIGINT),
            (signal.SIGINT, signal.SIGINT),
        ],
        ids=["TERM-TERM", "TERM-INT", "INT-INT"],
    )
    async def test_it_ends_a_stop_that_hangs_at_once(self, tmp_path: Path, numbers: tuple[int, int]):
        first, second = numbers
        collector = ScriptedCollector(status(500))
        collector.default = collector.hang
        async with serving(collector):
            with running_program(DEAD_COLLECTOR, tmp_path, collector.url) as program:
                await asyncio.to_thread(program.wait_for, "ready")
                await eventually(lambda: collector.requests)
                program.send(first)
                await asyncio.to_thread(program.wait_for, "stopping")
                await eventually(lambda: entries_of(tmp_path / "logs" / "expert.log"))
                began = time.monotonic()
                program.send(second)
                done = await asyncio.to_thread(program.ended)
                seconds = time.monotonic() - began
        assert done.returncode == -second
        assert seconds < 5.0
        assert done.messages() == ["for a collector that hangs"]


class TestInterrupt:
    @LOOPS
    def test_under_asyncio_run_it_stops_in_good_order(self, tmp_path: Path, loop: str):
        done = signalled(SERVICE, tmp_path, signal.SIGINT, loop=loop)
        assert done.returncode == -signal.SIGINT
        assert done.stdout.split("\n") == ["ready", "finally", "after the block", ""]
        assert "KeyboardInterrupt" in done.stderr
        assert done.messages() == [*NUMBERS, "finally"]

    def test_without_a_loop_it_is_a_keyboard_interrupt_and_the_exit_flushes(self, tmp_path: Path):
        code = """
        setup_logging(config())
        for number in range(500):
            log.info("n %d", number)
        say("ready")
        wait_for_ever()
        """
        done = signalled(code, tmp_path, signal.SIGINT)
        assert done.returncode == -signal.SIGINT
        assert done.messages() == NUMBERS


class TestHangUp:
    def test_the_configuration_is_read_again(self, tmp_path: Path):
        (tmp_path / "metaexpert.toml").write_text('[logger]\nlog_to_console = false\nlog_level = "INFO"\n')
        code = """
        async def main():
            async with setup_logging() as runtime:
                log.debug("not yet")
                assert not log.isEnabledFor(logging.DEBUG)
                Path("metaexpert.toml").write_text("[logger]\\nlog_to_console = false\\nlog_level = 'DEBUG'\\n")
                os.kill(os.getpid(), signal.SIGHUP)
                async with asyncio.timeout(10):
                    while not log.isEnabledFor(logging.DEBUG):
                        await asyncio.sleep(0.005)
                log.debug("now")
                Path("metaexpert.toml").write_text("[logger]\\nlog_levle = 'DEBUG'\\n")
                os.kill(os.getpid(), signal.SIGHUP)
                await asyncio.sleep(0.2)
                log.debug("as it was")

        run(main())
        """
        done = run_program(code, tmp_path)
        assert done.returncode == 0
        assert "log_levle" in done.stderr
        assert "the configuration stays as it was" in done.stderr
        text = (tmp_path / "logs" / "expert.log").read_text()
        assert [line.split(": ")[-1] for line in text.splitlines()] == ["now", "as it was"]

    def test_a_handler_of_the_users_own_is_called_too(self, tmp_path: Path):
        (tmp_path / "metaexpert.toml").write_text("[logger]\nlog_to_console = false\n")
        code = """
        heard = []
        signal.signal(signal.SIGHUP, lambda number, frame: heard.append(number))

        async def main():
            async with setup_logging():
                os.kill(os.getpid(), signal.SIGHUP)
                await asyncio.sleep(0)
                assert heard == [signal.SIGHUP]

        run(main())
        """
        run_program(code, tmp_path).well()

    def test_one_made_in_code_leaves_it_to_whom_it_belongs(self, tmp_path: Path):
        code = """
        with setup_logging(config()):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
        """
        run_program(code, tmp_path).well()
