"""Options about keeping: durations with units, bounds that make sense, compressions that can be had."""

from pathlib import Path
from typing import Any

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import ArchiveOptions, FileOptions, LoggerConfig, RetentionOptions
from metaexpert.logger.options import keeping


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90.0),
        (1.5, 1.5),
        ("90", 90.0),
        ("30s", 30.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("1.5d", 129_600.0),
        ("2 W", 1_209_600.0),
        ("", None),
        ("90 days", None),
        ("-1d", None),
        ("1d2h", None),
        (-1, None),
    ],
)
def test_durations_are_seconds_or_have_a_unit(written: Any, seconds: float | None):
    if seconds is None:
        with pytest.raises(ConfigError, match="max_age"):
            RetentionOptions(max_age=written)
    else:
        assert RetentionOptions(max_age=written).max_age == seconds


def test_a_wrong_duration_says_how_to_write_it():
    with pytest.raises(
        ConfigError, match=r'must be seconds, or a number with its unit: s, m, h, d or w, such as "90d"'
    ):
        ArchiveOptions(folder="old", after="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_an_age_before_the_term_is_refused():
    with pytest.raises(ConfigError, match=r"max_age .* must not be shorter than keep_for"):
        RetentionOptions(max_age="1d", keep_for="2d")  # pyright: ignore[reportArgumentType]
    assert RetentionOptions(max_age="2d", keep_for="2d").keep_for == 172_800  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("options", [{"max_files": 0}, {"max_bytes": 0}, {"min_free_bytes": -1}, {"max_ages": 1}])
def test_bounds_without_sense_are_refused(options: dict[str, Any]):
    with pytest.raises(ConfigError, match=next(iter(options))):
        RetentionOptions(**options)


def test_zstd_without_its_package_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keeping, "has_zstd", lambda: False)
    for make in (LoggerConfig, lambda **more: FileOptions(path="a.log", **more)):
        with pytest.raises(ConfigError, match=r"compression.*pip install 'metaexpert\[zstd\]'"):
            make(compression="zstd")
        make(compression="gzip")


def test_variables_and_toml_spell_them_alike(tmp_path: Path):
    (tmp_path / "metaexpert.toml").write_text(
        '[logger]\ncompression = "gzip"\n[logger.archive]\nfolder = "old"\nafter = "30d"\n'
    )
    variables = {"METAEXPERT_LOG_RETENTION__MAX_AGE": "90d", "METAEXPERT_LOG_LOG_TRADE_KEEP_FOR": "10d"}
    config = LoggerConfig.load(tmp_path / "metaexpert.toml", environ=variables)
    assert config.archive is not None
    assert (config.archive.after, config.retention.max_age) == (30 * 86_400, 90 * 86_400)
    assert config.log_trade_keep_for == 10 * 86_400


def test_the_production_preset_compresses():
    assert LoggerConfig.for_production().compression == "gzip"
    assert LoggerConfig().compression == "none"


@pytest.mark.parametrize("archive", [".", "../logs", "deep"])
def test_an_archive_in_a_folder_of_logs_is_refused(archive: str):
    deep = FileOptions(name="deep", path=Path("deep/x.log"))
    with pytest.raises(ConfigError, match="holds logs; give a folder of its own"):
        LoggerConfig(log_dir=Path("logs"), archive=ArchiveOptions(folder=Path(archive)), sinks=(deep,))


def test_two_logs_of_one_name_need_archives_of_their_own():
    def config(one: str, other: str) -> LoggerConfig:
        sinks = [
            FileOptions(name=name, path=Path(name) / "bot.log", archive=ArchiveOptions(folder=Path(folder)))
            for name, folder in (("a", one), ("b", other))
        ]
        return LoggerConfig(sinks=tuple(sinks))

    with pytest.raises(ConfigError, match=r"two logs called 'bot\.log' go to one archive"):
        config("old", "old")
    assert len(config("old/a", "old/b").sinks) == 2
