"""Options of rotation by the clock: what is taken, what it means, and what is said to what is not taken."""

import tomllib
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import FileOptions, LoggerConfig, RotationOptions


def next_end(options: RotationOptions, begun: str) -> str:
    schedule = options.schedule()
    assert schedule is not None
    end = schedule.after(datetime.fromisoformat(begun).timestamp())
    return datetime.fromtimestamp(end, ZoneInfo("UTC")).isoformat()


def test_without_any_there_is_no_schedule():
    assert RotationOptions().schedule() is None
    assert RotationOptions(zone="Europe/Berlin").schedule() is None


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ({"at": ["00:00"]}, "2026-07-02T00:00:00+00:00"),
        ({"at": ["00:00", "17:30:15"]}, "2026-07-01T17:30:15+00:00"),
        ({"at": ["00:00"], "zone": "Europe/Berlin"}, "2026-07-01T22:00:00+00:00"),
        ({"every": 3600}, "2026-07-01T13:00:00+00:00"),
        ({"every": "6h"}, "2026-07-01T18:00:00+00:00"),
        ({"max_age": "2d"}, "2026-07-03T12:00:00+00:00"),
        ({"max_age": 90.0, "every": "1h", "at": ["13:00"]}, "2026-07-01T12:01:30+00:00"),
    ],
    ids=str,
)
def test_what_they_mean(options: dict[str, Any], end: str):
    assert next_end(RotationOptions(**options), "2026-07-01T12:00:00+00:00") == end


def test_times_of_toml_are_times_of_day():
    assert RotationOptions(**tomllib.loads("at = [00:00:00, 17:30:00]")).at == ("00:00:00", "17:30:00")


def test_they_come_from_the_environment_as_well():
    config = LoggerConfig.load(
        environ={
            "METAEXPERT_LOG_ROTATION__AT": '["00:00"]',
            "METAEXPERT_LOG_ROTATION__ZONE": "local",
            "METAEXPERT_LOG_ROTATION__EVERY": "1h",
            "METAEXPERT_LOG_FSYNC": "protected",
        }
    )
    assert config.rotation == RotationOptions(at=("00:00",), zone="local", every=3600)
    assert config.fsync == "protected"


def test_the_flat_ones_are_those_of_the_three_files():
    rotation = RotationOptions(at=("00:00",))
    config = LoggerConfig(rotation=rotation, fsync="interval", fsync_interval=0.5)
    files = [options for options in config.all_sinks() if isinstance(options, FileOptions)]
    assert {(options.rotation, options.fsync, options.fsync_interval) for options in files} == {
        (rotation, "interval", 0.5)
    }
    assert len(files) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"at": ["24:00"]}, "RotationOptions.at.0"),
        ({"at": ["midnight"]}, 'must be a time of day, hours and minutes, such as "00:00"'),
        ({"at": ["7:30"]}, "must be a time of day"),
        ({"every": 0}, "RotationOptions.every"),
        ({"every": "2d"}, "RotationOptions.every"),
        ({"every": 0.5}, "must be whole seconds"),
        ({"every": "hourly"}, "a number with its unit"),
        ({"max_age": 0}, "RotationOptions.max_age"),
        ({"zone": "Europe/Berln"}, "did you mean 'Europe/Berlin'?"),
        ({"zone": "xyzzy"}, 'give "UTC", "local" or a name such as "Europe/Berlin"'),
        ({"zone": "../../etc/passwd"}, "is no time zone this machine knows"),
        ({"when": "midnight"}, "when"),
    ],
    ids=str,
)
def test_what_is_not_taken_is_named_with_its_remedy(options: dict[str, Any], said: str):
    with pytest.raises(ConfigError) as raised:
        RotationOptions(**options)
    assert said in str(raised.value)


def test_an_unknown_policy_of_syncs_is_an_error():
    with pytest.raises(ConfigError, match=r"LoggerConfig\.fsync.*'interval'"):
        LoggerConfig(fsync="always")  # type: ignore[arg-type]
