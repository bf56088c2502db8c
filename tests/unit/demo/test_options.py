"""The demo's command line."""

from pathlib import Path

import pytest

from metaexpert.demo.options import DemoOptions, parse_options


def test_defaults_are_the_options_own():
    assert parse_options([]) == DemoOptions()


def test_everything_can_be_said():
    market = ["--seed", "7", "--replay", "x.capture", "--speed", "2", "--seconds", "5", "--rate", "100"]
    words = [*market, "--plain", "--keep", "out", "--burst", "10"]
    assert parse_options(words) == DemoOptions(
        seed=7,
        replay=Path("x.capture"),
        speed=2.0,
        seconds=5.0,
        rate=100.0,
        plain=True,
        keep=Path("out"),
        burst=10,
    )


@pytest.mark.parametrize(
    "words", [["--speed", "0"], ["--seconds", "-1"], ["--burst", "-1"], ["--rate", "x"], ["--nap"]]
)
def test_nonsense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_:
        parse_options(words)
    assert exit_.value.code == 2
    assert words[0] in capsys.readouterr().err
