"""Runs `unspun serve` with one defect, to show that the endurance run finds it.

    python -m benchmarks.endurance.service_sabotage answer serve

The defects are made by replacing functions of the product in this process, from which the workers are forked.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

EVERY = 25
"""A defect shows in one request of this many."""
LEAKED = 6 << 20
"""Bytes that are leaked each time."""


def _every(number: int = EVERY) -> Callable[[], bool]:
    """Return a function that returns True once in a number of calls."""
    numbers = count(1)
    return lambda: next(numbers) % number == 0


def _wrong_answer() -> None:
    """The score of one text is that of another."""
    from unspun.service.http.engine import Engine

    judge, due, held = Engine.score_many, _every(), []

    def score_many(self: Engine, submissions: Sequence[Any]) -> Any:
        answers = judge(self, submissions)
        held.append(answers[0])
        if due() and len(held) > 1:
            answers[0] = held[-2]
        del held[:-1]
        return answers

    Engine.score_many = score_many  # type: ignore[method-assign]


def _error() -> None:
    """A request gets status 500."""
    from unspun.service.http.engine import Engine

    judge, due = Engine.score_many, _every()

    def score_many(self: Engine, submissions: Sequence[Any]) -> Any:
        if due():
            raise RuntimeError("sabotage")
        return judge(self, submissions)

    Engine.score_many = score_many  # type: ignore[method-assign]


def _mixed_models() -> None:
    """Workers never load a new model; only the manager and the workers that it starts later do."""
    from unspun.service.http.engine import Engine

    Engine.refresh = lambda self, *, force=False: None  # type: ignore[method-assign]


def _leak(hold: Callable[[], Any]) -> None:
    from unspun.service.http.engine import Engine

    judge, held = Engine.score_many, []

    def score_many(self: Engine, submissions: Sequence[Any]) -> Any:
        held.append(hold())
        return judge(self, submissions)

    Engine.score_many = score_many  # type: ignore[method-assign]


def _memory() -> None:
    """Every request leaks memory."""
    _leak(lambda: bytearray(b"x") * LEAKED)


def _descriptors() -> None:
    """Every request leaves a file open."""
    _leak(lambda: os.open(os.devnull, os.O_RDONLY))


def _lost_label() -> None:
    """A label is acknowledged but not stored."""
    from unspun.service.feedback.store import Store

    add, due = Store.add, _every(3)
    Store.add = lambda self, label, **how: (label, True) if due() else add(self, label, **how)  # type: ignore[method-assign]


def _unlimited() -> None:
    """The rate limit is not enforced."""
    from unspun.service.http.protection import Gate

    Gate.spend = lambda self, texts=1: None  # type: ignore[method-assign]


def _unlogged() -> None:
    """Some requests are missing in the log."""
    app: Any = importlib.import_module("unspun.service.http.app")
    log, due = app.event, _every()

    def event(name: str, *more: Any, **fields: Any) -> None:
        if not (name == "request" and due()):
            log(name, *more, **fields)

    app.event = event


SABOTAGES: dict[str, Callable[[], None]] = {
    "answer": _wrong_answer,
    "error": _error,
    "model": _mixed_models,
    "memory": _memory,
    "files": _descriptors,
    "label": _lost_label,
    "limit": _unlimited,
    "log": _unlogged,
}
ALL = "all"


def main() -> None:
    """Make the defect that the first argument names, or all, and run the command line with the other arguments."""
    name = sys.argv.pop(1)
    for sabotage in SABOTAGES.values() if name == ALL else [SABOTAGES[name]]:
        sabotage()
    runpy.run_module("unspun.service.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
