"""Children, forked and spawned: what is the parent's stays untouched, and each may set up logging for itself."""

from pathlib import Path

import pytest
from support.programs import FORK, LOOPS, entries_of, run_program

FORKS = "ignore::DeprecationWarning"
"""From 3.12 on CPython warns of a fork beside threads."""


@FORK
class TestFork:
    @LOOPS
    def test_the_child_begins_unconfigured_and_the_parents_files_are_untouched(self, tmp_path: Path, loop: str):
        code = """
        async def main():
            async with setup_logging(config()):
                for number in range(200):
                    log.info("n %d", number)
                pid = os.fork()
                if pid == 0:
                    log.info("nobody hears it")
                    log.warning("said at once")
                    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
                    assert sys.excepthook is sys.__excepthook__
                    os._exit(0)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                log.info("parent")

        run(main())
        """
        done = run_program(code, tmp_path, loop=loop, warnings=FORKS)
        assert done.returncode == 0
        assert done.messages() == [*(f"n {number}" for number in range(200)), "parent"]
        assert [line.split(": ", 1)[1] for line in done.stderr.splitlines()] == ["said at once"]

    def test_the_child_may_set_up_its_own_and_needs_no_stop_at_a_real_exit(self, tmp_path: Path):
        code = """
        with setup_logging(config()):
            log.info("parent before")
            pid = os.fork()
            if pid == 0:
                setup_logging(config(log_dir="child"))
                for number in range(200):
                    log.info("c %d", number)
                sys.exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
            log.info("parent after")
        """
        done = run_program(code, tmp_path, warnings=FORKS).well()
        assert done.messages() == ["parent before", "parent after"]
        child = [entry["message"] for entry in entries_of(tmp_path / "child" / "expert.log")]
        assert child == [f"c {number}" for number in range(200)]

    @LOOPS
    def test_a_child_of_a_running_loop_closes_its_own_and_leaves_by_os_exit(self, tmp_path: Path, loop: str):
        """Anything else would end the loop it was forked in, whose epoll it shares with its parent."""
        code = """
        async def main():
            async with setup_logging(config()):
                log.info("parent before")
                pid = os.fork()
                if pid == 0:
                    with setup_logging(config(log_dir="child")):
                        for number in range(200):
                            log.info("c %d", number)
                    os._exit(7)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
                log.info("parent after")

        run(main())
        """
        done = run_program(code, tmp_path, loop=loop, warnings=FORKS).well()
        assert done.messages() == ["parent before", "parent after"]
        child = [entry["message"] for entry in entries_of(tmp_path / "child" / "expert.log")]
        assert child == [f"c {number}" for number in range(200)]

    def test_a_child_of_a_process_that_logs_in_many_threads_does_not_hang(self, tmp_path: Path):
        """Whatever lock a thread held at the fork, the child needs none of them."""
        code = """
        def work():
            while not done.is_set():
                log.info("busy")
                log.error("busy")

        done = threading.Event()
        with setup_logging(config()):
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(20):
                pid = os.fork()
                if pid == 0:
                    log.warning("child")
                    with setup_logging(config(log_dir=f"child{os.getpid()}")):
                        log.error("child")
                    os._exit(0)
                deadline = time.monotonic() + 20
                while os.waitpid(pid, os.WNOHANG) == (0, 0):
                    assert time.monotonic() < deadline, "the child hangs"
                    time.sleep(0.002)
            done.set()
            for thread in threads:
                thread.join()
        """
        done = run_program(code, tmp_path, warnings=FORKS)
        assert done.returncode == 0, done.stderr
        assert set(done.messages()) == {"busy"}
        children = [file.read_text() for file in tmp_path.glob("child*/expert.log")]
        assert len(children) == 20
        assert all(text.count('"message":"child"') == 2 for text in children)


METHODS = pytest.mark.parametrize("method", [pytest.param("fork", marks=FORK), "spawn"])


class TestMultiprocessing:
    @METHODS
    @pytest.mark.parametrize("parent", ["with logging", "without"])
    def test_children_with_their_own_need_no_stop(self, tmp_path: Path, method: str, parent: str):
        """Such a child ends by os._exit, and yet everything is flushed."""
        code = """
        import multiprocessing

        def own(name):
            setup_logging(config(log_dir=name))
            for number in range(200):
                log.info("c %d", number)

        def none():
            log.info("nobody hears it")
            log.warning("said")

        if __name__ == "__main__":
            context = multiprocessing.get_context(sys.argv[1])
            if sys.argv[2] == "with logging":
                setup_logging(config())
                log.info("parent")
            children = [context.Process(target=own, args=(f"child{n}",)) for n in range(2)]
            children.append(context.Process(target=none))
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
        """
        done = run_program(code, tmp_path, method, parent, warnings=FORKS)
        assert done.returncode == 0, done.stderr
        assert [line.split(": ", 1)[1] for line in done.stderr.splitlines()] == ["said"]
        for name in ("child0", "child1"):
            text = (tmp_path / name / "expert.log").read_text()
            assert [line for line in text.splitlines() if '"message":"c ' in line] == text.splitlines()
            assert len(text.splitlines()) == 200
        assert done.messages() == (["parent"] if parent == "with logging" else [])

    @METHODS
    def test_workers_of_a_process_pool(self, tmp_path: Path, method: str):
        code = """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        def begin():
            setup_logging(config(log_dir=f"child{os.getpid()}"))

        def work(number):
            log.info("c %d", number)
            return number

        if __name__ == "__main__":
            with setup_logging(config()):
                context = multiprocessing.get_context(sys.argv[1])
                with ProcessPoolExecutor(2, context, initializer=begin) as pool:
                    assert list(pool.map(work, range(100))) == list(range(100))
                log.info("parent")
        """
        done = run_program(code, tmp_path, method, warnings=FORKS)
        done.well()
        lines = [line for file in tmp_path.glob("child*/expert.log") for line in file.read_text().splitlines()]
        assert sorted(int(line.split('"c ')[1].split('"')[0]) for line in lines) == list(range(100))
        assert done.messages() == ["parent"]
