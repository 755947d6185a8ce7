"""Scores batches in this process, in others of this machine, or on a cluster: by joblib, which knows them all."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from unspun.model.verdict import Verdict
from unspun.reading.html import Page
from unspun.reading.reader import Failure, Record
from unspun.service.batch.scoring import BATCH_CHARACTERS, BATCH_DOCUMENTS, Scored, Scorer, ScorerLoader, score_batch

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
MOST_IN_GROUP = 1_000
"""Documents and failures that go to a worker at once."""
AHEAD = 3
"""Batches for each worker that are read ahead of the one that is waited for."""


class SchedulerError(Exception):
    """A cluster cannot be used; the message says why and what to do, in one line."""


@dataclass(frozen=True)
class Task:
    """How a worker scores: which model, loaded how, and what is asked of it.

    `sha256` is the model that the run began with: a worker that would answer with another one refuses.
    """

    load: ScorerLoader
    bundle: Path | None
    sha256: str | None
    depth: str
    evidence: bool
    base_rate: float | None = None


@dataclass(frozen=True)
class Plan:
    """Where batches are scored: `workers` processes of this machine, or the Dask cluster at `scheduler`."""

    workers: int = 1
    scheduler: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether this process scores by itself."""
        return self.workers == 1 and self.scheduler is None


Outcome = Scored | Failure
Answer = tuple[Verdict, str | None] | Failure | None


def score_in_parallel(
    records: Iterable[Record | Failure], task: Task, plan: Plan, scorer: Scorer | None = None
) -> Iterator[Outcome]:
    """Yield the verdict of every record, in order, and failures where they come.

    `scorer` is the model as this process has it loaded; it is used where the plan is local. Raises
    model.bundle.BundleError, SchedulerError, and what joblib raises when workers are killed.
    """
    if plan.is_local:
        local = task.load(task.bundle) if scorer is None else scorer
        for group in groups(records):
            yield from _score_group(local, group, task)
        return
    from joblib import Parallel, delayed

    # Said where the next program in a pipe has read enough.
    warnings.filterwarnings("ignore", r"\d+ tasks which were still being processed", UserWarning)
    with _backend(plan) as jobs:
        parallel = Parallel(n_jobs=jobs, return_as="generator", pre_dispatch=f"{AHEAD}*n_jobs", batch_size=1)
        sent: deque[list[Record | Failure]] = deque()

        def work() -> Iterator[Any]:
            for group in groups(records):
                sent.append(group)
                yield delayed(_score_in_worker)(task, [None if isinstance(r, Failure) else r for r in group])

        # Texts go to the workers and do not come back: the verdicts' order tells whose they are.
        for answers in parallel(work()):
            for record, answer in zip(sent.popleft(), answers, strict=True):
                yield _joined(record, answer)


def groups(records: Iterable[Record | Failure]) -> Iterator[list[Record | Failure]]:
    """Group records into batches of bounded size, failures in their places among them."""
    group: list[Record | Failure] = []
    documents = characters = 0
    for record in records:
        length = 0 if isinstance(record, Failure) else len(record.text)
        full = documents == BATCH_DOCUMENTS or characters + length > BATCH_CHARACTERS or len(group) == MOST_IN_GROUP
        if group and full:
            yield group
            group, documents, characters = [], 0, 0
        group.append(record)
        documents += not isinstance(record, Failure)
        characters += length
    if group:
        yield group


def _score_in_worker(task: Task, group: list[Record | None]) -> list[Answer]:
    """Return the verdicts of a group, or what failed; None where there was nothing to score. With the verdict of a page
    comes its article.
    """
    pages = [record is not None and isinstance(record.text, Page) for record in group]
    group = [None if record is None else with_article(record) for record in group]
    model = _model(task.load, task.bundle, task.sha256)  # type: ignore[arg-type]  # a function hashes
    asked = [record for record in group if record is not None]
    scored = score_batch(model, asked, task.depth, task.evidence, task.base_rate)
    outcomes = [None if record is None else next(scored) for record in group]
    return [
        outcome if not isinstance(outcome, Scored) else (outcome.verdict, outcome.record.text if page else None)
        for outcome, page in zip(outcomes, pages, strict=True)
    ]


def with_article(record: Record) -> Record:
    """Return a record whose text is a page's article, where it was the page."""
    return replace(record, text=record.text.article()) if isinstance(record.text, Page) else record


def _joined(record: Record | Failure, answer: Answer) -> Outcome:
    if isinstance(record, Failure):
        return record
    assert answer is not None
    if isinstance(answer, Failure):
        return answer
    verdict, article = answer
    return Scored(record if article is None else replace(record, text=article), verdict)


def _score_group(scorer: Scorer, group: list[Record | Failure], task: Task) -> list[Outcome]:
    good = [with_article(record) for record in group if isinstance(record, Record)]
    scored = score_batch(scorer, good, task.depth, task.evidence, task.base_rate)
    return [record if isinstance(record, Failure) else next(scored) for record in group]


@lru_cache(maxsize=1)
def _model(load: ScorerLoader, bundle: Path | None, sha256: str | None) -> Scorer:
    """Load the model once a process; its arrays are memory-mapped, and so shared by all on a machine."""
    from unspun.model.bundle import BundleError

    scorer = load(bundle)
    found = getattr(getattr(scorer, "model", None), "sha256", None)
    if found != sha256:
        raise BundleError(
            f"{bundle or 'the model that ships'}: this worker has another model than the one that the run began with; "
            "give all workers the same version of unspun and the same bundle"
        )
    return scorer


@contextmanager
def _backend(plan: Plan) -> Iterator[int]:
    """Set joblib's backend for a while; yield its number of jobs."""
    import joblib

    with ExitStack() as stack:
        if plan.scheduler is None:
            # Each process its own core: more threads would only wait for each other.
            stack.enter_context(_environment(dict.fromkeys(ONE_THREAD, "1")))
            stack.enter_context(joblib.parallel_config(backend="loky", inner_max_num_threads=1))
            yield plan.workers
            return
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise SchedulerError("a cluster needs Dask: pip install 'unspun[cluster]'") from error
        try:
            client = stack.enter_context(
                Client(plan.scheduler, timeout="15s", set_as_default=False)  # type: ignore[no-untyped-call]
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise SchedulerError(
                f"{plan.scheduler}: no Dask scheduler answers here ({type(error).__name__}); is it running?"
            ) from error
        cores = sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
        if not cores:
            raise SchedulerError(f"{plan.scheduler}: this scheduler has no workers yet; start some with `dask worker`")
        stack.enter_context(joblib.parallel_config(backend="dask", client=client))
        yield cores


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
