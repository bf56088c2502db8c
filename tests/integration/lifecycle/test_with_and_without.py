"""How logging begins and ends in programs of every make: with a block and without, with a loop and without."""

from pathlib import Path

import pytest
from support.programs import LOOPS, run_program

NUMBERS = [f"n {number}" for number in range(1000)]


class TestWithALoop:
    @LOOPS
    def test_a_block_flushes_everything_as_it_ends(self, tmp_path: Path, loop: str):
        code = """
        async def main():
            async with setup_logging(config()) as runtime:
                for number in range(1000):
                    log.info("n %d", number)
            assert len(logged()) == 1000
            assert runtime.stats().sinks["file"].ledger.balanced

        run(main())
        """
        assert run_program(code, tmp_path, loop=loop).well().messages() == NUMBERS

    @LOOPS
    def test_a_bare_call_starts_at_once_and_an_awaited_stop_flushes(self, tmp_path: Path, loop: str):
        code = """
        async def main():
            runtime = setup_logging(config())
            for number in range(1000):
                log.info("n %d", number)
            assert not [t for t in threading.enumerate() if t.name == "metaexpert-logging"], "it lives on this loop"
            await runtime.stop()
            assert len(logged()) == 1000
            assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("metaexpert-")]

        run(main())
        """
        assert run_program(code, tmp_path, loop=loop).well().messages() == NUMBERS

    @LOOPS
    def test_without_any_stop_the_exit_flushes(self, tmp_path: Path, loop: str):
        code = """
        async def main():
            setup_logging(config())
            for number in range(1000):
                log.info("n %d", number)
            log.trade.order_cancelled(order_id=1)

        run(main())
        """
        done = run_program(code, tmp_path, loop=loop).well()
        assert [text for text in done.messages() if text != "order_cancelled"] == NUMBERS
        assert done.messages("trades.log") == ["order_cancelled"]

    @LOOPS
    def test_a_loop_run_without_asyncio_run(self, tmp_path: Path, loop: str):
        code = """
        async def main():
            async with setup_logging(config()):
                log.info("in the block")

        async def bare():
            setup_logging(config())
            log.info("without a block")

        if os.environ["TEST_LOOP"] == "uvloop":
            import uvloop
            loop = uvloop.new_event_loop()
        else:
            loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.run_until_complete(bare())
        log.info("while it rests")
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        """
        found = run_program(code, tmp_path, loop=loop).well().messages()
        assert found == ["in the block", "without a block", "while it rests"]


class TestWithoutALoop:
    def test_a_plain_block(self, tmp_path: Path):
        code = """
        with setup_logging(config()) as runtime:
            for number in range(1000):
                log.info("n %d", number)
        assert len(logged()) == 1000
        assert runtime.stats().sinks["file"].state == "stopped"
        assert not [t for t in threading.enumerate() if t.name.startswith("metaexpert-")]
        """
        assert run_program(code, tmp_path).well().messages() == NUMBERS

    def test_a_bare_call_is_flushed_at_exit(self, tmp_path: Path):
        code = """
        setup_logging(config())
        for number in range(1000):
            log.info("n %d", number)
        """
        assert run_program(code, tmp_path).well().messages() == NUMBERS

    def test_what_is_logged_at_exit_arrives_too(self, tmp_path: Path):
        code = """
        import atexit
        setup_logging(config())
        atexit.register(log.info, "from an atexit function")
        log.info("before")
        """
        assert run_program(code, tmp_path).well().messages() == ["before", "from an atexit function"]

    def test_close_flushes_and_a_second_one_does_nothing(self, tmp_path: Path):
        code = """
        runtime = setup_logging(config())
        for number in range(1000):
            log.info("n %d", number)
        runtime.close()
        assert len(logged()) == 1000
        runtime.close()
        """
        assert run_program(code, tmp_path).well().messages() == NUMBERS

    def test_flush_sync_waits_for_the_file(self, tmp_path: Path):
        code = """
        with setup_logging(config()) as runtime:
            log.info("flushed")
            assert runtime.flush_sync(5.0)
            assert logged() == ["flushed"]
        """
        run_program(code, tmp_path).well()

    def test_it_drains_every_256_entries_on_errors_and_after_a_moment(self, tmp_path: Path):
        code = """
        with setup_logging(config(dispatcher={"linger": 0.05})) as runtime:
            most = 0
            for number in range(2000):
                log.info("n %d", number)
                most = max(most, runtime.stats().ingress.queued_entries)
            assert most <= 256, most
            log.error("failed")
            assert logged()[-1] == "failed", "an ERROR is in its file when the call returns"
            assert logged("errors.log") == ["failed"]
            log.trade.order_cancelled(order_id=1)
            assert logged("trades.log") == ["order_cancelled"], "so is a trade"
            log.info("alone")
            began = time.monotonic()
            until(lambda: logged()[-1] == "alone")
            assert time.monotonic() - began < 1.0, "without a further call"
        """
        run_program(code, tmp_path).well()


