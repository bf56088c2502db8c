"""Runs a command for as long as its standard input is open, so that nothing it started outlives a test run.

A test session may end by a signal, by a hang that pytest cuts short, or in order; each closes the pipe. Started as a
program: ``python guarded.py <command> [arguments]``; ends with the command's status.
"""

import os
import subprocess
import sys
import threading

GRACE_SECONDS = 10.0


def main(command: list[str]) -> int:
    """Run `command`; terminate it when nobody holds the pipe any more."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    return process.wait()


def _end_with_input(process: "subprocess.Popen[bytes]") -> None:
    sys.stdin.buffer.read()
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    # at once: an orderly exit would wait for the thread that reads standard input
    os._exit(main(sys.argv[1:]))
