"""training/recalibrate.py: thresholds move to where trusted texts prove a target, and no further."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model import bundle
from model.detector import Detector
from model.verdict import Thresholds
from tests import deep as tiny_deep
from tests import tables as tiny
from tests.training.references import tiny_base
from training import metrics
from training.card import CARD
from training.recalibrate import (
    FEWEST,
    HIGHEST,
    LOWEST,
    WORDS,
    CalibrationError,
    Recalibrated,
    recalibrate,
    write,
)

ENTRY = {
    "minimum_words": 50,
    "bands": [
        {"words": 50, "suspect": 0.8, "paraphrased": 0.95},
        {"words": 80, "suspect": 0.7, "paraphrased": 0.9},
        {"words": 200, "suspect": 0.6, "paraphrased": 0.85},
    ],
}
TARGETS = {"paraphrased": 0.01, "suspect": 0.1}


def detector(fast: dict[str, Any] = ENTRY, deep: dict[str, Any] | None = None) -> Any:
    """Return what is looked at of a detector: its thresholds."""
    manifest: dict[str, Any] = {"thresholds": fast}
    if deep is not None:
        manifest["deep"] = {"thresholds": deep}
    return SimpleNamespace(bundle=SimpleNamespace(manifest=manifest, deep=deep))


def judged(values: Sequence[tuple[float, int]]) -> Any:
    """Return a stand-in for scoring, which answers with these scores and numbers of words."""
    return lambda texts, depth: [SimpleNamespace(score=score, words=words, reason=None) for score, words in values]


def moved(values: Sequence[tuple[float, int]], targets: dict[str, float] = TARGETS) -> Recalibrated:
    return recalibrate(detector(), [""] * len(values), targets, each=judged(values))


def share_called(entry: dict[str, Any], values: Sequence[tuple[float, int]], word: str) -> float:
    """Return the share of texts that is called so, as the engine decides."""
    thresholds = Thresholds.from_manifest(entry)
    verdicts = [thresholds.word(score, words) for score, words in values]
    wanted = ("paraphrased",) if word == "paraphrased" else ("paraphrased", "suspect")
    return sum(verdict in wanted for verdict in verdicts) / len(verdicts)


lengths = st.integers(50, 400)
texts_of_people = st.lists(
    st.tuples(st.floats(0.0, 0.9999).map(lambda score: round(score, 6)), lengths), min_size=FEWEST, max_size=120
)


@settings(deadline=None)
@given(texts_of_people, st.sampled_from((0.005, 0.02, 0.1)), st.sampled_from((1, 3, 10)))
@example([(0.97, 100)] * 80, 0.005, 10)  # all alike, and all too high
@example([(0.0, 60)] * 80, 0.1, 3)
@example([(0.0, 50)] * 29 + [(0.95, 50)], 0.005, 1)  # one exactly on the threshold
@example([(0.0, 50)] * 999 + [(0.95, 50)], 0.005, 1)
@example([(0.0, 50)] * 48 + [(0.96875, 200), (0.988281, 50)], 0.02, 1)  # the one suspect, the other paraphrased
def test_no_more_than_the_target_are_called_so_on_the_texts_given(
    values: list[tuple[float, int]], target: float, factor: int
) -> None:
    targets = {"paraphrased": target, "suspect": min(0.5, factor * target)}
    found = moved(values, targets)
    for shift in found.shifts:
        share = share_called(found.thresholds["fast"], values, shift.word)
        assert share <= shift.target + 1e-9
        assert round(share * len(values)) == shift.after
        before = share_called(ENTRY, values, shift.word)
        assert round(before * len(values)) == shift.before


@settings(deadline=None)
@given(texts_of_people, st.sampled_from((0.005, 0.02, 0.1)))
def test_a_threshold_is_lowered_only_where_the_texts_prove_the_target(
    values: list[tuple[float, int]], target: float
) -> None:
    found = moved(values, {"paraphrased": target, "suspect": min(0.5, 5 * target)})
    for shift in found.shifts:
        if shift.log_odds < 0:
            assert shift.enough
        if shift.enough:
            share = shift.after / shift.texts
            low, high = metrics.wilson_interval(shift.after, shift.texts)
            assert low <= share <= high <= shift.target


@settings(deadline=None)
@given(texts_of_people)
def test_thresholds_stay_in_order_and_within_bounds(values: list[tuple[float, int]]) -> None:
    for band in moved(values).thresholds["fast"]["bands"]:
        assert LOWEST <= band["suspect"] <= band["paraphrased"] <= HIGHEST


@settings(deadline=None)
@given(texts_of_people)
def test_bands_keep_their_distances(values: list[tuple[float, int]]) -> None:
    """In log odds, as far as the bounds let them."""

    def odds(entry: dict[str, Any]) -> np.ndarray:
        found = np.array([band["paraphrased"] for band in entry["bands"]])
        return np.log(found / (1 - found))

    after = moved(values).thresholds["fast"]
    if all(LOWEST < band["paraphrased"] < 0.999 for band in after["bands"]):
        assert np.diff(odds(after)) == pytest.approx(np.diff(odds(ENTRY)), abs=0.01)


@settings(deadline=None)
@given(texts_of_people)
def test_calibrating_twice_moves_nothing_the_second_time(values: list[tuple[float, int]]) -> None:
    once = moved(values).thresholds["fast"]
    twice = recalibrate(detector(once), [""] * len(values), TARGETS, each=judged(values)).thresholds["fast"]
    for first, second in zip(once["bands"], twice["bands"], strict=True):
        assert first["paraphrased"] == pytest.approx(second["paraphrased"], abs=1e-5)
        assert first["suspect"] == pytest.approx(second["suspect"], abs=1e-5)


def test_with_few_texts_thresholds_are_raised_where_the_target_is_missed() -> None:
    values = [(0.99, 100)] * 5 + [(0.1, 100)] * 55
    found = moved(values)
    [paraphrased, suspect] = found.shifts
    assert (paraphrased.word, paraphrased.before, paraphrased.after, paraphrased.enough) == ("paraphrased", 5, 0, False)
    assert paraphrased.log_odds > 0
    assert (suspect.word, suspect.before, suspect.after) == ("suspect", 5, 0)  # what is not clear is not only suspect


def test_with_few_texts_thresholds_are_not_lowered() -> None:
    found = moved([(0.1, 100)] * 60, {"paraphrased": 0.01, "suspect": 0.05})
    assert [shift.log_odds for shift in found.shifts] == [0.0, 0.0]
    assert found.thresholds["fast"]["bands"] == ENTRY["bands"]


def test_with_many_texts_thresholds_are_lowered_to_what_they_prove() -> None:
    rng = np.random.default_rng(1)
    values = [(round(float(score), 6), 100) for score in rng.beta(2, 4, size=4000)]
    found = moved(values)
    for shift in found.shifts:
        assert shift.log_odds < 0
        assert shift.enough
        assert shift.share_high <= shift.target
        assert metrics.wilson_interval(shift.after + 1, shift.texts).high > shift.target  # not one more


def test_texts_without_a_verdict_do_not_count() -> None:
    def each(texts: Sequence[str], depth: str) -> list[Any]:
        reasons = [None] * 60 + ["too_short"] * 40
        return [SimpleNamespace(score=0.99 if reason else 0.1, words=100, reason=reason) for reason in reasons]

    found = recalibrate(detector(), [""] * 100, TARGETS, each=each)
    assert (found.left_out, found.shifts[0].texts, found.shifts[0].before) == (40, 60, 0)


@pytest.mark.parametrize(("count", "target", "needed"), [(0, 0.005, 765), (FEWEST - 1, 0.05, 73)])
def test_too_few_texts_are_told_with_how_many_are_needed(count: int, target: float, needed: int) -> None:
    with pytest.raises(CalibrationError) as refused:
        moved([(0.1, 100)] * count, {"paraphrased": target, "suspect": 0.5})
    message = str(refused.value)
    assert message.startswith(f"{count} of {count} texts can be judged: at least {FEWEST} are needed")
    assert f"some {needed} to prove" in message
    assert metrics.wilson_interval(0, needed).high <= target < metrics.wilson_interval(0, needed - 1).high
    assert "\n" not in message


def test_each_tier_is_set_by_what_it_says_itself() -> None:
    def each(texts: Sequence[str], depth: str) -> list[Any]:
        return [SimpleNamespace(score={"fast": 0.99, "deep": 0.1}[depth], words=100, reason=None) for _ in texts]

    targets = {"paraphrased": 0.01, "suspect": 0.05}  # which so few texts do not prove
    found = recalibrate(detector(deep=ENTRY), [""] * 60, targets, each=each)
    assert [(shift.tier, shift.word) for shift in found.shifts] == [(t, w) for t in ("fast", "deep") for w in WORDS]
    assert [shift.before for shift in found.shifts] == [60, 60, 0, 0]
    assert found.thresholds["deep"]["bands"] == ENTRY["bands"]
    assert found.thresholds["fast"]["bands"] != ENTRY["bands"]


# --- on disk


def lesson(count: int) -> list[str]:
    rng = np.random.default_rng(4)
    return [" ".join(sentences) for sentences in rng.choice(tiny.SENTENCES, size=(count, 9))]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny model with numbers for retraining, and with a deep tier."""
    folder = tmp_path_factory.mktemp("base") / "base"
    loaded = tiny_base(folder)
    manifest = {**tiny_deep.manifest(score=0.7), "reference": loaded.manifest["reference"]}
    extra = bundle.read_extra(loaded, "reference")
    bundle.save(
        folder, manifest, loaded.tables, loaded.tagger, loaded.classifier, loaded.seen, tiny_deep.tier(), extra=extra
    )
    return folder


