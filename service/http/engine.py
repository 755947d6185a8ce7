"""The model of a running service: loaded once, shared by all requests, and replaced when its bundle changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from unspun.model import bundle
from unspun.model.detector import MissingTierError
from unspun.model.quoting import shortened
from unspun.model.text.allowed import Allowed, AllowedError
from unspun.model.verdict import EvidenceChoice, ModelInfo, Verdict
from unspun.reading.reader import Failure
from unspun.service.batch.scoring import WARM_UP, Scorer, allowing, batches, score_or_split
from unspun.service.http import metrics
from unspun.service.http.logs import event
from unspun.service.http.problems import FieldError, RequestError, unexpected
from unspun.service.http.schemas import Submission
from unspun.service.machine import release_memory

Result = TypeVar("Result")

BATCH_TEXTS = 16
BATCH_CHARACTERS = 100_000
"""Limits of a batch. Between two batches of a request, other requests get a turn and the time limit is checked."""
RETRY_SECONDS = 15.0
"""Seconds until a bundle that could not be loaded is tried again, if its manifest does not change."""
LOAD_SECONDS = 600.0
EXPIRES_SOON = timedelta(days=30)
"""How long before its key expires a warning is logged when a model is loaded."""


class Model(Scorer, Protocol):
    """What the service needs from a `model.detector.Detector`."""

    @property
    def model(self) -> ModelInfo:
        """Name, version and sha256."""
        ...

    @property
    def bundle(self) -> bundle.Bundle:
        """The bundle that it was loaded from."""
        ...


class Runner(Protocol):
    """Runs a function, perhaps in another thread, and waits for it."""

    def __call__(self, function: Callable[[], Result], seconds: float) -> Result:
        """Return or raise what the function does. Raises RequestError or TimeoutError if it is not run."""
        ...


def run_here(function: Callable[[], Result], seconds: float) -> Result:
    """Run a function in the calling thread: for tests and the development server."""
    return function()


class ModelInUse:
    """The model in use, which is replaced when its bundle or the list of allowed terms changes. Workers inherit it from
    the process that forks them.

    `load` loads the model at `path`, or the one that ships if that is None. `allow_file` is the list of allowed terms.
    Raises model.bundle.BundleError and AllowedError.
    """

    def __init__(
        self, load: Callable[[Path | None], Model], path: Path | None = None, allow_file: Path | None = None
    ) -> None:
        self._load = load
        self._path = path
        self._folder = bundle.DEFAULT if path is None else path
        self._allow_file = allow_file
        self._seen = self._signature()
        self._refused_at = 0.0
        self._allowed = self._read_allowed()
        self._model: Model = allowing(load(path), self._allowed)
        self._warn_of_expiry()

    @property
    def model(self) -> Model:
        """The model in use. Read it once if several results must come from the same model."""
        return self._model

    @property
    def allowed(self) -> Allowed | None:
        """The allowed terms in use."""
        return self._allowed

    def refresh(
        self, *, force: bool = False, run: Runner = run_here, depths: Sequence[str] = ("first", "fast")
    ) -> None:
        """Load the bundle again if it has changed. Requests in progress keep the model that they started with.

        The model in use stays if the new bundle cannot be loaded, or cannot score at each of `depths`. The deep tier
        cannot be tried in a process that still forks: its runtime does not survive that. `force` tries a bundle again
        that failed before; `run` is where it is loaded.
        """
        signature = self._signature()
        failed = self._refused_at > 0.0
        waited = failed and time.monotonic() - self._refused_at >= RETRY_SECONDS
        if signature == self._seen and not (force or waited):
            return
        self._seen = signature
        if signature[0] is None:
            self._refuse(f"{self._folder}: the bundle no longer exists")
            return
        self._refused_at = 0.0
        self._refresh_allowed()
        old = self._model.model
        if _manifest_digest(self._folder) == old.sha256:
            return
        try:
            model = run(lambda: self._load_warm(depths), LOAD_SECONDS)
        except Exception as error:  # whatever is wrong with the new model, the old one still works
            self._refuse(str(error))
            return
        self._model = model
        release_memory()  # of the old model; without this, each process grows by half in the first changes
        metrics.MODEL_SWAPS.labels("swapped").inc()
        event("model swapped", model=model.model.to_dict())
        self._warn_of_expiry()

    def _warn_of_expiry(self) -> None:
        """Log a warning if the key that signed the model in use expires soon: a restart would then refuse the model."""
        key = self._model.bundle.signed_by
        if key is not None and key.expires is not None and key.expires - datetime.now(UTC) < EXPIRES_SOON:
            model = self._model.model.to_dict()
            event(
                "the key of the model expires soon", logging.WARNING, key=key.name, last_day=key.last_day, model=model
            )

    def _refuse(self, reason: str) -> None:
        self._refused_at = time.monotonic()
        metrics.MODEL_SWAPS.labels("refused").inc()
        old = self._model.model.to_dict()
        event("the new model is refused, the old one stays", logging.ERROR, reason=shortened(reason), model=old)

    def _refresh_allowed(self) -> None:
        """Use the list of allowed terms as it is now; keep the old one if the new one cannot be used."""
        try:
            allowed = self._read_allowed()
        except AllowedError as error:
            self._refused_at = time.monotonic()
            metrics.ALLOWED_CHANGES.labels("refused").inc()
            event("the new list of allowed terms is refused, the old one stays", logging.ERROR, reason=str(error))
            return
        if allowed != self._allowed:
            self._allowed = allowed
            self._model = allowing(self._model, allowed)
            metrics.ALLOWED_CHANGES.labels("changed").inc()
            event("allowed terms changed", terms=0 if allowed is None else len(allowed))

    def _read_allowed(self) -> Allowed | None:
        return None if self._allow_file is None else Allowed.read(self._allow_file)

    def _signature(self) -> tuple[Any, Any]:
        """Return something that changes when the bundle, None if there is none, or the list of allowed terms does."""
        listed = None if self._allow_file is None else _signature(self._allow_file)
        return _signature(self._folder / bundle.MANIFEST), listed

    def _load_warm(self, depths: Sequence[str]) -> Model:
        model: Model = allowing(self._load(self._path), self._allowed)
        warm_up(model, depths)
        return model


class Engine:
    """Scores submissions with the model in use. Threads and greenlets may share it.

    Args:
        models: The model in use.
        time_limit: Seconds that a request may take.
        run: Runs the model for requests.
        run_aside: Loads a new model, so that requests do not wait for it.
        depths: The tiers that a new model must be able to use.
        draining: Whether the service is shutting down.
    """

    def __init__(
        self,
        models: ModelInUse,
        *,
        time_limit: float = 30.0,
        run: Runner = run_here,
        run_aside: Runner = run_here,
        depths: Sequence[str] = ("fast",),
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._models = models
        self._time_limit = time_limit
        self._run = run
        self._run_aside = run_aside
        self._depths = depths
        self.draining = draining

    @property
    def model(self) -> Model:
        """The model in use. Read it once if several results must come from the same model."""
        return self._models.model

    def refresh(self, *, force: bool = False) -> bool:
        """Load the bundle again if it has changed; see ModelInUse.refresh. Return whether the model changed."""
        old = self.model.model
        self._models.refresh(force=force, run=self._run_aside, depths=self._depths)
        if self.model.model == old:
            return False
        self.record_model(old)
        return True

    def record_model(self, old: ModelInfo | None = None) -> None:
        """Record in the metrics which model this worker uses. The manager, which has no engine, is not counted."""
        model = self.model
        key = model.bundle.signed_by
        metrics.model_in_use(model.model, old, expires=None if key is None else key.expires)

    def warm_up(self) -> None:
        """Use every tier once, so that the first request does not wait for anything to load. Raises RequestError."""
        self.apart(lambda: warm_up(self.model, self._depths))

    def score_many(self, submissions: Sequence[Submission]) -> list[Verdict | RequestError]:
        """Judge texts, all with the same model. Each gets its verdict or its own problem, in order."""
        model = self.model
        deadline = time.monotonic() + self._time_limit

        def score(batch: list[Submission]) -> Sequence[Verdict | RequestError]:
            return self._score_batch(model, batch, deadline)

        answers: list[Verdict | RequestError | None] = [None] * len(submissions)
        for places in _alike(submissions):
            left = iter(places)
            for batch in batches((submissions[i] for i in places), BATCH_TEXTS, BATCH_CHARACTERS):
                texts = [item for item in batch if not isinstance(item, Failure)]
                for answer in score_or_split(score, texts, _problem):
                    answers[next(left)] = answer
        return [answer for answer in answers if answer is not None]

    def _score_batch(self, model: Model, batch: list[Submission], deadline: float) -> Sequence[Verdict | RequestError]:
        """Return the verdicts of a batch, or the same problem for each text; raise what the model raises."""
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            with metrics.WAITING.track_inprogress():
                verdicts = self._run(lambda: _score(model, batch), left)
        except TimeoutError:
            return [_out_of_time(self._time_limit)] * len(batch)
        except RequestError as problem:
            return [problem] * len(batch)
        metrics.count(verdicts)
        return verdicts

    def apart(self, function: Callable[[], Result]) -> Result:
        """Run something slow, such as reading a large page, in the threads of the model. Raises RequestError."""
        try:
            return self._run(function, self._time_limit)
        except TimeoutError:
            raise _out_of_time(self._time_limit) from None


def warm_up(model: Model, depths: Iterable[str]) -> None:
    """Score one text at each depth that a model has. Raises what the model raises."""
    for depth in depths:
        with suppress(MissingTierError):
            model.score_many([WARM_UP], depth=depth)


def _score(model: Model, submissions: list[Submission]) -> list[Verdict]:
    """Score texts with the same options."""
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


def _alike(submissions: Sequence[Submission]) -> Iterable[list[int]]:
    """Group the places of submissions by their options."""
    groups: dict[tuple[str, EvidenceChoice, float | None], list[int]] = {}
    for i, submission in enumerate(submissions):
        groups.setdefault((submission.depth, submission.evidence, submission.base_rate), []).append(i)
    return groups.values()


def _out_of_time(seconds: float) -> RequestError:
    return RequestError(
        "out-of-time",
        f"The request exceeded the time limit of {seconds:g} seconds. Send less at a time, or try again later.",
        limit=seconds,
        retry_after=1,
    )


def _problem(submission: Submission, error: Exception) -> RequestError:
    if isinstance(error, MissingTierError):
        said = str(error)
        detail = f"{said[:1].upper()}{said[1:]}."
        return RequestError("invalid-fields", detail, errors=(FieldError("#/depth", detail),))
    return unexpected(error)


def _signature(path: Path) -> tuple[Any, ...] | None:
    """Return something that changes when a file is replaced; None if there is no such file."""
    try:
        file = path.resolve()
        found = file.stat()
    except OSError:
        return None
    return (file, found.st_mtime_ns, found.st_ino, found.st_size)


def _manifest_digest(folder: Path) -> str | None:
    try:
        return bundle.sha256_of(folder)
    except OSError:
        return None
