"""What stdlib users expect of a `logging.Logger`: registry, hierarchy, levels, disabling, adapters, filters."""

import logging
from collections.abc import Callable
from typing import Any, override

import pytest

from metaexpert.logger import Logger, get_logger, log_context

type Line = dict[str, Any]
type Lines = Callable[[], list[Line]]


class Subclass(logging.Logger):
    """Somebody's own kind of logger."""


def messages(lines: Lines) -> list[str]:
    return [entry["message"] for entry in lines()]


class TestRegistry:
    def test_get_logger_registers_with_stdlib(self, log: Logger):
        assert isinstance(log, logging.Logger)
        assert logging.getLogger(log.name) is log
        assert get_logger(log.name) is log

    def test_a_plain_logger_is_upgraded_in_place(self, name: str, lines: Lines):
        plain = logging.getLogger(name)
        child = logging.getLogger(f"{name}.deep")
        handler = logging.NullHandler()
        plain.addHandler(handler)
        plain.setLevel(logging.WARNING)
        plain.propagate = False
        upgraded = get_logger(name)
        assert upgraded is plain
        assert isinstance(plain, Logger)
        assert (plain.handlers, plain.level, plain.propagate) == ([handler], logging.WARNING, False)
        assert child.parent is plain
        plain.info("no")
        plain.warning("%s", "yes")
        assert messages(lines) == ["yes"]

    def test_a_plain_logger_that_was_used_before_answers_for_its_level_anew(self, name: str, lines: Lines):
        plain = logging.getLogger(name)
        plain.setLevel(logging.ERROR)
        assert not plain.isEnabledFor(logging.INFO)
        log = get_logger(name)
        log.info("no")
        log.setLevel(logging.INFO)
        log.info("yes")
        assert messages(lines) == ["yes"]

    def test_no_other_logger_changes_its_class(self, name: str):
        parent, child = logging.getLogger(name), logging.getLogger(f"{name}.a.b")
        get_logger(f"{name}.a")
        assert type(parent) is type(child) is logging.Logger
        assert logging.getLoggerClass() is logging.Logger

    def test_a_placeholder_becomes_the_parent(self, name: str):
        child = get_logger(f"{name}.a.b")
        middle = get_logger(f"{name}.a")
        assert child.parent is middle

    def test_get_child_is_the_logger_below(self, log: Logger):
        child = log.getChild("deep.deeper")
        assert isinstance(child, Logger)
        assert child.name == f"{log.name}.deep.deeper"
        assert child is get_logger(child.name)

    def test_the_roots_own_logger_can_be_asked_for(self, lines: Lines):
        log = get_logger("root")
        log.info("hello", a=1)
        found = lines()
        assert [(entry["message"], entry["extra"]) for entry in found] == [("hello", {"a": 1})]
        assert type(logging.getLogger()) is logging.RootLogger


class TestSomebodysSubclass:
    @pytest.fixture
    def theirs(self, name: str) -> logging.Logger:
        logging.setLoggerClass(Subclass)
        return logging.getLogger(name)

    def test_it_stays_as_it_is_and_ours_logs_beside_it(self, theirs: logging.Logger, lines: Lines):
        ours = get_logger(theirs.name)
        assert type(theirs) is Subclass
        assert logging.getLogger(theirs.name) is theirs
        assert isinstance(ours, Logger)
        ours.info("hello", a=1)
        found = lines()
        assert [(entry["logger"], entry["extra"]) for entry in found] == [(theirs.name, {"a": 1})]

    def test_ours_is_the_same_each_time(self, theirs: logging.Logger):
        assert get_logger(theirs.name) is get_logger(theirs.name)

    def test_ours_follows_their_level_while_running(self, theirs: logging.Logger, lines: Lines):
        ours = get_logger(theirs.name)
        ours.info("1")
        theirs.setLevel(logging.ERROR)
        ours.info("no")
        theirs.setLevel(logging.DEBUG)
        ours.debug("2")
        logging.disable(logging.INFO)
        ours.info("no")
        logging.disable(logging.NOTSET)
        ours.info("3")
        assert messages(lines) == ["1", "2", "3"]