class TestAtAnyMoment:
    def test_calls_before_while_and_after(self, tmp_path: Path):
        """What comes while it stops or after it waits for a next start, and is printed at exit without one."""
        code = """
        log.info("before")

        async def main():
            runtime = setup_logging(config())
            log.info("running")
            stopping = asyncio.create_task(runtime.stop())
            await asyncio.sleep(0)
            log.info("while it stops")
            await stopping
            log.info("after")
            async with setup_logging(config()):
                log.info("again")
            log.warning("at last")

        run(main())
        """
        done = run_program(code, tmp_path)
        assert done.returncode == 0
        assert done.messages() == ["before", "running", "while it stops", "after", "again"]
        assert len(done.stderr.splitlines()) == 1
        assert "at last" in done.stderr

    def test_calls_from_a_signal_handler_a_finalizer_and_a_thread_that_outlives_the_runtime(self, tmp_path: Path):
        code = """
        import gc
        signal.signal(signal.SIGUSR1, lambda *_: log.info("from a signal handler"))

        class Falling:
            def __del__(self):
                log.info("from __del__")

        async def main():
            go_on, ended = threading.Event(), threading.Event()

            def work():
                log.info("from a thread")
                ended.wait(10)
                log.warning("from a thread that outlives")
                go_on.set()

            async with setup_logging(config()):
                thread = threading.Thread(target=work)
                thread.start()
                for number in range(300):
                    os.kill(os.getpid(), signal.SIGUSR1)
                    Falling()
                    cyclic = Falling()
                    cyclic.itself = cyclic
                    del cyclic
                gc.collect()
            ended.set()
            assert go_on.wait(10)
            thread.join()

        run(main())
        """
        done = run_program(code, tmp_path)
        assert done.returncode == 0
        found = done.messages()
        assert found.count("from a thread") == 1
        assert found.count("from __del__") == 600
        assert 0 < found.count("from a signal handler") <= 300
        assert "from a thread that outlives" in done.stderr

    def test_what_a_sink_logs_is_counted_and_not_queued(self, tmp_path: Path):
        code = """
        from metaexpert.logger import CustomOptions
        from metaexpert.logger.outcome import Delivered

        class Chatty:
            def encode(self, entry):
                log.info("while encoding")
                return b""

            async def write(self, batch):
                log.info("while writing")
                logging.getLogger("somebody.else").warning("while writing")
                return Delivered()

            async def close(self):
                log.warning("while closing")  # would be printed at exit, were it kept

        with setup_logging(config(sinks=[CustomOptions(new_sink=lambda parts: Chatty())])) as runtime:
            log.info("one")
            assert runtime.flush_sync()
            assert runtime.stats().ingress.self_logged == 3
        """
        assert run_program(code, tmp_path).well().messages() == ["one"]


