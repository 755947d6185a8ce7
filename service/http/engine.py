"""The model of a running service: loaded once, shared by all requests, swapped under way when its bundle changes."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from unspun.model import bundle
from unspun.model.detector import NoDeepTierError
from unspun.model.verdict import ModelInfo, Verdict
from unspun.service.batch.scoring import WARM_UP, Scorer
from unspun.service.http import metrics
from unspun.service.http.logs import event
from unspun.service.http.problems import FieldError, Problem, unexpected
from unspun.service.http.schemas import Submission

Result = TypeVar("Result")

CHUNK_TEXTS = 16
CHUNK_CHARACTERS = 100_000
"""A batch is scored in such pieces: between two, other requests have their turn and the clock is looked at."""
RETRY_SECONDS = 15.0
"""How long a bundle that could not be loaded is left alone, if its manifest stays as it is."""


class Model(Scorer, Protocol):
    """What the service needs of a `model.detector.Detector`."""

    @property
    def model(self) -> ModelInfo:
        """Name, version and sha256."""
        ...

    @property
    def bundle(self) -> bundle.Bundle:
        """What it was loaded from."""
        ...


class Runner(Protocol):
    """Runs a function apart from the requests' own thread, and waits for it."""

    def __call__(self, function: Callable[[], Result], seconds: float) -> Result:
        """Return what the function returns, or raise what it raises; Problem or TimeoutError where it is not run."""
        ...


def run_here(function: Callable[[], Result], seconds: float) -> Result:
    """Run a function in the thread that asks: for tests and the development server."""
    return function()


class Engine:
    """Scores submissions with the model in use. Threads and greenlets may share it.

    `load` loads the model at `path`, None for the one that ships. Raises model.bundle.BundleError.
    """

    def __init__(
        self, load: Callable[[Path | None], Model], path: Path | None = None, *, time_limit: float = 30.0
    ) -> None:
        self._load = load
        self._path = path
        self._folder = bundle.DEFAULT if path is None else path
        self._time_limit = time_limit
        self.run: Runner = run_here
        self.run_aside: Runner = run_here
        """Where another model is loaded: not in the threads that requests wait for."""
        self.depths: tuple[str, ...] = ("fast",)
        """The tiers that a model is asked for a verdict before it is the one that answers. The deep one only where no
        process is forked any more: what it runs in does not survive that."""
        self.draining: Callable[[], bool] = lambda: False
        self._seen = _signature(self._folder)
        self._refused_at = 0.0
        self._model = load(path)

    @property
    def model(self) -> Model:
        """The model that answers from now on. Take it once for what must be of one model."""
        return self._model

    def score_many(self, submissions: Sequence[Submission]) -> list[Verdict | Problem]:
        """Judge texts, all with the same model; each gets its verdict, or the problem that it alone has."""
        model = self.model
        deadline = time.monotonic() + self._time_limit
        answers: list[Verdict | Problem | None] = [None] * len(submissions)
        for chunk in _chunks(submissions):
            asked = [submissions[i] for i in chunk]
            for i, answer in zip(chunk, self._score_chunk(model, asked, deadline), strict=True):
                answers[i] = answer
        return [answer for answer in answers if answer is not None]

    def _score_chunk(self, model: Model, submissions: list[Submission], deadline: float) -> Sequence[Verdict | Problem]:
        left = deadline - time.monotonic()
        if left <= 0:
            return [_out_of_time(self._time_limit)] * len(submissions)
        try:
            with metrics.WAITING.track_inprogress():
                verdicts = self.run(lambda: _ask(model, submissions), left)
        except TimeoutError:
            return [_out_of_time(self._time_limit)] * len(submissions)
        except Problem as problem:
            return [problem] * len(submissions)
        except Exception as error:
            if len(submissions) == 1:
                return [_impossible(error)]
            return [answer for one in submissions for answer in self._score_chunk(model, [one], deadline)]
        metrics.count(verdicts)
        return verdicts

    def apart(self, function: Callable[[], Result]) -> Result:
        """Run what may take long, such as reading a large page, beside the requests. Raises Problem."""
        try:
            return self.run(function, self._time_limit)
        except TimeoutError:
            raise _out_of_time(self._time_limit) from None

    def warm_up(self) -> None:
        """Ask every tier once, so that the first request does not wait for what is loaded late."""
        _ask_once(self.model, ("fast", "deep"))

    def refresh(self, *, force: bool = False) -> None:
        """Load the bundle again if it is another one now; requests under way end with the model they began with.

        A bundle that cannot be used, or cannot score, leaves the model in use where it is. `force` tries again what
        failed before.
        """
        signature = _signature(self._folder)
        failed = self._refused_at > 0.0
        waited = failed and time.monotonic() - self._refused_at >= RETRY_SECONDS
        if signature == self._seen and not (force or waited):
            return
        self._seen = signature
        if signature is None:
            self._refuse(f"{self._folder}: there is no bundle here any more")
            return
        old = self._model.model
        if _manifest_digest(self._folder) == old.sha256:
            self._refused_at = 0.0
            return
        try:
            model = self.run_aside(self._load_warm, 600.0)
        except Exception as error:  # whatever is wrong with it, the old one answers
            self._refuse(str(error))
            return
        self._refused_at = 0.0
        self._model = model
        metrics.MODEL_SWAPS.labels("swapped").inc()
        metrics.model_in_use(model.model, old)
        event("model swapped", model=model.model.to_dict())

    def _refuse(self, reason: str) -> None:
        self._refused_at = time.monotonic()
        metrics.MODEL_SWAPS.labels("refused").inc()
        old = self._model.model.to_dict()
        event("the new model is refused, the old one stays", logging.ERROR, reason=reason, model=old)

    def _load_warm(self) -> Model:
        """Load the bundle, and have it answer once: the first request is not to wait for what is loaded late."""
        model = self._load(self._path)
        _ask_once(model, self.depths)
        return model


