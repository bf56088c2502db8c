"""All that is wrong is told at once, each thing once, and nothing that is only wrong because something else is."""

from typing import Any

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig


def lines(**values: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        LoggerConfig.load(environ={}, **values)
    return str(caught.value).splitlines()


@pytest.mark.usefixtures("folder")
class TestEverything:
    def test_what_compares_options_is_told_beside_a_wrong_one(self):
        assert lines(backup_count=-1, log_error_file="expert.log") == [
            "LoggerConfig.backup_count = -1: should be greater than or equal to 0",
            "LoggerConfig: the file 'expert.log' is written by two sinks; give each a file of its own",
        ]

    def test_within_a_table_too(self):
        queue: dict[str, Any] = {"max_entries": 1, "high_watermark": 0.4}
        assert lines(queue=queue) == [
            "LoggerConfig.queue.max_entries = 1: should be greater than or equal to 16",
            "LoggerConfig.queue: low_watermark (0.5) must be below high_watermark (0.4)",
        ]
        assert queue == {"max_entries": 1, "high_watermark": 0.4}, "what was given is not changed"

    def test_within_a_sink_too(self):
        loki = {"type": "loki", "url": "http://h", "level": "LOUD", "username": "u", "api_key": "s3cret"}
        first, second = lines(sinks=[{"type": "memory"}, loki])
        assert first.startswith("LoggerConfig.sinks.1.level = 'LOUD': must be a level")
        assert second.startswith("LoggerConfig.sinks.1: only one of username")

    def test_a_required_option_that_is_wrong_is_not_called_missing(self):
        (only,) = lines(sinks=[{"type": "loki", "url": "nowhere"}])
        assert "must be an address" in only

    def test_after_a_sink_of_no_type_the_rest_is_looked_at(self):
        first, second = lines(sinks=[{"type": "lokki"}], log_error_file="expert.log")
        assert first.startswith("LoggerConfig.sinks.0.type = 'lokki': must be one of 'console', ")
        assert first.endswith("did you mean 'loki'?")
        assert "expert.log" in second

    def test_elements_keep_their_index(self):
        told = lines(redaction={"keys": ["-", "fine", "--"]}, sinks=[{"type": "x"}, {"type": "memory", "levl": "INFO"}])
        assert [line.split(":")[0].split(" =")[0] for line in told] == [
            "LoggerConfig.redaction.keys.0",
            "LoggerConfig.redaction.keys.2",
            "LoggerConfig.sinks.0.type",
            "LoggerConfig.sinks.1.levl",
        ]

    def test_what_is_missing_is_told(self):
        first, second = lines(sinks=[{"type": "loki"}, {}])
        assert first == "LoggerConfig.sinks.0.url: is required"
        assert second.startswith("LoggerConfig.sinks.1.type: must be one of 'console', ")
