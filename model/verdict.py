"""The one answer that every surface gives: Python, command line, HTTP, page and report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

VerdictWord = Literal["paraphrased", "suspect", "clear", "abstained"]
Kind = Literal["spun", "translated", "rewritten"]
Reason = Literal["too_short", "not_english", "not_prose"]
Depth = Literal["fast", "deep"]
Name = TypeVar("Name", bound=str)

KINDS = ("human", "spun", "translated", "rewritten")
"""The classes, in the order in which every array and every answer holds them."""
PRIOR = (0.5, 0.3, 0.1, 0.1)
"""The shares of KINDS among the texts of which a score is the probability: what is said of a text that says nothing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that gives the machine away, and what probably stood there.

    `start` and `end` are character offsets into the text as submitted, so that `text[start:end] == evidence.text`.
    `suggestion` is what probably stood there, None where the passage is odd but no original is proposed;
    `alternatives` are what may have stood there instead, likeliest first. `weight` is in nats: how much more likely the
    passage is in machine-paraphrased text than in text that people write.
    """

    start: int
    end: int
    text: str
    suggestion: str | None
    signal: str
    weight: float
    alternatives: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> Evidence:
        """Return the evidence of which `item` is the `to_dict`."""
        return cls(
            item["start"],
            item["end"],
            item["text"],
            item["suggestion"],
            item["signal"],
            item["weight"],
            tuple(item["alternatives"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the evidence as plain JSON types, keys in the documented order."""
        return {
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "suggestion": self.suggestion,
            "signal": self.signal,
            "weight": self.weight,
            "alternatives": list(self.alternatives),
        }


