"""The Verdict: the answer that Python, the command line, HTTP, the page and the report all give.

Each field says here what it means and which values it takes; every other form is derived from that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from unspun.model.fields import JsonRecord, about

VerdictWord = Literal["paraphrased", "suspect", "clear", "abstained"]
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)
"""The verdicts, worst first."""
Kind = Literal["spun", "translated", "rewritten"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The kinds of paraphrase, in the order of every array."""
Reason = Literal["too_short", "not_english", "verse", "not_prose", "allowed_terms", "unfamiliar", "unsettled"]
Depth = Literal["first", "fast", "deep"]
TIERS: tuple[Depth, ...] = get_args(Depth)
"""The tiers, the fastest first."""
DepthChoice = Literal["first", "auto", "fast", "deep"]
"""The depths that a caller can choose."""
EvidenceChoice = bool | Literal["all"]
"""Which texts get evidence: all but `clear` ones, none, or all."""
Judgement = Literal["human", Kind]
"""The labels that a person may give a text."""
JUDGEMENTS: tuple[Judgement, ...] = ("human", *KINDS)
Label = Literal["human", "llm", Kind]
"""The labels of texts for training and evaluation. `llm`: written by a language model, not paraphrased."""
LABELS: tuple[Label, ...] = ("human", "llm", *KINDS)

_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False)


@dataclass(frozen=True, slots=True)
class Evidence(JsonRecord):
    """A passage that points to a machine: `text[start:end]` of the submitted text."""

    start: int = field(metadata=about("Offset of the first character in the submitted text.", ge=0, example=4))
    end: int = field(metadata=about("Offset after the last character.", ge=0, example=29))
    text: str = field(metadata=about("The words found there.", example="imaginative and prescient"))
    suggestion: str | None = field(
        metadata=about(
            "What may have stood there before; null if the words are odd but no original is known.", example="vision"
        )
    )
    signal: str = field(metadata=about("The signal that found it.", example="known_phrase"))
    weight: float = field(
        metadata=about(
            "How much more likely the words are in machine-paraphrased text than in human text, in nats.", example=3.1
        )
    )
    alternatives: tuple[str, ...] = field(
        default=(), metadata=about("Other possible originals, the likeliest first.", example=())
    )
    probable: bool = field(
        default=False,
        metadata=about(
            "Whether the suggestion is probably right: at least half of such suggestions are, in texts by tools that "
            "the model was not trained on. If false, read it as an example.",
            example=True,
        ),
    )


@dataclass(frozen=True, slots=True)
class SpunPassage(JsonRecord):
    """The suspicious part of a longer text: `text[start:end]` of the submitted text."""

    start: int = field(metadata=about("Offset of the first character in the submitted text.", ge=0))
    end: int = field(metadata=about("Offset after the last character.", ge=0))
    words: int = field(metadata=about("Words of prose in the passage.", ge=0))

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"


@dataclass(frozen=True, slots=True)
class Sentence(JsonRecord):
    """How suspicious one sentence is: `text[start:end]` of the submitted text."""

    start: int = field(metadata=about("Offset of the first character in the submitted text.", ge=0, example=0))
    end: int = field(metadata=about("Offset after the last character.", ge=0, example=74))
    score: float = field(
        metadata=about(
            "The share of sentences in human text that show weaker evidence. This scale is not that of the text's "
            "score: 1 in 10 human sentences has 0.9 or more.",
            ge=0,
            le=1,
            example=0.96,
        )
    )
    kind: Kind = field(metadata=about("The kind with the strongest evidence in this sentence.", example="translated"))

    def __str__(self) -> str:
        return f"{self.start}-{self.end}:{self.kind}:{self.score}"


@dataclass(frozen=True, slots=True)
class Observation(JsonRecord):
    """What a signal saw in the text as a whole, compared with human text."""

    signal: str = field(metadata=about("The signal.", example="translationese"))
    measure: str = field(metadata=about("What it measured.", example="mark_;"))
    percentile: float = field(
        metadata=about("The share of human texts in which this measure is lower.", ge=0, le=1, example=0.97)
    )
    text: str = field(
        metadata=about("The same in words.", example="Semicolons are more frequent than in 97 % of human texts.")
    )

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Repair(JsonRecord):
    """A defect that was repaired before the text was read."""

    what: str = field(metadata=about("What was repaired.", example="zero_width"))
    count: int = field(metadata=about("In how many places.", ge=0, example=3))

    def __str__(self) -> str:
        return f"{self.what}:{self.count}"


@dataclass(frozen=True, slots=True)
class ModelInfo(JsonRecord):
    """The model that gave an answer."""

    name: str = field(metadata=about("Name of the model.", example="default"))
    version: str = field(metadata=about("Version of the model.", example="2.1.0"))
    sha256: str = field(metadata=about("SHA-256 of the model's manifest.", example="0" * 64))


