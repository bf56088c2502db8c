"""The real servers' own side: what is started ends with whoever started it, and what a collector takes can be seen."""

import asyncio
import os
import signal
import subprocess
import sys
import urllib.request

import pytest
from support import guarded
from support.eventually import eventually
from support.real_servers import OtlpCollector

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

PARENT = """
import signal, subprocess, sys
server = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, sys.argv[1], sys.executable, "-c", server], stdin=subprocess.PIPE)
signal.pause()
"""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _parent() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", PARENT, guarded.__file__], stdout=subprocess.PIPE)


def _post(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})  # noqa: S310 - on loopback
    with urllib.request.urlopen(request, timeout=10.0) as response:  # noqa: S310 - as above
        return response.status


@POSIX
async def test_a_server_ends_though_the_session_that_started_it_was_killed():
    with _parent() as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        assert _alive(server)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    await eventually(lambda: not _alive(server), seconds=30.0)


async def test_the_collector_passes_on_the_records_it_was_given(real_otlp: OtlpCollector):
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = "seen at the other end"
    assert await asyncio.to_thread(_post, f"{real_otlp.url}/v1/logs", message.SerializeToString()) == 200
    await eventually(
        lambda: "seen at the other end" in {each.body.string_value for each in real_otlp.records()}, seconds=30.0
    )
