"""The reading commands on a terminal: colours, NO_COLOR, a pager for what is longer than the screen, a progress bar."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.log_lines import error_line, log_line, write_log
from support.programs import PATIENCE_SECONDS, POSIX

from metaexpert.cli.logs_output import colours_wanted

pytestmark = POSIX

_TERMINAL = {"TERM": "xterm", "COLUMNS": "80", "LINES": "10", "PAGER": "cat"}
_CODES = re.compile("\x1b\\[[0-9;]*m")


def on_terminal(*arguments: str, **environ: str) -> tuple[int, str]:
    """Status and screen of `metaexpert logs …` on a terminal of 80 columns and 10 rows."""
    import pty  # POSIX alone has it

    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "PAGER", "LESS"}}
    env |= _TERMINAL | environ
    command = [sys.executable, "-m", "metaexpert", "logs", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        too_late = threading.Timer(PATIENCE_SECONDS, process.kill)  # reading its screen must not wait for ever
        too_late.start()
        shown = _all_of(ours)
        status = process.wait(PATIENCE_SECONDS)
        too_late.cancel()
    os.close(ours)
    return status, shown.decode().replace("\r\n", "\n")


def _all_of(descriptor: int) -> bytes:
    """What comes until the other side is closed, which a terminal tells by an error."""
    shown = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            return shown
        if not piece:
            return shown
        shown += piece


def test_levels_are_coloured_on_a_terminal_unless_no_color_is_set(tmp_path: Path):
    write_log(tmp_path, error_line(1, "lost", "refused"))
    _, coloured = on_terminal("errors", str(tmp_path))
    status, plain = on_terminal("errors", str(tmp_path), NO_COLOR="1")
    assert "\x1b[31mConnectionError\x1b[0m" in coloured
    assert _CODES.sub("", coloured) == plain
    assert status == 0


def test_what_is_longer_than_the_screen_goes_through_the_pager(tmp_path: Path):
    write_log(tmp_path / "logs", *(log_line(n, f"n {n}") for n in range(30)))
    pager = f"sh -c 'cat > {tmp_path / 'paged'}'"
    status, shown = on_terminal("tail", "-n", "30", str(tmp_path / "logs"), PAGER=pager)
    assert (status, shown) == (0, "")
    paged = (tmp_path / "paged").read_text()
    assert "\x1b[32m" in paged
    assert [line.split()[-1] for line in paged.splitlines()] == [str(n) for n in range(30)]


def test_what_fits_the_screen_does_not(tmp_path: Path):
    write_log(tmp_path, *(log_line(n, f"n {n}") for n in range(9)))
    status, shown = on_terminal("tail", str(tmp_path), PAGER="false")
    assert (status, len(shown.splitlines())) == (0, 9)


def test_lines_that_wrap_on_a_narrow_terminal_take_several_rows(tmp_path: Path):
    write_log(tmp_path / "logs", *(log_line(n, "x" * 120) for n in range(5)))
    pager = f"sh -c 'cat > {tmp_path / 'paged'}'"
    assert on_terminal("tail", str(tmp_path / "logs"), PAGER=pager, COLUMNS="30") == (0, "")
    assert (tmp_path / "paged").read_text().count("x" * 120) == 5


@pytest.mark.parametrize("pager", ["", "no-such-program-at-all"])
def test_without_a_pager_the_lines_are_printed(tmp_path: Path, pager: str):
    write_log(tmp_path, *(log_line(n, f"n {n}") for n in range(30)))
    status, shown = on_terminal("tail", "-n", "30", str(tmp_path), PAGER=pager)
    assert (status, len(shown.splitlines())) == (0, 30)


def test_a_pager_that_is_left_early_ends_the_command_quietly(tmp_path: Path):
    write_log(tmp_path, *(log_line(n, "x" * 200) for n in range(3000)))
    status, shown = on_terminal("grep", "x", str(tmp_path), PAGER="head -n 1")
    assert (status, len(shown.splitlines())) == (0, 1)


def test_long_work_shows_how_far_it_is_and_takes_the_bar_away():
    """The program works until it is told that the bar was seen."""
    import pty  # as above

    program = (
        "import sys\n"
        "from metaexpert.cli.logs_progress import Progress\n"
        "with Progress('reading', 4096, lambda: 1024):\n"
        "    sys.stdin.readline()\n"
        "print('done')\n"
    )
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, env=os.environ | _TERMINAL
    ) as process:
        os.close(theirs)
        shown = b""
        while b"reading" not in shown:
            shown += os.read(ours, 65536)
        process.communicate(b"seen\n", PATIENCE_SECONDS)
        shown += _all_of(ours)
    os.close(ours)
    assert shown.rstrip().endswith(b"done")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("chosen", "environ", "wanted"),
    [
        (None, {}, True),
        (None, {"NO_COLOR": "1"}, False),
        (None, {"NO_COLOR": ""}, True),
        (None, {"TERM": "dumb"}, False),
        (True, {"NO_COLOR": "1"}, True),
        (False, {}, False),
    ],
)
def test_who_decides_about_colours(
    monkeypatch: pytest.MonkeyPatch, chosen: bool | None, environ: dict[str, str], wanted: bool
):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"TERM": "xterm", **environ}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert colours_wanted(chosen) is wanted
