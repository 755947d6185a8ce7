"""service/http/engine.py: a new model is used only if it can score."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="the service: pip install 'unspun[service]'")

from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN, Make
from unspun.model.bundle import Bundle, BundleError
from unspun.model.detector import MissingTierError
from unspun.model.signing import TrustedKey
from unspun.service.http import metrics
from unspun.service.http.engine import Engine, ModelInUse
from unspun.service.http.schemas import Submission
from unspun.service.models.folder import ModelFolder

Loader = Callable[[Path | None], Any]


TODAY = datetime.now(UTC).date()


class Broken(FakeDetector):
    """A model that loads but cannot score."""

    def score_many(self, *arguments: Any, **options: Any) -> Any:
        raise ZeroDivisionError


class Signed(FakeDetector):
    """A model that a key has signed."""

    def __init__(self, key: TrustedKey) -> None:
        super().__init__()
        self.key = key

    @property
    def bundle(self) -> Bundle:
        return replace(super().bundle, signed_by=self.key)


class WithoutDeep(FakeDetector):
    """A model without a deep tier."""

    def score_many(self, *arguments: Any, depth: str = "auto", **options: Any) -> Any:
        if depth == "deep":
            raise MissingTierError("this model has no deep tier")
        return super().score_many(*arguments, depth=depth, **options)


@pytest.fixture
def folder(tmp_path: Path, make: Make) -> ModelFolder:
    folder = ModelFolder(tmp_path / "models")
    folder.promote(make("a"))
    return folder


def loading(*models: FakeDetector | BundleError) -> Loader:
    """Return a function that loads one model after the other, or fails."""
    left = list(models)

    def load(path: Path | None) -> FakeDetector:
        model = left.pop(0)
        if isinstance(model, BundleError):
            raise model
        return model

    return load


def test_a_promotion_and_a_rollback_are_noticed(folder: ModelFolder, make: Make) -> None:
    from unspun.model.detector import Detector

    models = ModelInUse(Detector.load, folder.path / "current")
    names = []
    for change in (lambda: folder.promote(make("b")), folder.rollback):
        change()
        models.refresh()
        names.append(models.model.model.name)
    assert names == ["b", "a"]


def test_an_unchanged_bundle_is_not_loaded_again(folder: ModelFolder) -> None:
    models = ModelInUse(loading(FakeDetector()), folder.path / "current")
    models.refresh()


def test_a_model_that_cannot_score_is_refused(folder: ModelFolder, make: Make) -> None:
    old = FakeDetector()
    models = ModelInUse(loading(old, Broken()), folder.path / "current")
    folder.promote(make("b"))
    models.refresh()
    assert models.model is old


@pytest.mark.parametrize(
    ("last_day", "is_warned_of"),
    [
        pytest.param(TODAY + timedelta(days=10), True, id="in ten days"),
        pytest.param(TODAY + timedelta(days=40), False, id="in forty days"),
        pytest.param(None, False, id="never"),
    ],
)
def test_a_warning_is_logged_if_the_key_of_the_model_expires_within_30_days(
    last_day: date | None, is_warned_of: bool, folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr("unspun.service.http.engine.event", lambda name, level, **fields: warned.append(fields["key"]))
    model = Signed(TrustedKey("", "release", last_day))
    Engine(ModelInUse(loading(model), folder.path / "current")).record_model()
    expires = 0.0 if last_day is None else datetime.combine(last_day + timedelta(days=1), time(), UTC).timestamp()
    assert warned == ["release"] * is_warned_of
    assert metrics.OWN.get_sample_value("unspun_model_signature_expires_timestamp_seconds") == expires


def test_an_unusable_bundle_leaves_the_model_in_use(folder: ModelFolder, make: Make) -> None:
    old = FakeDetector()
    models = ModelInUse(loading(old, BundleError("tampered with")), folder.path / "current")
    folder.promote(make("b"))
    models.refresh()
    assert models.model is old


def test_a_missing_bundle_leaves_the_model_in_use_and_is_reported_once(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons: list[str] = []
    monkeypatch.setattr("unspun.service.http.engine.event", lambda *_, reason, model: reasons.append(reason))
    old = FakeDetector()
    models = ModelInUse(loading(old), folder.path / "current")
    (folder.path / "current").unlink()
    for _ in range(3):
        models.refresh()
    assert (models.model is old, reasons) == (True, [f"{folder.path}/current: the bundle no longer exists"])


def test_a_model_without_a_deep_tier_is_accepted(folder: ModelFolder, make: Make) -> None:
    new = WithoutDeep()
    models = ModelInUse(loading(FakeDetector(), new), folder.path / "current")
    folder.promote(make("b"))
    models.refresh(depths=("fast", "deep"))
    assert models.model is new


def test_answers_keep_the_order_of_many_texts(folder: ModelFolder) -> None:
    scorer = Engine(ModelInUse(loading(FakeDetector()), folder.path / "current"))
    submissions = [Submission(text=SPUN, id=str(i), evidence=i % 3 > 0) for i in range(100)]
    answers = scorer.score_many(submissions)
    assert [getattr(answer, "id", answer) for answer in answers] == [str(i) for i in range(100)]


def test_a_new_model_scores_at_each_depth_before_it_is_used(folder: ModelFolder, make: Make) -> None:
    new = FakeDetector()
    models = ModelInUse(loading(FakeDetector(), new), folder.path / "current")
    folder.promote(make("b"))
    models.refresh(depths=("fast", "deep"))
    assert new.calls == [1, 1]


def test_the_old_model_answers_while_a_new_one_loads(folder: ModelFolder, make: Make) -> None:
    old, new = FakeDetector(), FakeDetector()
    left, begun, go_on = [old, new], threading.Event(), threading.Event()

    def load(path: Path | None) -> Any:
        if len(left) == 1:
            begun.set()
            assert go_on.wait(60)
        return left.pop(0)

    models = ModelInUse(load, folder.path / "current")
    folder.promote(make("b"))
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(models.refresh)
        assert begun.wait(60)
        during = models.model
        answers = Engine(models).score_many([Submission(text=CLEAR)])
        go_on.set()
        refreshing.result(60)
    assert during is old
    assert len(answers) == 1
    assert old.calls == [1]
    assert models.model is new
