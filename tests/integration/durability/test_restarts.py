"""Stopped and started again while collectors are down: what a run's ledger says it left is what the next one finds."""

import json
from pathlib import Path

from support.programs import run_program

PROGRAM = """
import socket
from metaexpert.logger import (
    ElasticsearchOptions, LokiOptions, NdjsonOptions, OtlpOptions, QueueOptions, SpoolOptions, SplunkOptions,
    SyslogOptions,
)

KINDS = (LokiOptions, ElasticsearchOptions, OtlpOptions, SplunkOptions, NdjsonOptions)


def sinks(url):
    small = QueueOptions(max_entries=500)
    soon = {"queue": small, "backoff_first": 0.01, "backoff_max": 0.05}
    syslog = SyslogOptions(host="127.0.0.1", port=int(url.rpartition(":")[2]), **soon)
    return (*(kind(url=url, **soon) for kind in KINDS), syslog)


async def main():
    count = int(sys.argv[1])
    with socket.socket() as taken:  # bound and not listening: it refuses, and nobody else gets it
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        told = config(log_to_file=False, sinks=sinks(url), shutdown_timeout=0.2)
        async with setup_logging(told) as runtime:
            for number in range(count):
                log.info("tick", number=number)
                if number % 50 == 0:
                    log.audit("limit changed", number=number)
                    await runtime.wait_ready()
    ledgers = {name: sink.ledger for name, sink in runtime.stats().sinks.items()}
    assert all(ledger.balanced and not ledger.dropped for ledger in ledgers.values()), ledgers
    say(json.dumps({name: [ledger.recovered, ledger.spooled] for name, ledger in ledgers.items()}))


run(main())
"""


def test_what_is_spooled_at_a_stop_is_recovered_at_the_next_start_by_every_sink(tmp_path: Path):
    left = dict.fromkeys(("loki", "elasticsearch", "otlp", "splunk", "ndjson", "syslog"), 0)
    for count in (1200, 0, 700, 0):
        ended = run_program(PROGRAM, tmp_path, str(count))
        assert ended.returncode == 0, ended.stderr
        ledgers: dict[str, tuple[int, int]] = json.loads(ended.stdout)
        assert {name: recovered for name, (recovered, _) in ledgers.items()} == left
        left = {name: spooled for name, (_, spooled) in ledgers.items()}
        assert min(left.values()) >= 1200
