"""Every way for a process to end, and what is in its files then."""

from pathlib import Path

import pytest
from support.programs import LOOPS, run_program

NUMBERS = [f"n {number}" for number in range(500)]

LOGGING = """
def work():
    for number in range(500):
        log.info("n %d", number)

"""

ENDS = {
    "sys.exit": ("sys.exit(3)", 3),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", -2),
    "an exception": ("raise ValueError('no good')", 1),
    "the end": ("pass", 0),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("where", ["with", "bare", "async", "async bare"])
def test_everything_is_in_the_file(tmp_path: Path, end: str, where: str):
    statement, status = ENDS[end]
    code = {
        "with": "with setup_logging(config()):\n    work()\n    {}",
        "bare": "setup_logging(config())\nwork()\n{}",
        "async": "async def main():\n    async with setup_logging(config()):\n        work()\n        {}\nrun(main())",
        "async bare": "async def main():\n    setup_logging(config())\n    work()\n    {}\nrun(main())",
    }[where]
    done = run_program(LOGGING + code.format(statement), tmp_path)
    assert done.returncode == status
    *found, last = [*done.entries(), {}]
    if end == "an exception":
        found, last = found[:-1], found[-1]
        assert (last["level"], last["exception"]["type"]) == ("CRITICAL", "ValueError")
        assert done.stderr.count("ValueError: no good") == 1
    assert [entry["message"] for entry in found] == NUMBERS


def test_os_exit_leaves_what_was_written_and_whole_lines(tmp_path: Path):
    """Nothing runs any more: only what had been written is there. An ERROR that returned without a loop is."""
    code = """
    setup_logging(config())
    for number in range(500):
        log.info("n %d", number)
    log.error("written when the call returned")
    log.info("perhaps")
    os._exit(4)
    """
    done = run_program(code, tmp_path)
    assert (done.returncode, done.stderr) == (4, "")
    assert done.messages()[:501] == [*NUMBERS, "written when the call returned"]


@LOOPS
def test_a_live_loop_in_a_daemon_thread(tmp_path: Path, loop: str):
    """The interpreter ends while that loop still runs: logging is stopped on it."""
    code = """
    begun = threading.Event()

    async def main():
        setup_logging(config())
        begun.set()
        while True:
            await asyncio.sleep(0.01)

    threading.Thread(target=run, args=(main(),), daemon=True).start()
    assert begun.wait(10)
    for number in range(500):
        log.info("n %d", number)
    """
    assert run_program(code, tmp_path, loop=loop).well().messages() == NUMBERS


def test_a_loop_that_hangs_in_a_daemon_thread_holds_the_exit_no_longer_than_the_deadline(tmp_path: Path):
    code = """
    begun = threading.Event()

    async def main():
        setup_logging(config(shutdown_timeout=0.1))
        begun.set()
        threading.Event().wait()  # blocks its loop for ever

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    assert begun.wait(10)
    log.info("nobody comes to it")
    """
    done = run_program(code, tmp_path)
    assert done.returncode == 0
    assert "logging stopped: its loop did not come to it in time" in done.stderr


def test_non_daemon_threads_that_still_log_are_heard(tmp_path: Path):
    code = """
    main = threading.main_thread()

    def work():
        main.join()
        for number in range(500):
            log.info("n %d", number)

    setup_logging(config())
    threading.Thread(target=work).start()
    """
    assert run_program(code, tmp_path).well().messages() == NUMBERS


def test_a_program_that_never_set_it_up_prints_from_warning_on(tmp_path: Path):
    code = """
    log.info("not worth it")
    log.warning("worth it")
    """
    done = run_program(code, tmp_path)
    assert done.returncode == 0
    assert [line.split(": ", 1)[1] for line in done.stderr.splitlines()] == ["worth it"]


def test_what_was_given_up_at_exit_is_said(tmp_path: Path):
    code = """
    from metaexpert.logger import LokiOptions
    setup_logging(config(sinks=[LokiOptions(url="http://127.0.0.1:9")], shutdown_timeout=0.2))
    log.info("for nobody")
    """
    done = run_program(code, tmp_path)
    assert done.returncode == 0
    assert "loki" in done.stderr
    assert "1 " in done.stderr
    assert done.messages() == ["for nobody"]
