"""Processes that look through parts of files beside this one, for inputs that are worth it.

Each is this interpreter with nothing but the reader imported; it speaks with the thread that drives it in pickled
messages behind their lengths, over its own standard input and output. It ends when its input does. Whatever goes wrong
in the process or the thread, each part that was asked for is answered, if only with what went wrong.
"""

import logging
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
import traceback
from concurrent.futures import Future
from contextlib import suppress
from typing import IO, Any, Final, NamedTuple, Never, Protocol, Self, cast, final

from metaexpert.exceptions import MetaExpertError

_LENGTH: Final = struct.Struct("<Q")
_START: Final = "from metaexpert.logger.files.reading.helpers import main; main()"
_WORTH_BYTES: Final = 64 * 1024 * 1024
_MOST_PROCESSES: Final = 8


def processes_for(size_bytes: int) -> int:
    """How many processes are worth it to look through so many bytes; 1 for this one alone."""
    return 1 if size_bytes < _WORTH_BYTES or not sys.executable else min(_MOST_PROCESSES, _cpus())


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class Work[Part, Answer](Protocol):
    """What is done with each part; it is sent to the process as it is at first."""

    def through(self, part: Part, /) -> Answer:
        """What a part holds."""
        ...


@final
class Helper[Part, Answer]:
    """One such process, and the thread that hands it parts one by one.

    Args:
        work: what to do with each.
    """

    def __init__(self, work: Work[Part, Answer]) -> None:
        path = os.pathsep.join(each for each in sys.path if each)
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with words of our own
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._asked: queue.SimpleQueue[tuple[Part, Future[Answer]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(work,), name="metaexpert-reading", daemon=True)
        self._thread.start()

    def ask(self, part: Part) -> Future[Answer]:
        """Have a part looked through; the future fails with OSError or EOFError where the process ended.

        It fails with another exception where something went wrong that would go wrong again.
        """
        future: Future[Answer] = Future()
        self._asked.put((part, future))
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._asked.put(None)
        self._thread.join()
        self._process.wait()

    def _run(self, work: Work[Part, Answer]) -> None:
        requests, answers = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        fault: Exception | None = None
        try:
            _write(requests, (work, logging.getLevelNamesMapping()))
        except Exception as error:  # noqa: BLE001 - who asks is told: nobody else would answer him
            fault = error
        while (asked := self._asked.get()) is not None:
            part, future = asked
            try:
                future.set_result(_answered(requests, answers, part) if fault is None else _raised(fault))
            except Exception as error:  # noqa: BLE001 - as above
                future.set_exception(error)
        with suppress(OSError):  # what it was not told any more
            requests.close()
        answers.close()


class HelperError(MetaExpertError):
    """Something went wrong in such a process; the message is what its exception says."""


class _Failure(NamedTuple):
    """What such a process answers where something went wrong."""

    text: str


def _answered(requests: IO[bytes], answers: IO[bytes], part: object) -> Any:
    _write(requests, part)
    answer = _read(answers)
    return _raised(HelperError(answer.text)) if isinstance(answer, _Failure) else answer


def _raised(error: Exception) -> Never:
    raise error


def main() -> None:
    """What such a process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a person interrupts the process this one belongs to
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    try:
        work, levels = _read(requests)
        for name, number in levels.items():
            logging.addLevelName(number, name)
        while True:
            _write(answers, _done(work, _read(requests)))
    except (EOFError, BrokenPipeError):
        os._exit(0)  # nobody is there to be told anything


def _done(work: Work[Any, Any], part: Any) -> object:
    try:
        return work.through(part)
    except Exception as error:  # noqa: BLE001 - who asked is told, as the process this one belongs to is of use to him
        return _Failure("".join(traceback.format_exception_only(error)).strip())


def _write(file: IO[bytes], message: object) -> None:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    file.write(_LENGTH.pack(len(data)))
    file.write(data)
    file.flush()


def _read(file: IO[bytes]) -> Any:
    head = file.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    size = _LENGTH.unpack(head)[0]
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return pickle.loads(data)  # noqa: S301 - from a process that this one started, or that started this one