class TestMoving:
    @LOOPS
    def test_started_before_run_it_lives_on_a_thread_and_blocks_no_loop(self, tmp_path: Path, loop: str):
        code = """
        runtime = setup_logging(config())
        log.info("before")

        async def main():
            asyncio.current_task().set_name("mine")
            longest = 0.0
            for number in range(3000):
                began = time.perf_counter()
                log.info("n %d", number)
                if number % 100 == 0:
                    log.error("e %d", number)
                longest = max(longest, time.perf_counter() - began)
            assert longest < 0.2, longest

        run(main())
        log.info("after")
        runtime.close()
        """
        done = run_program(code, tmp_path, loop=loop).well()
        entries = done.entries()
        assert [each["message"] for each in entries if each["message"][0] == "n"] == [f"n {n}" for n in range(3000)]
        assert {each.get("task") for each in entries if each["message"][1] == " "} == {"mine"}
        assert {each.get("task") for each in entries if each["message"] in {"before", "after"}} == {None}
        assert len(done.messages("errors.log")) == 30

    @LOOPS
    def test_a_block_in_a_foreign_run_moves_it_there(self, tmp_path: Path, loop: str):
        code = """
        runtime = setup_logging(config(sinks=[MemoryOptions()]))
        for number in range(500):
            log.info("n %d", number)

        async def main():
            async with runtime:
                assert "metaexpert-dispatcher" in {task.get_name() for task in asyncio.all_tasks()}
                assert not [t for t in threading.enumerate() if t.name == "metaexpert-logging"]
                for number in range(500, 1000):
                    log.info("n %d", number)

        run(main())
        ledger = runtime.stats().sinks["memory"].ledger
        assert ledger.balanced and ledger.delivered == 1000
        """
        assert run_program(code, tmp_path, loop=loop).well().messages() == NUMBERS

    @LOOPS
    def test_a_second_run_and_a_loop_closed_early(self, tmp_path: Path, loop: str):
        """It goes on in a thread once its loop is closed, and moves again where somebody enters it."""
        code = """
        async def first():
            runtime = setup_logging(config())
            for number in range(500):
                log.info("n %d", number)
            return runtime

        async def second(runtime):
            for number in range(500, 600):
                log.info("n %d", number)
            async with runtime:
                assert "metaexpert-dispatcher" in {task.get_name() for task in asyncio.all_tasks()}
                for number in range(600, 1000):
                    log.info("n %d", number)

        runtime = run(first())
        run(second(runtime))
        assert len(logged()) == 1000
        """
        assert run_program(code, tmp_path, loop=loop).well().messages() == NUMBERS

    @LOOPS
    def test_a_loop_closed_with_entries_pending_loses_none(self, tmp_path: Path, loop: str):
        code = """
        async def main():
            setup_logging(config())
            log.info("let it write")
            while not logged():
                await asyncio.sleep(0.001)
            for number in range(1000):
                log.info("n %d", number)

        run(main())
        log.info("afterwards")
        until(lambda: logged()[-1] == "afterwards")
        assert [t for t in threading.enumerate() if t.name == "metaexpert-logging"], "it goes on in a thread"
        log.error("still")
        until(lambda: logged()[-1] == "still")
        log.info("pending at exit")
        """
        found = run_program(code, tmp_path, loop=loop).well().messages()
        assert found == ["let it write", *NUMBERS, "afterwards", "still", "pending at exit"]

    def test_a_loop_that_only_rests_for_a_while(self, tmp_path: Path):
        """Between two `run_until_complete` it is not closed: entries wait there, and an exit writes them."""
        code = """
        loop = asyncio.new_event_loop()
        async def begin():
            setup_logging(config())

        loop.run_until_complete(begin())
        for number in range(1000):
            log.info("n %d", number)
        """
        done = run_program(code, tmp_path, warnings="default")
        assert done.returncode == 0
        assert [text for text in done.messages() if text.startswith("n ")] == NUMBERS


