"""Scores batches in this process, in several processes or on a Dask cluster."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from unspun.model.bundle import BundleError, find
from unspun.model.text.allowed import Allowed
from unspun.model.verdict import EvidenceChoice, Verdict
from unspun.reading.fields import USUAL, Fields
from unspun.reading.html import Page
from unspun.reading.jsons import Lines
from unspun.reading.reader import Failure, Record
from unspun.service.batch.processes import KilledError, Processes
from unspun.service.batch.scoring import (
    Outcome,
    Scored,
    Scorer,
    ScorerLoader,
    Written,
    allowing,
    batches,
    notice,
    score_batch,
)
from unspun.service.console import CommandError
from unspun.service.machine import ONE_THREAD
from unspun.service.render import Renderer, TextWriter, VerdictWriter
from unspun.service.render.factory import renderer_for

AHEAD = 6
"""Batches per worker that are read ahead of the oldest one that is not finished."""
CHECKED = 5.0
"""Seconds between checks that a cluster still has workers."""
WITHOUT_WORKERS = 300.0
"""Seconds after which a run on a cluster without workers stops."""
CLOSING = 5.0
"""Seconds that closing the connection to a cluster may take."""
RESUME = "With --output FOLDER/, rerun the command to resume."


@dataclass(frozen=True)
class Task:
    """How a worker scores: the model, how to load it, the allowed terms, and the options for scoring.

    `sha256` identifies the model that the run began with. A worker with another model refuses to score. `form` is the
    text format in which other processes write the verdicts, so that this one need not; None if they return them.
    `fields` are those of records that they read.
    """

    load: ScorerLoader
    bundle: Path | None
    sha256: str | None
    depth: str
    evidence: EvidenceChoice
    base_rate: float | None = None
    allowed: Allowed | None = None
    form: str | None = None
    fields: Fields = USUAL

    def score(self, scorer: Scorer, batch: list[Record | Failure]) -> Iterator[Scored | Failure]:
        """Yield the verdicts of a batch, and failures in their places."""
        return score_batch(allowing(scorer, self.allowed), batch, self.depth, self.evidence, self.base_rate)


@dataclass(frozen=True)
class Workers:
    """Where batches are scored: in `processes` of this machine, or on the Dask cluster at `scheduler`."""

    processes: int = 1
    scheduler: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether this process does all the work."""
        return self.processes == 1 and self.scheduler is None


Returned = tuple[Verdict, str | None] | Failure
"""What a worker returns for an item: the verdict, with the article if the text was a page, or a failure."""


def score_in_parallel(
    records: Iterable[Record | Failure], task: Task, workers: Workers, scorer: Scorer
) -> Generator[Outcome, None, None]:
    """Yield the verdict of every record, in order, and failures in their places. Closing it ends the workers.

    `scorer` is the model as this process has loaded it; it is used if no other process works. Raises
    BundleError, and CommandError if the cluster cannot be used or a worker is killed.
    """
    if workers.is_local:
        files = ModelFiles(task.bundle)
        for batch in batches(records):
            outcomes = list(task.score(scorer, batch))
            files.check()
            yield from outcomes
        return
    with _pool(workers) as pool:
        sent: deque[tuple[list[Record | Failure], Any]] = deque()

        def oldest() -> Iterator[Outcome]:
            batch, future = sent.popleft()
            returned = pool.result(future)
            if task.form is not None:
                yield from returned  # complete, and more than were sent if these were lines
                return
            for record, answer in zip(batch, returned, strict=True):  # workers do not send texts back
                yield _joined(record, answer)

        for batch in batches(records):
            sent.append((batch, pool.submit(task, batch)))
            if len(sent) >= AHEAD * pool.size:
                yield from oldest()
        while sent:
            yield from oldest()


def write(writer: VerdictWriter, outcome: Scored | Written) -> None:
    """Write a document that was scored here or elsewhere. Raises OSError."""
    if isinstance(outcome, Scored):
        writer.write(outcome.record.text, outcome.verdict)
    else:
        assert isinstance(writer, TextWriter)
        writer.put(outcome.line)


def _score_in_worker(task: Task, batch: list[Record | Failure]) -> list[Returned] | list[Written | Failure]:
    model, files = _model(task.load, task.bundle, task.sha256)
    if files.have_changed():  # since an earlier batch, perhaps of another run: workers of a cluster live long
        _model.cache_clear()
        model, files = _model(task.load, task.bundle, task.sha256)
    outcomes = list(task.score(model, list(_read(batch, task.fields))))
    files.check()
    if task.form is None:
        return [
            outcome
            if isinstance(outcome, Failure)
            else (outcome.verdict, outcome.record.text if _is_page(item) else None)
            for item, outcome in zip(batch, outcomes, strict=True)
        ]
    renderer = renderer_for(task.form)
    return [outcome if isinstance(outcome, Failure) else _written(renderer, outcome) for outcome in outcomes]


def _written(renderer: Renderer, scored: Scored) -> Written:
    verdict = scored.verdict
    line = renderer.document(scored.record.text, verdict)
    counted = (verdict.verdict, verdict.words, verdict.reason)
    return Written(scored.record.id, scored.record.where, line, *counted, notice(scored))


def _read(batch: list[Record | Failure], fields: Fields) -> Iterator[Record | Failure]:
    """Yield the items of a batch, with the documents of lines in their place."""
    for item in batch:
        if isinstance(item, Record) and isinstance(item.text, Lines):
            yield from item.text.records(item, fields)
        else:
            yield item


def _is_page(item: Record | Failure) -> bool:
    return isinstance(item, Record) and isinstance(item.text, Page)


