"""Sets a model's thresholds by a house's own trusted text: `unspun calibrate`.

All bands of length move together, by one shift in log odds for each tier and word: a house rarely has enough texts to
set each band by itself, and the bands' distances were measured on thousands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import bundle
from model.detector import Detector
from model.verdict import Thresholds, Verdict
from training import metrics
from training.card import CARD, render_card
from training.correction import limits

SUSPECT_FACTOR = 10.0
"""How many times the share of human texts may be called suspect or worse, unless it is said."""
FEWEST = 30
"""Judged texts without which no threshold is moved."""
LOWEST, HIGHEST = 0.5, 0.999999
"""Thresholds do not move beyond: a score of less than a half speaks for a human."""
STEP = 2e-6
_EDGE = 1e-6
_LEAST = 1e-9
"""The shift of a threshold that a text lies exactly on: it moves, by STEP alone."""

WORDS = ("paraphrased", "suspect")


class CalibrationError(ValueError):
    """The texts or the target will not do; the message says what to do, in one line."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How a tier's thresholds for a word moved.

    `texts` were judged; `before` and `after` of them are called so, and the share after lies between `share_low` and
    `share_high` (95 %, Wilson). `enough`: were they enough to prove the target?
    """

    tier: str
    word: str
    target: float
    texts: int
    before: int
    after: int
    share_low: float
    share_high: float
    log_odds: float
    enough: bool


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """The new manifest entries, and what moved."""

    thresholds: dict[str, dict[str, Any]]
    shifts: tuple[Shift, ...]
    left_out: int


def recalibrate(
    detector: Detector,
    texts: Sequence[str],
    targets: dict[str, float],
    *,
    each: Callable[[Sequence[str], str], list[Verdict]] | None = None,
) -> Recalibrated:
    """Return thresholds at which at most the target share of trusted texts is called so, by word.

    A threshold comes to lie where the texts prove the target (the upper Wilson end keeps it). Where they are too few to
    prove it, it is raised if more than the target are called so, and never lowered. `each` scores texts at a depth; by
    default the detector does. Raises CalibrationError.
    """
    score = each or (lambda some, depth: detector.score_many(some, depth=depth, evidence=False))
    manifest = detector.bundle.manifest
    entries = {"fast": manifest["thresholds"]}
    if detector.bundle.deep is not None:
        entries["deep"] = manifest["deep"]["thresholds"]
    shifts: list[Shift] = []
    changed: dict[str, dict[str, Any]] = {}
    left_out = 0
    for tier, entry in entries.items():
        verdicts = score(texts, tier)
        judged = [verdict for verdict in verdicts if verdict.reason is None]
        left_out = len(texts) - len(judged)
        if len(judged) < FEWEST:
            raise CalibrationError(
                f"{len(judged)} of {len(texts)} texts can be judged: at least {FEWEST} are needed, and some "
                f"{_texts_needed(targets['paraphrased'])} to prove a share of {targets['paraphrased']:.1%}"
            )
        scores = np.array([verdict.score for verdict in judged])
        words = np.array([verdict.words for verdict in judged])
        thresholds = Thresholds.from_manifest(entry)
        moved = _moved(scores, words, entry, targets)
        changed[tier] = {**entry, "bands": [_moved_band(band, moved) for band in entry["bands"]]}
        after = Thresholds.from_manifest(changed[tier])
        for word in WORDS:
            found = int((scores >= limits(after, words, word)).sum())
            low, high = metrics.wilson_interval(found, len(scores))
            shifts.append(
                Shift(
                    tier=tier,
                    word=word,
                    target=targets[word],
                    texts=len(scores),
                    before=int((scores >= limits(thresholds, words, word)).sum()),
                    after=found,
                    share_low=round(low, 5),
                    share_high=round(high, 5),
                    log_odds=round(moved[word], 4),
                    enough=high <= targets[word],
                )
            )
    return Recalibrated(changed, tuple(shifts), left_out)


def _texts_needed(target: float) -> int:
    """Return how many texts, none of them called so, prove a share."""
    return int(np.ceil(1.96**2 * (1.0 - target) / target))


def _moved(
    scores: NDArray[np.float64], words: NDArray[np.int64], entry: dict[str, Any], targets: dict[str, float]
) -> dict[str, float]:
    """Return by how much, in log odds, the thresholds for each word are to move, given texts' scores and lengths (N,).

    What is called paraphrased is suspect, too, wherever the threshold for that comes to lie.
    """
    least = Thresholds.from_manifest(entry)
    paraphrased = _shift(_reach(scores, limits(least, words, "paraphrased")), targets["paraphrased"])
    moved = {"paraphrased": paraphrased, "suspect": 0.0}
    bands = [_moved_band(band, moved) for band in entry["bands"]]
    called = scores >= limits(Thresholds.from_manifest({**entry, "bands": bands}), words, "paraphrased")
    reach = np.where(called, np.inf, _reach(scores, limits(least, words, "suspect")))
    return {**moved, "suspect": _shift(reach, targets["suspect"])}


def _reach(scores: NDArray[np.float64], least: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shift of the thresholds (N,), in log odds, up to which each text is still called so."""
    answer: NDArray[np.float64] = _logit(scores) - _logit(least)
    return answer