class TestEndings:
    @pytest.mark.parametrize("kind", ["async", "plain"])
    def test_an_exception_out_of_the_block_is_logged_once_with_its_traceback(self, tmp_path: Path, kind: str):
        code = """
        async def main():
            async with setup_logging(config()):
                log.info("before")
                failing()

        def failing():
            raise ValueError("no good")

        if sys.argv[1] == "async":
            run(main())
        with setup_logging(config()):
            log.info("before")
            failing()
        """
        done = run_program(code, tmp_path, kind)
        assert done.returncode == 1
        assert done.stderr.count("ValueError: no good") == 1
        before, entry = done.entries()
        assert before["message"] == "before"
        assert (entry["level"], entry["function"]) == ("CRITICAL", "failing")
        assert entry["exception"]["type"] == "ValueError"
        assert "in failing" in entry["exception"]["traceback"]

    def test_an_expert_that_fails_is_logged_once(self, tmp_path: Path):
        code = """
        from metaexpert.core import MetaExpert
        expert = MetaExpert(feeds=[], logging=config())

        @expert.on_init
        def on_init():
            raise ValueError("no good")

        expert.run()
        """
        done = run_program(code, tmp_path)
        assert done.returncode == 1
        assert [entry["exception"]["message"] for entry in done.entries() if "exception" in entry] == ["no good"]

    @LOOPS
    def test_logging_goes_on_when_somebody_cancels_all_tasks(self, tmp_path: Path, loop: str):
        code = """
        async def main():
            async with setup_logging(config()) as runtime:
                for turn in range(20):
                    log.info("turn %d", turn)
                    for task in asyncio.all_tasks() - {asyncio.current_task()}:
                        task.cancel()
                    await asyncio.sleep(0.001 * (turn % 3))
                log.info("after")
                assert await runtime.flush()
                assert logged() == [*[f"turn {turn}" for turn in range(20)], "after"]
                names = [task.get_name() for task in asyncio.all_tasks()]
                assert names.count("metaexpert-dispatcher") == 1

        run(main())
        """
        run_program(code, tmp_path, loop=loop).well()


class TestRefused:
    def test_what_would_block_or_nest_is_refused_clearly(self, tmp_path: Path):
        code = """
        from metaexpert.core import MetaExpert

        def refusal(call):
            try:
                call()
            except Exception as error:
                return f"{type(error).__name__}: {error}"
            return "not refused"

        async def main():
            async with setup_logging(config()) as runtime:
                print(refusal(lambda: setup_logging(config())))
                print(refusal(runtime.close))
                print(refusal(runtime.flush_sync))
                print(refusal(runtime.__enter__))
                log.info("goes on")
            expert = MetaExpert(feeds=[], logging=config(log_dir="expert"))
            print(refusal(expert.run))

        run(main())
        with setup_logging(config()):
            print(refusal(lambda: setup_logging(config())))
        """
        done = run_program(code, tmp_path).well()
        nested, close, flush, plain, expert, again = done.stdout.splitlines()
        assert nested == again
        assert "already running in this process" in nested
        assert "await runtime.stop()" in close
        assert "await flush()" in flush
        assert "async with setup_logging" in plain
        assert all(text.startswith("LoggingStateError: ") for text in (nested, close, flush, plain))
        assert "an event loop is running" in expert
        assert "run_async" in expert
        assert done.messages() == ["goes on"]

    def test_importing_and_asking_for_a_logger_starts_nothing(self, tmp_path: Path):
        code = """
        import logging, signal, sys, threading, warnings
        numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]

        def state():
            hooks = (sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning)
            handlers = [signal.getsignal(number) for number in numbers]
            return hooks, handlers, threading.enumerate(), list(logging.root.handlers), logging.root.level

        before = state()
        import metaexpert.logger
        assert state() == before
        metaexpert.logger.get_logger("a.name")
        metaexpert.logger.get_logger("a.name").debug("early")
        assert state() == before
        assert metaexpert.logger.get_logger("a.name").handlers == []
        from pathlib import Path
        assert {path.name for path in Path().iterdir()} == {"program.py"}
        """
        run_program(code, tmp_path, beginning="").well()
