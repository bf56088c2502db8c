"""The log call in all its forms: levels, messages and their arguments, stdlib's keywords, fields."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from metaexpert.logger import Logger, get_logger
from metaexpert.logger.faults.fingerprint import digest_of

type Line = dict[str, Any]


class Template(str):
    """A message that is not quite a str."""

    __slots__ = ()


class TestLevels:
    @pytest.mark.parametrize(
        ("method", "level"),
        [
            ("debug", "DEBUG"),
            ("info", "INFO"),
            ("warning", "WARNING"),
            ("error", "ERROR"),
            ("critical", "CRITICAL"),
            ("fatal", "CRITICAL"),
            ("exception", "ERROR"),
        ],
    )
    def test_each_method_logs_at_its_level(self, line: Callable[[], Line], log: Logger, method: str, level: str):
        getattr(log, method)("hello")
        found = line()
        assert (found["level"], found["message"], found["logger"]) == (level, "hello", log.name)

    @pytest.mark.parametrize(("level", "shown"), [(10, "DEBUG"), (35, "Level 35"), (40, "ERROR"), (60, "Level 60")])
    def test_log_takes_any_level_number(self, line: Callable[[], Line], log: Logger, level: int, shown: str):
        log.log(level, "hello %s", "you")
        found = line()
        assert (found["level"], found["message"]) == (shown, "hello you")

    def test_log_takes_level_and_msg_by_keyword_as_stdlib_does(self, line: Callable[[], Line], log: Logger):
        call: Callable[..., None] = log.log
        call(level=logging.INFO, msg="hello")
        found = line()
        assert (found["level"], found["message"]) == ("INFO", "hello")
        assert "extra" not in found

    def test_a_level_with_a_name_of_its_own_shows_it(self, line: Callable[[], Line], log: Logger):
        logging.addLevelName(23, "NOTICE")
        log.log(23, "hello")
        assert line()["level"] == "NOTICE"

    def test_entries_arrive_in_the_order_of_the_calls(self, lines: Callable[[], list[Line]], log: Logger):
        for number in range(300):
            (log.debug, log.info, log.error, log.warning)[number % 4]("n%d", number)
        found = lines()
        assert [entry["message"] for entry in found] == [f"n{number}" for number in range(300)]
        numbers = [entry["seq"] for entry in found]
        assert numbers == sorted(set(numbers))

    def test_audit_entries_have_their_log_type(self, line: Callable[[], Line], log: Logger):
        log.audit("operator changed %s", "limit", actor="ann")
        found = line()
        assert (found["log_type"], found["message"]) == ("audit", "operator changed limit")
        assert found["extra"] == {"actor": "ann"}


class TestMessages:
    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (("plain",), "plain"),
            (("100%",), "100%"),
            (("%s and %(x)s",), "%s and %(x)s"),
            (("%s at %.2f", "BTC", 1.005), "BTC at 1.00"),
            (("%s", ("a", "b")), "('a', 'b')"),
            (("%(symbol)s %(side)s", {"symbol": "BTC", "side": "BUY"}), "BTC BUY"),
            (("%s", {"a": 1}), "{'a': 1}"),
            (("%s", {}), "{}"),
            (("%d%%", 5), "5%"),
            ((42,), "42"),
            ((None,), "None"),
            ((ValueError("bad"),), "bad"),
            ((["a", 1],), "['a', 1]"),
            ((Template("hello %s"), "you"), "hello you"),
            ((), ""),
            (("",), ""),
        ],
    )
    def test_arguments_are_applied_as_stdlib_does(
        self, line: Callable[[], Line], log: Logger, args: tuple[object, ...], message: str
    ):
        log.info(*args)
        assert line()["message"] == message

    @pytest.mark.parametrize(
        "args", [("%s %s", "only-one"), ("%d", "word-here"), ("no place", "left-over"), ("%(missing)s", {"other": 7})]
    )
    def test_wrong_arguments_lose_neither_message_nor_arguments(
        self, line: Callable[[], Line], log: Logger, args: tuple[Any, ...]
    ):
        log.info(*args)
        message = line()["message"]
        assert message.startswith(args[0])
        assert (args[1] if isinstance(args[1], str) else "'other': 7") in message

    def test_msg_alone_by_keyword_is_the_message(self, line: Callable[[], Line], log: Logger):
        log.info(msg="hello")
        found = line()
        assert found["message"] == "hello"
        assert "extra" not in found

    def test_msg_by_keyword_goes_with_stdlib_keywords(self, line: Callable[[], Line], log: Logger):
        log.info(msg="hello", extra={"a": 1})
        found = line()
        assert (found["message"], found["extra"]) == ("hello", {"a": 1})

    def test_a_field_may_be_called_msg(self, line: Callable[[], Line], log: Logger):
        log.info("hello", msg="a field")
        found = line()
        assert (found["message"], found["extra"]) == ("hello", {"msg": "a field"})


class TestFields:
    def test_keyword_fields_land_under_extra(self, line: Callable[[], Line], log: Logger):
        log.info("connected", exchange="binance", latency_ms=3.2, tries=2, ok=True, error=None)
        assert line()["extra"] == {"exchange": "binance", "latency_ms": 3.2, "tries": 2, "ok": True, "error": None}

    @pytest.mark.parametrize(
        "field",
        ["message", "name", "level", "logger", "args", "self", "timestamp", "extra_", "seq", "id", "task", "log_type"],
    )
    def test_a_field_may_have_any_name(self, line: Callable[[], Line], log: Logger, field: str):
        log.info("hello", **{field: "mine"})
        found = line()
        assert found["extra"] == {field: "mine"}
        assert (found["message"], found["logger"], found["log_type"]) == ("hello", log.name, "general")

    def test_log_takes_a_field_called_level(self, line: Callable[[], Line], log: Logger):
        log.log(logging.INFO, "hello", level="deep", msg="m")
        found = line()
        assert (found["level"], found["extra"]) == ("INFO", {"level": "deep", "msg": "m"})

    def test_fields_and_arguments_go_together(self, line: Callable[[], Line], log: Logger):
        log.info("filled %s at %s", 1, 2, symbol="BTC")
        found = line()
        assert (found["message"], found["extra"]) == ("filled 1 at 2", {"symbol": "BTC"})

    def test_an_entry_without_fields_has_no_extra(self, line: Callable[[], Line], log: Logger):
        log.info("hello")
        assert "extra" not in line()

    def test_extra_joins_the_fields_and_the_call_wins(self, line: Callable[[], Line], log: Logger):
        log.info("hello", extra={"a": 1, "b": 2}, b=3)
        assert line()["extra"] == {"a": 1, "b": 3}

    @pytest.mark.parametrize("extra", [{"message": "x", "name": "y", "asctime": "z"}, {"lineno": 1, "args": ()}])
    def test_extra_may_have_the_keys_stdlib_refuses(
        self, line: Callable[[], Line], log: Logger, extra: dict[str, object]
    ):
        log.info("hello", extra=extra)
        assert line()["extra"].keys() == extra.keys()

    @pytest.mark.parametrize("extra", [None, {}])
    def test_an_empty_extra_is_no_extra(self, line: Callable[[], Line], log: Logger, extra: dict[str, object] | None):
        log.info("hello", extra=extra)
        assert "extra" not in line()

    @pytest.mark.parametrize("form", ["field", "extra", "bind", "context"])
    def test_the_users_mappings_are_not_changed(self, line: Callable[[], Line], log: Logger, form: str):
        mine: dict[str, Any] = {"msg": "x", "api_key": "k", "deep": {"password": "p"}}
        before = repr(mine)
        if form == "field":
            log.info("hello", mine=mine)
        elif form == "extra":
            log.info("hello", extra=mine)
        else:
            log.bind(mine=mine).info("hello")
        assert line()["message"] == "hello"
        assert repr(mine) == before


class TestExceptions:
    def test_exception_logs_what_is_being_handled(self, line: Callable[[], Line], log: Logger):
        try:
            {}["gone"]
        except KeyError:
            log.exception("oops %s", "here", symbol="BTC")
        found = line()
        assert (found["level"], found["message"], found["extra"]) == ("ERROR", "oops here", {"symbol": "BTC"})
        assert (found["exception"]["type"], found["exception"]["message"]) == ("KeyError", "'gone'")
        assert '{}["gone"]' in found["exception"]["traceback"]

    @pytest.mark.parametrize("form", ["true", "one", "instance", "tuple"])
    def test_exc_info_takes_stdlibs_forms(self, line: Callable[[], Line], log: Logger, form: str):
        try:
            int("wrong")
        except ValueError as error:
            forms: dict[str, Any] = {
                "true": True,
                "one": 1,
                "instance": error,
                "tuple": (ValueError, error, error.__traceback__),
            }
            log.warning("hello", exc_info=forms[form])
        found = line()
        assert found["exception"]["type"] == "ValueError"
        assert 'int("wrong")' in found["exception"]["traceback"]
        assert "extra" not in found

    def test_an_instance_can_be_logged_after_its_handling(self, line: Callable[[], Line], log: Logger):
        log.error("hello", exc_info=OSError(5, "io"))
        assert line()["exception"] == {
            "type": "OSError",
            "message": "[Errno 5] io",
            "traceback": "OSError: [Errno 5] io\n",
            "fingerprint": digest_of("OSError", "", "[Errno <n>] io"),
        }

    @pytest.mark.parametrize("exc_info", [True, False, None, 0, (None, None, None)])
    def test_no_exception_no_key(self, line: Callable[[], Line], log: Logger, exc_info: Any):
        log.error("hello", exc_info=exc_info)
        assert "exception" not in line()

    def test_exception_may_be_told_to_leave_it_out(self, line: Callable[[], Line], log: Logger):
        try:
            int("wrong")
        except ValueError:
            log.exception("hello", exc_info=False)  # noqa: LOG007 - what happens then is the question
        assert "exception" not in line()

    def test_exception_outside_a_handler_logs_the_message(self, line: Callable[[], Line], log: Logger):
        log.exception("hello")  # noqa: LOG004 - what happens then is the question
        found = line()
        assert (found["level"], found["message"]) == ("ERROR", "hello")
        assert "exception" not in found

    def test_a_class_of_a_module_is_named_with_it(self, line: Callable[[], Line], log: Logger):
        log.error("hello", exc_info=threading.BrokenBarrierError("x"))
        assert line()["exception"]["type"] == "threading.BrokenBarrierError"


class TestStack:
    def test_stack_info_shows_the_way_to_the_call(self, line: Callable[[], Line], log: Logger):
        log.info("hello", stack_info=True)
        stack = line()["stack_info"]
        assert stack.startswith("Stack (most recent call last):")
        assert stack.splitlines()[-1].strip() == 'log.info("hello", stack_info=True)'

    def test_without_it_there_is_no_key(self, line: Callable[[], Line], log: Logger):
        log.info("hello", stack_info=False)
        found = line()
        assert "stack_info" not in found
        assert "extra" not in found


class TestThread:
    def test_an_entry_names_its_thread_and_process(self, line: Callable[[], Line], log: Logger):
        seen: list[int] = []

        def elsewhere() -> None:
            seen.append(threading.get_ident())
            log.info("hello")

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        found = line()
        assert found["thread"] == seen[0] != threading.get_ident()
        assert "task" not in found


def test_get_logger_without_a_name_is_metaexperts():
    assert get_logger().name == "metaexpert"
    assert get_logger() is get_logger("") is logging.getLogger("metaexpert")