class TestHierarchy:
    def test_a_logger_without_level_follows_its_parent(self, log: Logger, lines: Lines):
        child = log.getChild("a.b")
        log.setLevel(logging.ERROR)
        child.warning("no")
        child.error("1")
        child.setLevel(logging.DEBUG)
        child.debug("2")
        log.warning("no")
        child.setLevel(logging.NOTSET)
        child.debug("no")
        log.setLevel(logging.NOTSET)
        child.debug("3")
        assert messages(lines) == ["1", "2", "3"]
        assert child.getEffectiveLevel() == logging.DEBUG

    def test_the_root_decides_where_nobody_else_does(self, log: Logger, lines: Lines):
        logging.getLogger().setLevel(logging.WARNING)
        log.info("no")
        log.warning("yes")
        assert messages(lines) == ["yes"]
        assert log.getEffectiveLevel() == logging.WARNING

    def test_the_configured_level_is_the_roots_while_logging_runs(
        self, start: Callable[..., object], lines_of: Callable[..., list[Line]], log: Logger
    ):
        runtime = start(log_level="WARNING")
        log.info("no")
        log.warning("yes")
        assert [entry["message"] for entry in lines_of(runtime)] == ["yes"]
        assert logging.getLogger().level == logging.WARNING


class TestSetLevel:
    @pytest.mark.parametrize(
        ("level", "passing"),
        [
            (logging.DEBUG, ["debug", "info", "warning", "error", "critical"]),
            (logging.INFO, ["info", "warning", "error", "critical"]),
            (logging.WARNING, ["warning", "error", "critical"]),
            (logging.ERROR, ["error", "critical"]),
            (logging.CRITICAL, ["critical"]),
            (logging.CRITICAL + 1, []),
        ],
    )
    def test_entries_below_the_level_are_not_logged(self, log: Logger, lines: Lines, level: int, passing: list[str]):
        log.setLevel(level)
        for _ in range(2):
            for method in ("debug", "info", "warning", "error", "critical"):
                getattr(log, method)(method)
                assert log.isEnabledFor(getattr(logging, method.upper())) is (method in passing)
        assert messages(lines) == passing * 2

    @pytest.mark.parametrize("method", ["debug", "info", "warning", "error", "critical", "exception"])
    def test_a_disabled_method_comes_back(self, log: Logger, lines: Lines, method: str):
        for _ in range(2):
            log.setLevel(logging.CRITICAL + 1)
            getattr(log, method)("no")
            getattr(log, method)("no")
            log.setLevel(logging.DEBUG)
            getattr(log, method)("yes")
        assert messages(lines) == ["yes", "yes"]

    @pytest.mark.parametrize("method", ["debug", "info", "warning", "error", "critical"])
    def test_a_method_kept_while_it_was_disabled_comes_back_too(self, log: Logger, lines: Lines, method: str):
        log.setLevel(logging.CRITICAL + 1)
        getattr(log, method)("no")
        kept = getattr(log, method)
        kept("no")
        log.setLevel(logging.DEBUG)
        kept("yes")
        assert messages(lines) == ["yes"]

    def test_a_name_of_a_level_is_taken(self, log: Logger, lines: Lines):
        log.setLevel("ERROR")
        log.warning("no")
        log.error("yes")
        assert messages(lines) == ["yes"]

    def test_levels_between_the_named_ones_count(self, log: Logger, lines: Lines):
        log.setLevel(25)
        log.log(24, "no")
        log.info("no")
        log.log(25, "yes")
        assert messages(lines) == ["yes"]

    def test_the_parents_change_reaches_disabled_methods_of_its_children(self, log: Logger, lines: Lines):
        child = log.getChild("a")
        log.setLevel(logging.ERROR)
        child.info("no")
        log.setLevel(logging.INFO)
        child.info("yes")
        assert messages(lines) == ["yes"]


