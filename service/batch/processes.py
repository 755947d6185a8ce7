"""Processes of this machine that call a function, and what becomes of them when one of them is killed.

The executors of the standard library and of loky send work from a thread, which waits forever if the process that it
writes to is killed (https://github.com/python/cpython/issues/94777). Here each process has a pipe of its own, and only
the calling thread writes to it. A process reads ahead in a thread, so that writing to it does not block, and ends when
its pipe does: no process outlives the command, even if that is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle  # nosec B403 # only writes answers, for the process that started this one
import queue
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any

HELD = 2
"""Calls that a process has at the same time: the one at work, and the next."""


class KilledError(Exception):
    """A process ended although it had work to do."""


@dataclass(eq=False)
class Call:
    """A call, and what it returned or raised once it `is_done`."""

    arguments: tuple[Any, ...]
    is_done: bool = False
    returned: Any = None
    raised: Exception | None = None


@dataclass(eq=False)
class _Process:
    pipe: Connection
    process: multiprocessing.process.BaseProcess
    calls: deque[Call] = field(default_factory=deque)


class Processes:
    """A number of processes that call `function`."""

    def __init__(self, count: int, function: Callable[..., Any]) -> None:
        spawn = multiprocessing.get_context("spawn")  # a copy of this process would have its threads' locks
        self._processes = []
        self._waiting: deque[Call] = deque()
        for _ in range(count):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_work, args=(theirs, function), daemon=True)
            process.start()
            theirs.close()  # so that ours ends with the process
            self._processes.append(_Process(ours, process))

    def submit(self, *arguments: Any) -> Call:
        """Start a call as soon as a process is free. Raises KilledError."""
        call = Call(arguments)
        self._waiting.append(call)
        self._send()
        return call

    def result(self, call: Call) -> Any:
        """Wait until a call is done; return what it returned, or raise what it raised. Raises KilledError."""
        while not call.is_done:
            for pipe in wait([one.pipe for one in self._processes]):
                one = next(one for one in self._processes if one.pipe is pipe)
                try:
                    answer = one.pipe.recv()
                except (EOFError, OSError) as error:
                    raise KilledError from error
                done = one.calls.popleft()
                done.is_done, (done.returned, done.raised) = True, answer
            self._send()
        if call.raised is not None:
            raise call.raised
        return call.returned

    def close(self) -> None:
        """End the processes, whatever they do."""
        for one in self._processes:
            one.process.kill()
            one.process.join()
            one.pipe.close()

    def _send(self) -> None:
        for held in range(HELD):
            for one in self._processes:
                if self._waiting and len(one.calls) <= held:
                    call = self._waiting.popleft()
                    one.calls.append(call)
                    try:
                        one.pipe.send(call.arguments)
                    except OSError as error:
                        raise KilledError from error


def _work(pipe: Connection, function: Callable[..., Any]) -> None:
    """Call the function with whatever comes through a pipe, and answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the command, which ends this process
    received: queue.SimpleQueue[tuple[Any, ...] | Exception] = queue.SimpleQueue()

    def read() -> None:
        while True:
            try:
                received.put(pipe.recv())
            except (EOFError, OSError):
                os._exit(1)  # the command has ended
            except Exception as error:  # a class that this process does not have
                received.put(error)

    Thread(target=read, daemon=True).start()
    while True:
        arguments = received.get()
        try:
            answer = (None, arguments) if isinstance(arguments, Exception) else (function(*arguments), None)
        except Exception as error:
            answer = (None, error)
        try:
            data = pickle.dumps(answer)
        except Exception as error:
            data = pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}")))
        pipe.send_bytes(data)
