"""Warnings and exceptions nobody caught, in real programs: each is one entry, and whoever else asked is still told."""

from pathlib import Path
from typing import Any

from support.programs import LOOPS, run_program


def only(entries: list[dict[str, Any]]) -> dict[str, Any]:
    (entry,) = entries
    return entry


def test_an_exception_at_top_level(tmp_path: Path):
    code = """
    def failing():
        raise ValueError("no good")

    setup_logging(config())
    failing()
    """
    done = run_program(code, tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("ValueError: no good") == 1, "as without logging"
    entry = only(done.entries())
    assert (entry["level"], entry["message"]) == ("CRITICAL", "unhandled exception")
    assert (entry["module"], entry["function"]) == ("program", "failing")
    assert entry["exception"]["type"] == "ValueError"


def test_one_that_was_logged_on_its_way_is_not_logged_again(tmp_path: Path):
    code = """
    setup_logging(config())
    try:
        raise ValueError("no good")
    except ValueError:
        log.exception("failed")
        raise
    """
    done = run_program(code, tmp_path)
    assert done.returncode == 1
    assert done.messages() == ["failed"]


def test_an_exception_in_a_thread(tmp_path: Path):
    code = """
    def failing():
        raise ValueError("no good")

    heard = []
    threading.excepthook = lambda args: heard.append(args.exc_type)
    mine = threading.excepthook
    with setup_logging(config()):
        thread = threading.Thread(target=failing, name="worker")
        thread.start()
        thread.join()
        leaving = threading.Thread(target=sys.exit)
        leaving.start()
        leaving.join()
    assert threading.excepthook is mine
    assert heard == [ValueError, SystemExit], "as without logging"
    """
    entry = only(run_program(code, tmp_path).well().entries())
    assert (entry["level"], entry["function"], entry["extra"]) == ("CRITICAL", "failing", {"thread_name": "worker"})


def test_an_exception_in_a_finalizer(tmp_path: Path):
    code = """
    class Failing:
        def __del__(self):
            raise ValueError("no good")

    with setup_logging(config()):
        Failing()
    """
    done = run_program(code, tmp_path)
    assert done.returncode == 0
    assert done.stderr.count("ValueError: no good") == 1
    entry = only(done.entries())
    assert (entry["level"], entry["function"], entry["exception"]["type"]) == ("ERROR", "__del__", "ValueError")
    assert "Failing.__del__" in entry["extra"]["object"]


@LOOPS
def test_a_task_whose_exception_nobody_asked_for(tmp_path: Path, loop: str):
    code = """
    import gc

    async def failing():
        raise ValueError("no good")

    async def forgotten():
        task = asyncio.create_task(failing(), name="forgotten")
        await asyncio.wait([task])

    async def main():
        heard = []
        loop = asyncio.get_running_loop()
        async with setup_logging(config()):
            await forgotten()
            gc.collect()
            loop.call_soon(lambda: 1 / 0)
            await asyncio.sleep(0.01)
        assert loop.get_exception_handler() is None
        mine = lambda loop, context: heard.append(str(context["exception"]))
        loop.set_exception_handler(mine)
        async with setup_logging(config()):
            await forgotten()
            gc.collect()
        assert heard == ["no good"]
        assert loop.get_exception_handler() is mine

    run(main())
    """
    done = run_program(code, tmp_path, loop=loop).well()
    first, second, third = done.entries()
    for entry in (first, third):
        assert entry["message"] == "Task exception was never retrieved"
        assert (entry["logger"], entry["level"], entry["exception"]["type"]) == ("asyncio", "ERROR", "ValueError")
    assert second["exception"]["type"] == "ZeroDivisionError"


def test_warnings(tmp_path: Path):
    code = """
    import warnings
    stdlibs = warnings.showwarning
    with setup_logging(config()):
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.warn("caught")
        assert [str(each.message) for each in caught] == ["caught"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.warn("ignored")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                warnings.warn("raised")
            except UserWarning:
                log.info("raised")
        warnings.warn("last")
    assert warnings.showwarning is stdlibs
    """
    first, raised, last = run_program(code, tmp_path, warnings="default").well().entries()
    assert (first["logger"], first["level"], first["message"]) == ("py.warnings", "WARNING", "old")
    assert (first["module"], first["extra"]) == ("program", {"category": "DeprecationWarning"})
    assert (raised["message"], last["message"]) == ("raised", "last")
    assert last["line"] > first["line"] > 0


def test_all_are_put_back_and_those_put_over_ours_are_left_alone(tmp_path: Path):
    code = """
    import warnings
    seen = []
    before = (sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning)
    with setup_logging(config()):
        now = (sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning)
        assert all(a is not b for a, b in zip(before, now))
    assert (sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning) == before

    runtime = setup_logging(config())
    below = sys.excepthook
    mine = lambda kind, error, trace: (seen.append(str(error)), below(kind, error, trace))
    sys.excepthook = mine
    runtime.close()
    assert sys.excepthook is mine
    log.info("between")
    sys.excepthook(ValueError, ValueError("through"), None)
    assert seen == ["through"]
    sys.excepthook = before[0]
    with setup_logging(config()):
        pass
    """
    done = run_program(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "ValueError: through"
    assert done.messages() == ["between"]


def test_none_is_touched_where_capture_is_off(tmp_path: Path):
    code = """
    import warnings
    hooks = lambda: (sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning)
    before, handlers = hooks(), list(logging.root.handlers)

    async def main():
        async with setup_logging(config(capture={"stdlib": False, "warnings": False, "exceptions": False})):
            assert hooks() == before
            assert logging.root.handlers == handlers
            assert asyncio.get_running_loop().get_exception_handler() is None
            logging.getLogger("somebody").warning("elsewhere")
            log.info("ours")

    run(main())
    """
    done = run_program(code, tmp_path)
    assert (done.returncode, done.messages()) == (0, ["ours"])


def test_a_hook_that_cannot_log_still_lets_the_others_know(tmp_path: Path):
    code = """
    class Rude(Exception):
        def __str__(self):
            raise RuntimeError("no text")
        __repr__ = __str__

        def __getattribute__(self, name):
            if name == "__metaexpert_reported__":
                raise RuntimeError("no attributes")
            return super().__getattribute__(name)

    setup_logging(config())
    raise Rude
    """
    done = run_program(code, tmp_path)
    assert done.returncode == 1
    assert "Rude" in done.stderr
    assert only(done.entries())["exception"]["type"] == "__main__.Rude"
