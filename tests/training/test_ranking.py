"""training/classifier/ranking.py: weights with which people's own words score highest."""

from __future__ import annotations

import numpy as np
import pytest

from tests import tables as tiny
from unspun.model.signals.substitutions import INPUTS
from unspun.model.text.document import Documents
from unspun.training.classifier.ranking import _loss, _original_ids, fit_ranking
from unspun.training.machines.base import Substitution

SPUN = (
    ("The old ship left the harbour.", (Substitution(8, 12, "ferry"),)),
    ("She instructed the reporters that it was late.", (Substitution(4, 14, "told"),)),
    ("He told the journalists.", (Substitution(12, 23, "reporters"),)),
    ("The bridge was old and not closed.", ()),
    ("The new road was long.", ()),
)


def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(7, 4, len(INPUTS)))
    exists = rng.random((7, 4)) < 0.7
    exists[:, 0] = True
    return inputs, np.array([0, -1, 0, -1, -1, 0, -1]), exists


def test_the_gradient_is_that_of_the_loss() -> None:
    inputs, target, exists = problem()
    start = np.random.default_rng(1).normal(size=len(INPUTS) + 1)
    step = 1e-3  # the loss is computed in single precision
    _, gradient = _loss(start, inputs, target, exists)
    for place in range(len(start)):
        move = np.zeros(len(start))
        move[place] = step
        rise = _loss(start + move, inputs, target, exists)[0] - _loss(start - move, inputs, target, exists)[0]
        assert gradient[place] == pytest.approx(rise / (2 * step), abs=1e-3)


def test_the_loss_of_a_worked_example() -> None:
    # One word with one alternative that scores log 3, and the word itself was written: -log(1 / (1 + 3)).
    inputs = np.zeros((1, 1, len(INPUTS)), np.float32)
    parameters = np.append(np.zeros(len(INPUTS)), np.log(3))
    value, _ = _loss(parameters, inputs, np.array([-1]), np.ones((1, 1), bool))
    assert value == pytest.approx(np.log(4), rel=1e-5)


def test_the_original_is_looked_up_at_its_position() -> None:
    text, changes = SPUN[0]
    ids = _original_ids(tiny.signals(), Documents.parse(["We went.", text]), [(), changes])
    assert [tiny.words()[i] for i in ids if i] == ["ferry"]
    assert ids[3 + 2] > 0


@pytest.mark.parametrize(
    "change",
    [
        Substitution(8, 12, "xylophone"),  # not in the vocabulary
        Substitution(4, 12, "ferry"),  # two words
        Substitution(9, 12, "ferry"),  # a part of a word
        Substitution(400, 412, "ferry"),  # beyond the text
    ],
)
def test_other_changes_have_no_original(change: Substitution) -> None:
    ids = _original_ids(tiny.signals(), Documents.parse([SPUN[0][0]]), [(change,)])
    assert not ids.any()


def test_fitting_lowers_the_odds_of_words_left_alone() -> None:
    texts, changes = zip(*SPUN, strict=True)
    fitted = fit_ranking(tiny.signals(), texts, changes, seed=0)
    assert fitted.weights.shape == (len(INPUTS),)
    assert np.isfinite(fitted.weights).all()
    assert np.array_equal(fitted.ids, tiny.tables().alternatives.ids)