def _shift(reach: NDArray[np.float64], target: float) -> float:
    """Return the shift at which the target share of texts keeps to it; infinite reach (N,): called so in any case."""
    falling = np.sort(reach)[::-1]
    allowed = int(target * len(falling))
    proven = allowed
    while proven > 0 and metrics.wilson_interval(proven, len(falling)).high > target:
        proven -= 1
    if metrics.wilson_interval(proven, len(falling)).high <= target and np.isfinite(falling[proven]):
        return float(falling[proven]) or _LEAST
    if int((reach >= 0).sum()) <= allowed:
        return 0.0
    return float(falling[allowed]) or _LEAST


def _moved_band(band: dict[str, Any], moved: dict[str, float]) -> dict[str, Any]:
    """Return a band with its thresholds moved, and just above the text that the shift was measured at."""
    values = {}
    for word in WORDS:
        value = band[word] if moved[word] == 0.0 else float(_expit(_logit(band[word]) + moved[word])) + STEP
        values[word] = round(float(np.clip(value, LOWEST, HIGHEST)), 6)
    # What is paraphrased is suspect, too.
    return {**band, **values, "suspect": min(values.values())}


def _logit(value: Any) -> NDArray[np.float64]:
    clipped = np.clip(np.asarray(value, dtype=np.float64), _EDGE, 1.0 - _EDGE)
    answer: NDArray[np.float64] = np.log(clipped / (1.0 - clipped))
    return answer


def _expit(value: Any) -> NDArray[np.float64]:
    answer: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.asarray(value, dtype=np.float64)))
    return answer


def _doubt(entry: dict[str, Any], fast: dict[str, Any]) -> dict[str, Any]:
    """Return the limits of doubt, none above the fast tier's threshold: what that tier settles is clear."""
    suspect = {band["words"]: band["suspect"] for band in fast["bands"]}
    bands = [
        {**band, "score": min(band["score"], suspect.get(band["words"], band["score"]))} for band in entry["bands"]
    ]
    return {**entry, "bands": bands}


def write(detector: Detector, recalibrated: Recalibrated, output: Path, *, version: str) -> None:
    """Write the model with its new thresholds."""
    base = detector.bundle
    manifest = {key: value for key, value in base.manifest.items() if key not in bundle.WRITTEN}
    manifest["thresholds"] = recalibrated.thresholds["fast"]
    if "deep" in recalibrated.thresholds:
        doubt = _doubt(manifest["deep"]["doubt"], recalibrated.thresholds["fast"])
        manifest["deep"] = {**manifest["deep"], "thresholds": recalibrated.thresholds["deep"], "doubt": doubt}
    manifest["version"] = version
    manifest["calibrated_from"] = base.info.to_dict()
    manifest["calibration"] = [
        {field: getattr(shift, field) for field in Shift.__slots__} for shift in recalibrated.shifts
    ]
    extra = bundle.read_extra(base, "reference")
    bundle.save(output, manifest, base.tables, base.tagger, base.classifier, base.seen, base.deep, extra=extra)
    written = json.loads((output / bundle.MANIFEST).read_text("utf-8"))
    (output / CARD).write_text(render_card(written), "utf-8")
