"""A detector that is quick, deterministic and keeps to the interface of model.detector.Detector."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from pathlib import Path

from model.bundle import Bundle, load
from model.verdict import Evidence, Kind, ModelInfo, Reason, Verdict, VerdictWord

PHRASES = {
    "imaginative and prescient": ("vision", 3.1),
    "vitality": ("energy", 1.4),
    "counterfeit consciousness": ("artificial intelligence", 4.0),
    "the The": (None, 0.6),
}
PATTERN = re.compile("|".join(map(re.escape, PHRASES)))
WORDS_NEEDED = 5


class FakeDetector:
    """Says `paraphrased` of two known phrases or more, `suspect` of one; fails on the words told to it.

    "raise-error" fails its whole batch, as a bug would; "sleep-long" takes half a minute.
    """

    def __init__(self) -> None:
        self.model = ModelInfo("fake", "0.0.1", hashlib.sha256(b"fake").hexdigest())
        self.calls: list[int] = []

    @property
    def bundle(self) -> Bundle:
        """The one that ships: what compares has its words from there."""
        return load()

    def score(self, text: str, *, id: str | None = None, depth: str = "auto", evidence: bool = True) -> Verdict:
        return self.score_many([text], ids=[id], depth=depth, evidence=evidence)[0]

    def score_many(
        self,
        texts: Sequence[str],
        *,
        ids: Sequence[str | None] | None = None,
        depth: str = "auto",
        evidence: bool = True,
    ) -> list[Verdict]:
        self.calls.append(len(texts))
        ids = [None] * len(texts) if ids is None else ids
        return [self._verdict(text, id, evidence) for text, id in zip(texts, ids, strict=True)]

    def _verdict(self, text: str, id: str | None, evidence: bool) -> Verdict:
        if "raise-error" in text:
            raise ZeroDivisionError("division by zero\nsecond line")
        if "sleep-long" in text:
            time.sleep(30)
        found = tuple(Evidence(hit.start(), hit.end(), hit[0], *_proposal(hit[0])) for hit in PATTERN.finditer(text))
        words = len(text.split())
        reason: Reason | None = "too_short" if words < WORDS_NEEDED else None
        score = (0.03, 0.5, 0.97)[min(2, len(found))]
        word: VerdictWord = ("clear", "suspect", "paraphrased")[min(2, len(found))]
        if reason:
            word = "abstained"
        kind: Kind | None = "spun" if word in ("suspect", "paraphrased") else None
        kinds = {"human": 1 - score, "spun": score, "translated": 0.0, "rewritten": 0.0}
        return Verdict(id, score, word, kind, kinds, reason, words, "fast", found if evidence else None, self.model)


def _proposal(phrase: str) -> tuple[str | None, str, float]:
    suggestion, weight = PHRASES[phrase]
    return suggestion, "known_phrase" if suggestion else "debris", weight


def load_fake(bundle: Path | None) -> FakeDetector:
    """Stand in for service.commands.score.load_detector."""
    return FakeDetector()


if __name__ == "__main__":  # the command line in a process of its own, for signals and pipes
    from service.cli import cli

    cli(prog_name="unspun", obj=load_fake)