def _joined(record: Record | Failure, answer: Returned) -> Outcome:
    if isinstance(answer, Failure):
        return answer
    assert isinstance(record, Record)
    verdict, article = answer
    return Scored(record if article is None else replace(record, text=article), verdict)


class ModelFiles:
    """The files of a model. Its arrays are memory-mapped, so who overwrites them changes the verdicts of a run."""

    def __init__(self, bundle: Path | None) -> None:
        self._folder = find(bundle).resolve()
        self._before = self._state()

    def have_changed(self) -> bool:
        """Return whether the files are other ones than at first."""
        return self._state() != self._before

    def check(self) -> None:
        """Raise BundleError if the files have changed."""
        if self.have_changed():
            raise BundleError(
                f"{self._folder}: the files of the model were changed while it was in use; put them back and rerun the "
                "command to resume, or start over with the new model"
            )

    def _state(self) -> list[tuple[str, int, int, int]]:
        try:
            with os.scandir(self._folder) as found:
                states = [(file.name, file.stat(follow_symlinks=False)) for file in found]
        except FileNotFoundError:  # models that tests make in memory
            return []
        return sorted((name, state.st_ino, state.st_size, state.st_mtime_ns) for name, state in states)


@lru_cache(maxsize=1)
def _model(load: ScorerLoader, bundle: Path | None, sha256: str | None) -> tuple[Scorer, ModelFiles]:
    """Load the model once per process; its arrays are memory-mapped, so the processes of a machine share them."""
    files = ModelFiles(bundle)
    scorer = load(bundle)
    found = getattr(getattr(scorer, "model", None), "sha256", None)
    if found != sha256:
        raise BundleError(
            f"{bundle or 'the model that ships'}: this worker does not have the model that the run began with; "
            "give all workers the same version of unspun and the same bundle"
        )
    return scorer, files


class _Pool(Protocol):
    """Where other processes score: `size` of them."""

    size: int

    def submit(self, task: Task, batch: list[Record | Failure]) -> Any:
        """Start to score a batch, and return its future."""
        ...

    def result(self, future: Any) -> Any:
        """Wait for what `_score_in_worker` returns. Raises CommandError if the workers are lost, and what it raises."""
        ...


def _pool(workers: Workers) -> AbstractContextManager[_Pool]:
    if workers.scheduler is not None:
        return _cluster(workers.scheduler)
    return _local(workers.processes)


class _Local:
    """Processes of this machine."""

    def __init__(self, processes: Processes, size: int) -> None:
        self._processes = processes
        self.size = size

    def submit(self, task: Task, batch: list[Record | Failure]) -> Any:
        with _killed_workers_reported(KilledError):
            return self._processes.submit(task, batch)

    def result(self, future: Any) -> Any:
        with _killed_workers_reported(KilledError):
            return self._processes.result(future)


@contextmanager
def _local(count: int) -> Iterator[_Pool]:
    # Each process has its own core: more threads would only wait for each other.
    with _environment(ONE_THREAD):
        processes = Processes(count, _score_in_worker)
        try:
            yield _Local(processes, count)
        finally:
            processes.close()


class _Cluster:
    """A Dask cluster."""

    def __init__(self, address: str, client: Any, size: int) -> None:
        self._address = address
        self._client = client
        self.size = size

    def submit(self, task: Task, batch: list[Record | Failure]) -> Any:
        if self._client.status != "running":
            raise self._lost()
        return self._client.submit(_score_in_worker, task, batch, pure=False)

    def result(self, future: Any) -> Any:
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        deadline = time.monotonic() + WITHOUT_WORKERS
        try:
            with _killed_workers_reported(KilledWorker):
                while True:
                    with suppress(TimeoutError):
                        return future.result(timeout=CHECKED)
                    if self._client.status != "running":
                        raise self._lost()
                    if self._client.scheduler_info(n_workers=-1)["workers"]:
                        deadline = time.monotonic() + WITHOUT_WORKERS
                    elif time.monotonic() > deadline:
                        raise LostWorkersError(
                            f"{self._address}: this scheduler has had no workers for {WITHOUT_WORKERS:.0f} seconds; "
                            f"start some with `dask worker`. {RESUME}"
                        )
        except (CancelledError, CommClosedError) as error:
            raise self._lost() from error

    def _lost(self) -> LostWorkersError:
        return LostWorkersError(f"{self._address}: the connection to the Dask scheduler was lost. {RESUME}")


@contextmanager
def _cluster(address: str) -> Iterator[_Pool]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise CommandError("a cluster needs Dask: pip install 'unspun[cluster]'") from error
    # They would print a traceback when the connection is lost, which this command reports in a line.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout="15s", set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise CommandError(
            f"{address}: no Dask scheduler answers at this address ({type(error).__name__}); is it running?"
        ) from error
    try:
        cores = sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
        if not cores:
            raise CommandError(f"{address}: this scheduler has no workers yet; start some with `dask worker`")
        yield _Cluster(address, client, cores)
    finally:
        with suppress(TimeoutError):  # the scheduler may be gone
            client.close(timeout=CLOSING)  # type: ignore[no-untyped-call]


class LostWorkersError(CommandError):
    """Workers, or the scheduler that they belong to, are gone; the same command can go on when they are back."""


@contextmanager
def _killed_workers_reported(error: type[Exception]) -> Iterator[None]:
    try:
        yield
    except error as killed:
        raise LostWorkersError(
            f"a worker was killed, perhaps because it ran out of memory; try fewer --workers. {RESUME}"
        ) from killed


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
