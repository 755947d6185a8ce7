"""A quick, deterministic detector with the interface of model.detector.Detector."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from unspun.model.bundle import Bundle, load
from unspun.model.decision.decision import Decision, check_base_rate
from unspun.model.text.allowed import Allowed
from unspun.model.verdict import KINDS, Evidence, EvidenceChoice, ModelInfo, Repair, Verdict, VerdictWord

PHRASES = {
    "imaginative and prescient": ("vision", 3.1),
    "vitality": ("energy", 1.4),
    "counterfeit consciousness": ("artificial intelligence", 4.0),
    "the The": (None, 0.6),
}
PATTERN = re.compile("|".join(map(re.escape, PHRASES)))
WORDS_NEEDED = 5
_shipped = cache(load)
ANSWERS: tuple[tuple[VerdictWord, float, float, float], ...] = (
    ("clear", 0.03, 0.8, 0.0),
    ("suspect", 0.5, 0.03, 0.2),
    ("paraphrased", 0.97, 0.0021, 0.93),
)
"""By the number of known phrases: verdict, score, false-positive rate, share."""
OTHER_KINDS = 0.01
"""Score of each kind except `spun`."""
DECISION = Decision(
    minimum_words=WORDS_NEEDED,
    supported=0.002,
    least_familiar=1.0,
    tiers={},
    likelihoods={"fast": (np.array([0.0, 1.0]), np.array([-4.0, 4.0]))},
)


class FakeDetector:
    """A text with one known phrase is `suspect`, and with two or more `paraphrased`.

    "raise-error" in a text makes the whole batch fail, as a bug would; "sleep-long" takes half a minute, and makes
    the file "asleep"; a text that begins with "Unfamiliar" is unfamiliar. Zero-width spaces are repaired.
    """

    def __init__(self) -> None:
        self.model = ModelInfo("fake", "0.0.1", hashlib.sha256(b"fake").hexdigest())
        self.decision = DECISION
        self.calls: list[int] = []
        self.allowed: Allowed | None = None

    def allowing(self, allowed: Allowed | None) -> FakeDetector:
        twin = copy(self)
        twin.allowed = allowed
        return twin

    @property
    def bundle(self) -> Bundle:
        """The shipped bundle, from which comparers take their vocabulary."""
        return _shipped()

    def score(self, text: str, *, id: str | None = None, **options: Any) -> Verdict:
        return self.score_many([text], ids=[id], **options)[0]

    def score_many(
        self,
        texts: Sequence[str],
        *,
        ids: Sequence[str | None] | None = None,
        depth: str = "auto",
        evidence: EvidenceChoice = True,
        base_rate: float | None = None,
    ) -> list[Verdict]:
        self.calls.append(len(texts))
        if base_rate is not None:
            base_rate = check_base_rate(base_rate)
        ids = [None] * len(texts) if ids is None else ids
        return [self._verdict(text, id, evidence, base_rate) for text, id in zip(texts, ids, strict=True)]

    def _verdict(self, text: str, id: str | None, evidence: EvidenceChoice, base_rate: float | None) -> Verdict:
        if "raise-error" in text:
            raise ZeroDivisionError("division by zero\nsecond line")
        if "sleep-long" in text:
            Path("asleep").touch()
            time.sleep(30)
        terms = () if self.allowed is None else self.allowed.terms
        hits = list(PATTERN.finditer(text))
        found = tuple(
            Evidence(hit.start(), hit.end(), hit[0], *_proposal(hit[0]), probable=PHRASES[hit[0]][0] is not None)
            for hit in hits
            if hit[0] not in terms
        )
        words = len(text.split())
        zero_width = text.count("\u200b")
        verdict = Verdict(
            id=id,
            verdict="abstained",
            kind=None,
            score=None,
            false_positive_rate=None,
            share=None,
            kinds=None,
            reason="too_short" if words < WORDS_NEEDED else "unfamiliar" if text.startswith("Unfamiliar") else None,
            words=words,
            allowed=None if self.allowed is None else sum(len(hit[0].split()) for hit in hits if hit[0] in terms),
            depth="fast",
            repairs=(Repair("zero_width", zero_width),) if zero_width else (),
            evidence=found if evidence else None,
            model=self.model,
        )
        if verdict.reason is not None:
            return verdict
        word, score, rate, share = ANSWERS[min(2, len(found))]
        return replace(
            verdict,
            evidence=None if word == "clear" and evidence != "all" else verdict.evidence,
            verdict=word,
            kind=None if word == "clear" else "spun",
            score=score,
            false_positive_rate=rate,
            share=share,
            kinds={**dict.fromkeys(KINDS, OTHER_KINDS), "spun": score},
            probability=None if base_rate is None else round(DECISION.probability("fast", score, base_rate), 6),
        )


def _proposal(phrase: str) -> tuple[str | None, str, float]:
    suggestion, weight = PHRASES[phrase]
    return suggestion, "known_phrase" if suggestion else "debris", weight


def verdict_on(text: str, id: str | None = "a.txt", **changes: Any) -> Verdict:
    """Return the verdict on a text, with changes."""
    return replace(FakeDetector().score(text, id=id), **changes)


def load_fake(bundle: Path | None) -> FakeDetector:
    """Stand in for service.commands.score.load_detector."""
    return FakeDetector()


if __name__ == "__main__":  # the command line in a separate process, for signals and pipes
    from unspun.service.cli import main

    main(load_fake)
