"""A judge that needs no model, because each text contains its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from unspun.model.verdict import KINDS, Kind, ModelInfo, Reason, Verdict, VerdictWord
from unspun.training.corpora.corpus import LabelledText, text_keys

MODEL = ModelInfo("fake", "0.0.1", "0" * 64)


def text(label: str, score: float | str, *, words: int = 100, n: int = 0, **fields: Any) -> LabelledText:
    """Return a text to which FakeJudge gives this score, on which it abstains for this reason, or that is "settled"."""
    body = " ".join([str(score), str(words), f"number{n}", label])
    return LabelledText(**{"id": body, "label": label, "source": label, "text": body, **fields})


@dataclass
class Seen:
    """A stand-in for a bundle: the keys of the texts that the model learnt from."""

    seen: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))


class FakeJudge:
    """Calls texts `paraphrased` from a score of 0.9 and `suspect` from 0.5; the kind is the label, or else `spun`."""

    def __init__(self, learnt: Sequence[LabelledText] = ()) -> None:
        self.bundle = Seen(np.sort(text_keys([text.text for text in learnt])))
        self.model = MODEL

    def score_many(self, texts: Sequence[str], *, depth: str = "auto", evidence: bool = True) -> list[Verdict]:
        """Return the verdicts that the texts contain. Evidence must not be requested, because finding it is slow."""
        assert not evidence
        return [_verdict(*text.split()) for text in texts]


def _verdict(answer: str, words: str, _: str, label: str) -> Verdict:
    kinds: dict[str, Kind] = {"translated": "translated", "rewritten": "rewritten"}
    kind: Kind = kinds.get(label, "spun")
    reasons: dict[str, Reason] = {name: name for name in get_args(Reason)}
    plain = Verdict(
        id=None,
        verdict="abstained",
        kind=None,
        score=None,
        false_positive_rate=None,
        share=None,
        kinds=None,
        reason=reasons.get(answer),
        words=int(words),
        depth="fast",
        repairs=(),
        evidence=None,
        model=MODEL,
    )
    if plain.reason:
        return plain
    if answer == "settled":
        return replace(plain, verdict="clear", depth="first")
    score = float(answer)
    word: VerdictWord = "paraphrased" if score >= 0.9 else "suspect" if score >= 0.5 else "clear"
    return replace(
        plain,
        verdict=word,
        kind=None if word == "clear" else kind,
        score=score,
        false_positive_rate=round(1.0 - score, 6),
        share=0.0 if word == "clear" else 1.0,
        kinds={name: score if name == kind else 0.1 * score for name in KINDS},
    )
