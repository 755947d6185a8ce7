"""The one answer that every surface gives: Python, command line, HTTP, page and report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

VerdictWord = Literal["paraphrased", "suspect", "clear", "abstained"]
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)
"""The verdicts, worst first."""
Kind = Literal["spun", "translated", "rewritten"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The kinds of paraphrase, in the order in which every array has them."""
Reason = Literal["too_short", "not_english", "not_prose", "unfamiliar"]
Depth = Literal["fast", "deep"]
Judgement = Literal["human", Kind]
"""What a person may say about a text."""
JUDGEMENTS: tuple[Judgement, ...] = ("human", *KINDS)
Label = Literal["human", "llm", Kind]
"""What a labelled text is; `llm`: written by a language model, never paraphrased."""
LABELS: tuple[Label, ...] = ("human", "llm", *KINDS)


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
class Repair:
    """What was repaired before the text was read, and in how many places."""

    what: str
    count: int

    def to_dict(self) -> dict[str, Any]:
        """Return the repair as plain JSON types."""
        return {"what": self.what, "count": self.count}


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

    `false_positive_rate` is how often human text of this length shows evidence at least as strong, for a source at the
    90th percentile of the calibration sources; never below what the sample supports. `score` is a fixed function of the
    unrounded rate: 0.9 at the threshold of `paraphrased`, 0.5 at that of `suspect`. `kinds` is the same function of
    each kind's own rate; they are not probabilities. `share` is the part of the words in suspicious windows. All four
    are None where no verdict is given, and `reason` says why. `probability` is there only where a base rate was given.
    `evidence` is None where it was not asked for, and `passages` is empty then: where in a longer text the paraphrased
    part is, unless it is the whole text. The fields stand in the order of the JSON.
    """

    id: str | None
    verdict: VerdictWord
    kind: Kind | None
    score: float | None
    false_positive_rate: float | None
    share: float | None
    kinds: dict[str, float] | None
    probability: float | None = field(default=None, kw_only=True)
    reason: Reason | None
    words: int
    depth: Depth
    repairs: tuple[Repair, ...]
    evidence: tuple[Evidence, ...] | None
    passages: tuple[SpunPassage, ...] = field(default=(), kw_only=True)
    model: ModelInfo

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain JSON types, keys in the documented order."""
        answer: dict[str, Any] = {
            "id": self.id,
            "verdict": self.verdict,
            "kind": self.kind,
            "score": self.score,
            "false_positive_rate": self.false_positive_rate,
            "share": self.share,
            "kinds": None if self.kinds is None else dict(self.kinds),
        }
        if self.probability is not None:
            answer["probability"] = self.probability
        answer |= {
            "reason": self.reason,
            "words": self.words,
            "depth": self.depth,
            "repairs": [repair.to_dict() for repair in self.repairs],
        }
        if self.evidence is not None:
            answer["evidence"] = [evidence.to_dict() for evidence in self.evidence]
            answer["passages"] = [passage.to_dict() for passage in self.passages]
        answer["model"] = self.model.to_dict()
        return answer

    @classmethod
    def from_dict(cls, answer: Mapping[str, Any]) -> Verdict:
        """Return the verdict of which `answer` is the `to_dict`; keys of a later version are ignored.

        Raises LookupError, TypeError, ValueError and AttributeError where it is not one.
        """
        evidence = answer.get("evidence")
        kinds = answer["kinds"]
        return cls(
            id=answer["id"],
            verdict=answer["verdict"],
            kind=answer["kind"],
            score=answer["score"],
            false_positive_rate=answer["false_positive_rate"],
            share=answer["share"],
            kinds=None if kinds is None else dict(kinds),
            reason=answer["reason"],
            words=answer["words"],
            depth=answer["depth"],
            repairs=tuple(Repair(item["what"], item["count"]) for item in answer["repairs"]),
            evidence=None if evidence is None else tuple(Evidence.from_dict(item) for item in evidence),
            model=ModelInfo.from_dict(answer["model"]),
            passages=tuple(SpunPassage(p["start"], p["end"], p["words"]) for p in answer.get("passages") or ()),
            probability=answer.get("probability"),
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