def test_the_written_model_calls_as_few_of_the_texts_as_it_says(base: Path, tmp_path: Path) -> None:
    texts = lesson(120)
    found = recalibrate(Detector.load(base), texts, TARGETS)
    write(Detector.load(base), found, tmp_path / "new", version="0.0.1+calibrated")
    again = Detector.load(tmp_path / "new")
    assert again.model.version == "0.0.1+calibrated"
    for shift in found.shifts:
        verdicts = again.score_many(texts, depth=shift.tier, evidence=False)
        wanted = ("paraphrased",) if shift.word == "paraphrased" else ("paraphrased", "suspect")
        assert sum(verdict.verdict in wanted for verdict in verdicts) == shift.after
    # Whom the fast tier leaves to the deep one, the target holds for as well.
    verdicts = again.score_many(texts, evidence=False)
    assert sum(verdict.verdict == "paraphrased" for verdict in verdicts) / len(texts) <= TARGETS["paraphrased"]
    assert sum(verdict.verdict != "clear" for verdict in verdicts) / len(texts) <= TARGETS["suspect"]


def test_nothing_but_thresholds_is_changed(base: Path, tmp_path: Path) -> None:
    found = recalibrate(Detector.load(base), lesson(60), TARGETS)
    write(Detector.load(base), found, tmp_path / "new", version="2")
    before, after = (json.loads((folder / bundle.MANIFEST).read_text("utf-8")) for folder in (base, tmp_path / "new"))
    assert after["files"] == before["files"]
    assert after["reference"] == before["reference"]
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"thresholds", "deep", "version", "calibration", "calibrated_from"}
    assert after["calibrated_from"] == Detector.load(base).model.to_dict()
    assert after["calibration"] == [dataclasses.asdict(shift) for shift in found.shifts]
    assert (tmp_path / "new" / CARD).exists()


def test_what_the_fast_tier_calls_is_left_to_the_deep_one(base: Path, tmp_path: Path) -> None:
    detector = Detector.load(base)
    found = recalibrate(detector, lesson(60), TARGETS)
    low = json.loads(json.dumps(found.thresholds["fast"]))
    for band in low["bands"]:
        band["suspect"] = 0.51
    lowered = dataclasses.replace(found, thresholds={**found.thresholds, "fast": low})
    write(detector, lowered, tmp_path / "new", version="2")
    manifest = json.loads((tmp_path / "new" / bundle.MANIFEST).read_text("utf-8"))
    assert [band["score"] for band in manifest["deep"]["doubt"]["bands"]] == [0.51]
