"""service/http/engine.py: a model answers from the moment at which it is known that it can."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="the service: pip install 'unspun[service]'")

from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN
from unspun.model.detector import NoDeepTierError
from unspun.service.http.engine import Engine
from unspun.service.http.schemas import Submission
from unspun.service.models.folder import ModelFolder

Loader = Callable[[Path | None], Any]


class Broken(FakeDetector):
    """Loads, and cannot score."""

    def score_many(self, *arguments: Any, **options: Any) -> Any:
        raise ZeroDivisionError


class WithoutDeep(FakeDetector):
    """Has no deep tier."""

    def score_many(self, *arguments: Any, depth: str = "auto", **options: Any) -> Any:
        if depth == "deep":
            raise NoDeepTierError("this model has no deep tier")
        return super().score_many(*arguments, depth=depth, **options)


@pytest.fixture
def folder(tmp_path: Path, make: Callable[..., Path]) -> ModelFolder:
    folder = ModelFolder(tmp_path / "models")
    folder.promote(make("a"))
    return folder


def loading(*models: FakeDetector) -> Loader:
    left = list(models)
    return lambda path: left.pop(0)


def test_a_promotion_and_a_rollback_are_seen(folder: ModelFolder, make: Callable[..., Path]) -> None:
    from unspun.model.detector import Detector

    engine = Engine(Detector.load, folder.path / "current")
    names = []
    for change in (lambda: folder.promote(make("b")), folder.rollback):
        change()
        engine.refresh()
        names.append(engine.model.model.name)
    assert names == ["b", "a"]


def test_a_model_that_cannot_score_is_refused(folder: ModelFolder, make: Callable[..., Path]) -> None:
    old = FakeDetector()
    engine = Engine(loading(old, Broken()), folder.path / "current")
    folder.promote(make("b"))
    engine.refresh()
    assert engine.model is old


def test_a_bundle_that_has_gone_is_told_once_and_the_old_one_answers(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("unspun.service.http.engine.event", lambda name, level, *, reason, model: told.append(reason))
    old = FakeDetector()
    engine = Engine(loading(old), folder.path / "current")
    (folder.path / "current").unlink()
    for _ in range(3):
        engine.refresh()
    assert (engine.model is old, told) == (True, [f"{folder.path}/current: there is no bundle here any more"])


def test_a_model_without_a_deep_tier_is_as_good(folder: ModelFolder, make: Callable[..., Path]) -> None:
    new = WithoutDeep()
    engine = Engine(loading(FakeDetector(), new), folder.path / "current")
    engine.depths = ("fast", "deep")
    folder.promote(make("b"))
    engine.refresh()
    assert engine.model is new


def test_texts_of_different_base_rates_are_not_mixed(folder: ModelFolder) -> None:
    engine = Engine(loading(FakeDetector()), folder.path / "current")
    rates = [0.05, None, 0.5, 0.05]
    answers = engine.score_many([Submission(text=SPUN, base_rate=rate) for rate in rates])
    assert answers == [FakeDetector().score(SPUN, base_rate=rate) for rate in rates]


def test_a_model_has_answered_once_before_it_is_asked(folder: ModelFolder, make: Callable[..., Path]) -> None:
    new = FakeDetector()
    engine = Engine(loading(FakeDetector(), new), folder.path / "current")
    engine.depths = ("fast", "deep")
    folder.promote(make("b"))
    engine.refresh()
    assert new.calls == [1, 1]


def test_while_a_model_loads_the_old_one_answers(folder: ModelFolder, make: Callable[..., Path]) -> None:
    old, new = FakeDetector(), FakeDetector()
    models, begun, go_on = [old, new], threading.Event(), threading.Event()

    def load(path: Path | None) -> Any:
        if len(models) == 1:
            begun.set()
            assert go_on.wait(10)
        return models.pop(0)

    engine = Engine(load, folder.path / "current")
    folder.promote(make("b"))
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(engine.refresh)
        assert begun.wait(10)
        during = engine.model
        answers = engine.score_many([Submission(text=CLEAR)])
        go_on.set()
        refreshing.result(10)
    assert during is old
    assert len(answers) == 1
    assert old.calls == [1]
    assert engine.model is new