class TestDisabling:
    def test_logging_disable_holds_for_all_until_lifted(self, log: Logger, lines: Lines):
        log.info("1")
        logging.disable(logging.WARNING)
        log.info("no")
        log.warning("no")
        log.error("2")
        assert not log.isEnabledFor(logging.WARNING)
        logging.disable(logging.NOTSET)
        log.info("3")
        assert messages(lines) == ["1", "2", "3"]

    def test_logger_disabled_silences_it_and_not_its_children(self, log: Logger, lines: Lines):
        child = log.getChild("a")
        log.error("1")
        log.disabled = True
        log.error("no")
        log.critical("no")
        child.error("2")
        assert log.disabled
        assert not log.isEnabledFor(logging.CRITICAL)
        log.disabled = False
        log.error("3")
        assert messages(lines) == ["1", "2", "3"]

    def test_a_logger_disabled_before_its_upgrade_stays_disabled(self, name: str, lines: Lines):
        logging.getLogger(name).disabled = True
        log = get_logger(name)
        log.error("no")
        log.disabled = False
        log.error("yes")
        assert messages(lines) == ["yes"]

    def test_trade_and_audit_entries_ignore_levels_and_disable(self, log: Logger, lines: Lines):
        log.setLevel(logging.CRITICAL)
        logging.disable(logging.CRITICAL)
        log.info("no")
        log.trade.order_placed(order_id="1", symbol="BTC", side="BUY", quantity="1")
        log.audit("changed")
        log.bind(a=1).audit("changed too")
        assert [entry["log_type"] for entry in lines()] == ["trade", "audit", "audit"]


class TestAdapter:
    def test_logger_adapter_works_as_with_stdlib(self, log: Logger, lines: Lines):
        adapter = logging.LoggerAdapter(log, {"symbol": "BTC"})
        adapter.info("hello %s", "you")
        adapter.setLevel(logging.ERROR)
        adapter.warning("no")
        try:
            int("x")
        except ValueError:
            adapter.exception("oops")
        found = lines()
        assert [(entry["message"], entry["extra"]) for entry in found] == [
            ("hello you", {"symbol": "BTC"}),
            ("oops", {"symbol": "BTC"}),
        ]
        assert found[1]["exception"]["type"] == "ValueError"

    def test_it_goes_with_bind_and_context(self, log: Logger, lines: Lines):
        with log_context(b=2):
            logging.LoggerAdapter(log.bind(a=1), {"c": 3}).info("x")
        assert lines()[0]["extra"] == {"a": 1, "b": 2, "c": 3}


class TestFilters:
    def test_a_loggers_filter_keeps_entries_out(self, log: Logger, lines: Lines):
        class NoBook(logging.Filter):
            @override
            def filter(self, record: logging.LogRecord) -> bool:
                return "book" not in record.getMessage()

        log.addFilter(NoBook())
        log.info("order %s", "book")
        log.info("order")
        assert messages(lines) == ["order"]

    def test_removing_it_lets_them_through_again(self, log: Logger, lines: Lines):
        nothing = logging.Filter("somewhere.else")
        log.addFilter(nothing)
        log.info("no")
        log.removeFilter(nothing)
        log.info("yes")
        assert messages(lines) == ["yes"]

    def test_what_it_makes_of_the_message_is_logged(self, log: Logger, lines: Lines):
        def hide_accounts(record: logging.LogRecord) -> bool:
            record.msg, record.args = record.getMessage().replace("ACC-77", "ACC-**"), ()
            return True

        log.addFilter(hide_accounts)
        log.info("moved to %s", "ACC-77", n=1)
        found = lines()[0]
        assert (found["message"], found["extra"]) == ("moved to ACC-**", {"n": 1})

    def test_a_record_it_puts_in_place_counts(self, log: Logger, lines: Lines):
        def replaced(record: logging.LogRecord) -> logging.LogRecord:
            return logging.makeLogRecord({**record.__dict__, "msg": "replaced", "args": ()})

        log.addFilter(replaced)
        log.info("original")
        assert messages(lines) == ["replaced"]

    def test_one_that_fails_costs_no_entry_and_no_exception(self, log: Logger, lines: Lines):
        def failing(record: logging.LogRecord) -> bool:
            raise KeyError(record.msg)

        log.addFilter(failing)
        log.info("hello")
        assert len(lines()) == 1


class TestStdlibsInnerWay:
    def test_log_below_the_public_methods_works_as_stdlibs(self, log: Logger, lines: Lines):
        log._log(logging.INFO, "hello %s", ("you",), extra={"a": 1})
        found = lines()[0]
        assert (found["message"], found["extra"]) == ("hello you", {"a": 1})
        assert found["function"] == "test_log_below_the_public_methods_works_as_stdlibs"