@dataclass(frozen=True, slots=True)
class Verdict(JsonRecord):
    """unspun's verdict on one text. The fields are in the order of the JSON."""

    id: str | None = field(metadata=about("The id as submitted.", example="a"))
    verdict: VerdictWord = field(
        metadata=about(
            "`paraphrased`: given to about 0.5 % of human texts. `suspect` or `paraphrased`: given to about 3 %. "
            "`abstained`: the text cannot be judged.",
            example="paraphrased",
        )
    )
    kind: Kind | None = field(
        metadata=about(
            "The kind with the strongest evidence; null if the verdict is `clear` or `abstained`.", example="spun"
        )
    )
    score: float | None = field(
        metadata=about(
            "A scale, not a probability: 0.5 is the threshold of `suspect` and 0.9 that of `paraphrased`, at every "
            "length and depth. A fixed function of the unrounded false-positive rate. Null if unspun "
            "abstains or the first tier decided.",
            ge=0,
            le=1,
            example=0.97,
        )
    )
    false_positive_rate: float | None = field(
        metadata=about(
            "How often human text of this length shows evidence at least as strong, for a source at the 90th "
            "percentile of the calibration sources. Never below what the sample supports. Null if unspun "
            "abstains or the first tier decided.",
            ge=0,
            le=1,
            example=0.0021,
        )
    )
    share: float | None = field(
        metadata=about(
            "The share of the words that are in suspicious parts of the text; 0 for `clear`. Null if unspun "
            "abstains or the first tier decided.",
            ge=0,
            le=1,
            example=0.93,
        )
    )
    kinds: dict[str, float] | None = field(
        metadata=about(
            "The score of each kind alone. These are not probabilities and do not add up to 1. `rewritten` does not "
            "prove that a source exists: text that a language model wrote from nothing often gets it. Null if unspun "
            "abstains or the first tier decided.",
            keys=KINDS,
            example={"spun": 0.97, "translated": 0.12, "rewritten": 0.08},
        )
    )
    probability: float | None = field(
        default=None,
        kw_only=True,
        metadata=about(
            "The probability that a machine paraphrased the text. Left out unless a base rate is given.",
            ge=0,
            le=1,
            left_out_with="probability",
            example=0.61,
        ),
    )
    reason: Reason | None = field(
        metadata=about(
            "Why unspun abstains; null if it does not. `unfamiliar`: the text is too unlike the text that unspun was "
            "calibrated on. `allowed_terms`: more than a fifth of its words are allowed terms. `unsettled`: only the "
            "first tier was asked, and it cannot tell."
        )
    )
    words: int = field(
        metadata=about(
            "Words of prose, without allowed terms. The first tier counts all words.",
            ge=0,
            example=812,
        )
    )
    allowed: int | None = field(
        default=None,
        kw_only=True,
        metadata=about(
            "Words of prose in allowed terms, which are not judged. Left out if no terms are allowed.",
            ge=0,
            left_out_with="allowed",
            example=7,
        ),
    )
    english: float = field(
        default=1.0,
        kw_only=True,
        metadata=about(
            "The share of the words that are not in sentences of another language. Only English is judged.",
            ge=0,
            le=1,
            example=1.0,
        ),
    )
    depth: Depth = field(
        metadata=about(
            "The tier that decided. `first`: the first tier found nothing that a later one would find; it gives only "
            "the verdict `clear`, without scores.",
            example="deep",
        )
    )
    repairs: tuple[Repair, ...] = field(metadata=about("What was repaired before the text was read."))
    evidence: tuple[Evidence, ...] | None = field(
        metadata=about(
            "The passages that point to a machine. Left out if no evidence is requested, and of a `clear` text unless "
            "all evidence is.",
            left_out_with="evidence",
        )
    )
    passages: tuple[SpunPassage, ...] = field(
        default=(),
        kw_only=True,
        metadata=about(
            "The suspicious parts of a longer text; empty if they are the whole text. Left out with the evidence.",
            left_out_with="evidence",
            example=(),
        ),
    )
    sentences: tuple[Sentence, ...] = field(
        default=(),
        kw_only=True,
        metadata=about(
            "How suspicious each sentence of prose is, in the order of the text: the 1,000 strongest of a longer text. "
            "Left out with the evidence.",
            left_out_with="evidence",
        ),
    )
    observations: tuple[Observation, ...] = field(
        default=(),
        kw_only=True,
        metadata=about(
            "What the signals saw in the text as a whole, the strongest first. Left out with the evidence.",
            left_out_with="evidence",
        ),
    )
    model: ModelInfo = field(metadata=about("The model that gave the verdict."))

    def without_evidence(self) -> Verdict:
        """Return the verdict as if no evidence had been requested."""
        return replace(self, evidence=None, passages=(), sentences=(), observations=())

    def with_repairs(self, found: Mapping[str, int]) -> Verdict:
        """Return the verdict with more repairs, such as those of the format that the text was read from.

        `found` says what was repaired, and how often. Repairs of the same kind are added up.
        """
        if not found:
            return self
        counts = Counter({repair.what: repair.count for repair in self.repairs}) + Counter(found)
        return replace(self, repairs=tuple(Repair(what, count) for what, count in sorted(counts.items())))

    def to_json(self) -> str:
        """Return the verdict as one line of JSON: the same bytes on every surface.

        Lone surrogates, which UTF-8 cannot encode, are escaped.
        """
        line = _JSON.encode(self.to_dict())
        if not line.isascii():
            try:
                line.encode("utf-8")
            except UnicodeEncodeError:
                return json.dumps(self.to_dict())
        return line