@dataclass(frozen=True, slots=True)
class SpunPassage:
    """A part of a longer text in which the replaced words stand: `text[start:end]` of the text as submitted."""

    start: int
    end: int
    words: int

    def to_dict(self) -> dict[str, int]:
        """Return the passage as plain JSON types."""
        return {"start": self.start, "end": self.end, "words": self.words}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model gave an answer."""

    name: str
    version: str
    sha256: str

    def to_dict(self) -> dict[str, str]:
        """Return the model's identity as plain JSON types."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256}

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> ModelInfo:
        """Return the identity of which `item` is the `to_dict`."""
        return cls(item["name"], item["version"], item["sha256"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What unspun says about one text.

    `score` is the calibrated probability that the text is machine-paraphrased and equals `1 - kinds["human"]`;
    `kinds` sums to 1. `evidence` is None where it was not asked for, which leaves the key out of the answer, and
    `passages` with it: where in a longer text the spun part stands, empty where it is the whole text or nowhere.
    """

    id: str | None
    score: float
    verdict: VerdictWord
    kind: Kind | None
    kinds: dict[str, float]
    reason: Reason | None
    words: int
    depth: Depth
    evidence: tuple[Evidence, ...] | None
    model: ModelInfo
    passages: tuple[SpunPassage, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain JSON types, keys in the documented order."""
        answer: dict[str, Any] = {
            "id": self.id,
            "score": self.score,
            "verdict": self.verdict,
            "kind": self.kind,
            "kinds": dict(self.kinds),
            "reason": self.reason,
            "words": self.words,
            "depth": self.depth,
        }
        if self.evidence is not None:
            answer["evidence"] = [evidence.to_dict() for evidence in self.evidence]
            answer["passages"] = [passage.to_dict() for passage in self.passages]
        answer["model"] = self.model.to_dict()
        return answer

    @classmethod
    def from_dict(cls, answer: Mapping[str, Any]) -> Verdict:
        """Return the verdict of which `answer` is the `to_dict`; what a later version says besides is passed over.

        Raises LookupError, TypeError, ValueError and AttributeError where it is none.
        """
        evidence = answer.get("evidence")
        return cls(
            id=answer["id"],
            score=answer["score"],
            verdict=answer["verdict"],
            kind=answer["kind"],
            kinds=dict(answer["kinds"]),
            reason=answer["reason"],
            words=answer["words"],
            depth=answer["depth"],
            evidence=None if evidence is None else tuple(Evidence.from_dict(item) for item in evidence),
            model=ModelInfo.from_dict(answer["model"]),
            passages=tuple(SpunPassage(p["start"], p["end"], p["words"]) for p in answer.get("passages") or ()),
        )

    def to_json(self) -> str:
        """Return the verdict as one line of JSON: the same bytes on every surface.

        Lone surrogates, which UTF-8 cannot carry, leave as JSON escapes.
        """
        line = json.dumps(self.to_dict(), ensure_ascii=False, separators=(", ", ": "))
        try:
            line.encode("utf-8")
        except UnicodeEncodeError:
            return json.dumps(self.to_dict(), ensure_ascii=True, separators=(", ", ": "))
        return line


@dataclass(frozen=True, slots=True)
class Band:
    """Thresholds on the score for texts of `words` words and more: `suspect`, `paraphrased`."""

    words: int
    suspect: float
    paraphrased: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a score becomes a word: bands by length, shortest first, and the shortest text that is judged at all."""

    minimum_words: int
    bands: tuple[Band, ...]

    @classmethod
    def from_manifest(cls, entry: dict[str, Any]) -> Thresholds:
        """Read the `thresholds` of a bundle's manifest."""
        bands = tuple(
            Band(int(band["words"]), float(band["suspect"]), float(band["paraphrased"])) for band in entry["bands"]
        )
        return cls(int(entry["minimum_words"]), tuple(sorted(bands, key=lambda band: band.words)))

    def band(self, words: int) -> Band:
        """Return the band of texts of that many words."""
        fitting = [band for band in self.bands if band.words <= words] or [self.bands[0]]
        return fitting[-1]

    def word(self, score: float, words: int) -> Literal["paraphrased", "suspect", "clear"]:
        """Return the verdict for a score of a text of that many words."""
        band = self.band(words)
        if score >= band.paraphrased:
            return "paraphrased"
        return "suspect" if score >= band.suspect else "clear"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Where `auto` is content with the fast tier: below these limits both of the score, by length, and of the contrast
    of the text's strongest stretch (model.passages.contrast).
    """

    bands: tuple[tuple[int, float], ...]
    contrast: float

    @classmethod
    def from_manifest(cls, entry: dict[str, Any]) -> Doubt:
        """Read the `doubt` of a bundle's manifest."""
        bands = sorted((int(band["words"]), float(band["score"])) for band in entry["bands"])
        return cls(tuple(bands), float(entry["contrast"]))

    def settles(self, score: float, words: int, contrast: float) -> bool:
        """Return whether the fast tier's answer stands."""
        limit = [score for least, score in self.bands if least <= words] or [self.bands[0][1]]
        return score < limit[-1] and contrast < self.contrast


def decide(
    *,
    id: str | None,
    probabilities: tuple[float, ...],
    words: int,
    reason: Reason | None,
    depth: Depth,
    evidence: tuple[Evidence, ...] | None,
    model: ModelInfo,
    thresholds: Thresholds,
    passages: tuple[SpunPassage, ...] = (),
) -> Verdict:
    """Turn the probabilities of KINDS into the verdict: the only place where a score becomes a word.

    Where nothing is judged the probabilities fall back to the prior: wholly where the text is no English prose, by its
    length where it is too short. Probabilities are rounded to six places, the last kind taking up the difference,
    so that the numbers that are
    shown sum to one, and the thresholds are compared with the score that is shown.
    """
    if reason is not None:
        probabilities = _weakened(probabilities, words / thresholds.minimum_words if reason == "too_short" else 0.0)
    kinds = millionths(probabilities, KINDS)
    score = round(1.0 - kinds["human"], 6)
    word: VerdictWord = "abstained" if reason is not None else thresholds.word(score, words)
    machine: tuple[Kind, ...] = ("spun", "translated", "rewritten")
    likeliest = max(machine, key=kinds.__getitem__)
    kind = likeliest if word in ("paraphrased", "suspect") else None
    return Verdict(
        id=id,
        score=score,
        verdict=word,
        kind=kind,
        kinds=kinds,
        reason=reason,
        words=words,
        depth=depth,
        evidence=evidence,
        model=model,
        passages=passages if kind == "spun" else (),
    )


def _weakened(probabilities: tuple[float, ...], trust: float) -> tuple[float, ...]:
    """Return the geometric mean of the probabilities, with weight `trust` (0 to 1), and PRIOR."""
    share = min(max(trust, 0.0), 1.0)
    mixed = [max(p, 1e-9) ** share * q ** (1.0 - share) for p, q in zip(probabilities, PRIOR, strict=True)]
    return tuple(value / sum(mixed) for value in mixed)


def millionths(shares: Sequence[float], names: Sequence[Name]) -> dict[Name, float]:
    """Round shares to millionths that sum to exactly one, by largest remainder; returns them by name."""
    scaled = [share * 1_000_000 for share in shares]
    whole = [int(value) for value in scaled]
    order = sorted(range(len(scaled)), key=lambda i: (whole[i] - scaled[i], i))
    for i in order[: 1_000_000 - sum(whole)]:
        whole[i] += 1
    return {name: value / 1_000_000 for name, value in zip(names, whole, strict=True)}
