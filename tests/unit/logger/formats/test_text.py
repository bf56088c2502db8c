"""Text lines for people: one line an entry, nothing in it that forges a line or drives a terminal."""

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metaexpert.logger import Logger, get_logger
from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.text import TextLines, neutralised
from metaexpert.logger.typed_logger import error_logger

type Written = Callable[[Callable[[Logger], object]], Capture]

PLAIN = TextLines(use_colors=False)
UNSAFE = (
    "\x00\x07\x08\n\r\x0b\x0c\x1b\x7f\x80\x85\x9b\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def fail_with(error: Exception) -> None:
    raise error


def shown(entry: Capture) -> str:
    return PLAIN(entry).decode("utf-8")


class TestLines:
    def test_time_level_logger_message_and_fields(self, written: Written, name: str):
        text = shown(written(lambda log: log.warning("hello %s", "you", symbol="BTC", n=1, deep={"a": [1]}, none=None)))
        moment, rest = text.split(" ", 1)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment)
        assert rest == f'WARNING  {name}: hello you symbol=BTC n=1 deep={{"a":[1]}} none=null'

    def test_bound_fields_are_shown(self, written: Written):
        assert shown(written(lambda log: log.bind(a=1).info("x", b=2))).endswith("x a=1 b=2")

    def test_texts_with_spaces_or_equals_and_empty_ones_are_quoted(self, written: Written):
        text = shown(written(lambda log: log.info("x", a="two words", b="k=v", c="")))
        assert text.endswith('x a="two words" b="k=v" c=""')

    def test_trade_data_is_shown(self, written: Written):
        text = shown(written(lambda log: log.trade.order_filled(order_id=7, side="BUY", quantity="1", price="2.50")))
        assert "order_filled BUY 1 at 2.50" in text
        assert "order_id=7" in text
        assert "price=2.50" in text

    def test_an_errors_context_is_shown(self, written: Written, name: str):
        text = shown(written(lambda _: error_logger(get_logger(name)).error("failed", error_code=7)))
        assert text.endswith("failed error_code=7")

    def test_a_traceback_stands_indented_below(self, written: Written):
        def fail(log: Logger) -> None:
            try:
                fail_with(ValueError("wrong\nwith lines\x1b[2J"))
            except ValueError:
                log.exception("oops")

        first, *below = shown(written(fail)).split("\n")
        assert first.endswith("oops")
        assert below[0] == "    Traceback (most recent call last):"
        assert all(line.startswith("    ") for line in below)
        assert "\x1b" not in "".join(below)
        assert "ValueError: wrong" in "".join(below)

    def test_a_stack_is_shown(self, written: Written):
        text = shown(written(lambda log: log.info("x", stack_info=True)))
        assert "\n    Stack (most recent call last):\n" in text

    def test_unknown_levels_have_their_number(self, written: Written):
        assert "Level 35" in shown(written(lambda log: log.log(35, "x")))


class TestNeutralised:
    @pytest.mark.parametrize("char", UNSAFE, ids=ascii)
    def test_what_could_break_out_becomes_an_escape(self, written: Written, char: str):
        hostile = f"a{char}b"
        for text in (
            shown(written(lambda log: log.info(hostile))),
            shown(written(lambda log: log.info("%s", hostile))),
            shown(written(lambda log: log.info("x", field=hostile))),
            shown(written(lambda log: log.info("x", **{hostile: 1}))),
            shown(written(lambda log: log.info("x", deep=[hostile]))),
            shown(written(lambda log: log.bind(field=hostile).info("x"))),
            shown(written(lambda log: log.trade.order_cancelled(order_id=hostile))),
        ):
            assert char not in text
            assert re.search(r"a\\.+b", text)

    def test_in_a_loggers_name_too(self, written: Written):
        entry = written(lambda log: get_logger(f"{log.name}\n\x1b[2J").info("x"))
        assert "\n" not in shown(entry)
        assert "\x1b" not in shown(entry)

    def test_a_forged_line_stays_within_its_own(self, written: Written):
        forged = "ok\n2026-01-01T00:00:00.000000Z CRITICAL root: stolen"
        assert len(shown(written(lambda log: log.info(forged, a=forged))).split("\n")) == 1

    @pytest.mark.parametrize("text", ["plain", "tab\tstays", "ünï 語 🎉", "back\\slash", ""])
    def test_harmless_text_is_left_as_it_is(self, text: str):
        assert neutralised(text) == text

    def test_lone_surrogates_can_be_read(self, written: Written):
        assert "\\ud800" in shown(written(lambda log: log.info("\ud800")))

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=st.text())
    def test_no_text_leaves_its_line(self, written: Written, text: str):
        line = shown(written(lambda log: log.error(text, extra={text: text}, exc_info=ValueError(text))))
        assert not set(line) & (set(UNSAFE) - {"\n"})
        assert all(part.startswith("    ") for part in line.split("\n")[1:])


class TestColours:
    COLOURS = TextLines(use_colors=True)

    def test_the_text_is_the_same_but_for_colours(self, written: Written):
        entry = written(lambda log: log.error("hello", a=1, exc_info=ValueError("x")))
        coloured = self.COLOURS(entry).decode()
        assert "\x1b[31m" in coloured
        assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == shown(entry)

    @pytest.mark.parametrize("level", [-5, 0, 5, 10, 20, 25, 30, 40, 50, 99])
    def test_every_level_has_one_and_ends_it(self, written: Written, level: int):
        coloured = self.COLOURS(written(lambda log: log.audit("x")))
        entry = written(lambda log: log.audit("x"))
        coloured = self.COLOURS((*entry[:2], level, *entry[3:])).decode()
        assert coloured.count("\x1b[0m") * 2 == coloured.count("\x1b[") >= 4

    def test_a_message_cannot_bring_its_own(self, written: Written):
        coloured = self.COLOURS(written(lambda log: log.info("\x1b[5mblink"))).decode()
        assert "\x1b[5m" not in coloured