def _ask_once(model: Model, depths: Iterable[str]) -> None:
    for depth in depths:
        try:
            model.score_many([WARM_UP], depth=depth)
        except ValueError:  # a model without a deep tier
            if depth != "deep":
                raise


def _ask(model: Model, submissions: list[Submission]) -> list[Verdict]:
    """Score texts that want the same of the model."""
    started = time.perf_counter()
    verdicts = model.score_many(
        [submission.text for submission in submissions],
        ids=[submission.id for submission in submissions],
        depth=submissions[0].depth,
        evidence=submissions[0].evidence,
        base_rate=submissions[0].base_rate,
    )
    each = (time.perf_counter() - started) / len(submissions)
    for verdict in verdicts:
        metrics.SCORING_SECONDS.labels(verdict.depth).observe(each)
    return verdicts


def _chunks(submissions: Sequence[Submission]) -> Iterator[list[int]]:
    """Group the places of submissions that want the same of the model into chunks of bounded size."""
    groups: dict[tuple[str, bool, float | None], list[int]] = {}
    for i, submission in enumerate(submissions):
        groups.setdefault((submission.depth, submission.evidence, submission.base_rate), []).append(i)
    for group in groups.values():
        chunk: list[int] = []
        characters = 0
        for i in group:
            length = len(submissions[i].text)
            if chunk and (len(chunk) == CHUNK_TEXTS or characters + length > CHUNK_CHARACTERS):
                yield chunk
                chunk, characters = [], 0
            chunk.append(i)
            characters += length
        yield chunk


def _out_of_time(seconds: float) -> Problem:
    return Problem(
        "out-of-time",
        f"No verdict within the limit of {seconds:g} seconds. Send less at a time, or try again later.",
        limit=seconds,
        retry_after=1,
    )


def _impossible(error: Exception) -> Problem:
    if isinstance(error, NoDeepTierError):
        detail = "This model has no deep tier; use the depth auto or fast."
        return Problem("invalid-fields", detail, errors=(FieldError("#/depth", detail),))
    return unexpected(error)


def _signature(folder: Path) -> tuple[Any, ...] | None:
    """Return what changes when a bundle is written anew; None where there is none now."""
    try:
        file = (folder / bundle.MANIFEST).resolve()
        found = file.stat()
    except OSError:
        return None
    return (file, found.st_mtime_ns, found.st_ino, found.st_size)


def _manifest_digest(folder: Path) -> str | None:
    try:
        return hashlib.sha256((folder / bundle.MANIFEST).read_bytes()).hexdigest()
    except OSError:
        return None
