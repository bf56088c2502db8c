"""Processes that look through parts of files beside this one, for inputs that are worth it.

Each is this interpreter with nothing but the reader imported; it speaks with the thread that drives it in pickled
messages behind their lengths, over its own standard input and output. It ends when its input does.
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
from concurrent.futures import Future
from contextlib import suppress
from typing import IO, Any, Final, final

from metaexpert.logger.files.reading.parts import Answer, Looking, Part
from metaexpert.logger.files.reading.query import Query

_LENGTH: Final = struct.Struct("<Q")
_START: Final = "from metaexpert.logger.files.reading.helpers import main; main()"


@final
class Helper:
    """One such process, and the thread that hands it parts one by one.

    Args:
        query: what to keep.
    """

    def __init__(self, query: Query) -> None:
        path = os.pathsep.join(each for each in sys.path if each)
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with words of our own
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._asked: queue.SimpleQueue[tuple[Part, Future[Answer]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(query,), name="metaexpert-reading", daemon=True)
        self._thread.start()

    def ask(self, part: Part) -> Future[Answer]:
        """Have a part looked through; the future fails with OSError or EOFError where the process ended."""
        future: Future[Answer] = Future()
        self._asked.put((part, future))
        return future

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._asked.put(None)
        self._thread.join()
        self._process.wait()

    def _run(self, query: Query) -> None:
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            return
        with suppress(OSError):  # the first question finds it ended
            _write(requests, (query, logging.getLevelNamesMapping()))
        while (asked := self._asked.get()) is not None:
            part, future = asked
            try:
                _write(requests, part)
                future.set_result(_read(answers))
            except (OSError, EOFError) as error:
                future.set_exception(error)
        with suppress(OSError):  # what it was not told any more
            requests.close()
        answers.close()


def main() -> None:
    """What such a process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a person interrupts the process this one belongs to
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    try:
        query, levels = _read(requests)
        for name, number in levels.items():
            logging.addLevelName(number, name)
        looking = Looking(query)
        while True:
            _write(answers, looking.through(_read(requests)))
    except (EOFError, BrokenPipeError):
        os._exit(0)  # nobody is there to be told anything


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
