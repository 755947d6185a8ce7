"""The Comparison: whether one text was made from another, in Python, on the command line, over HTTP and in reports.

Each field says here what it means and which values it takes; JSON and OpenAPI are derived from that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

from unspun.model.fields import JsonRecord, about
from unspun.model.verdict import KINDS, Kind, ModelInfo

Relation = Literal["copied", Kind]
Obstacle = Literal["too_short", "not_english"]
Operation = Literal["equal", "replaced", "inserted", "deleted"]

RELATIONS: tuple[Relation, ...] = ("copied", *KINDS)
"""How a text may have been made from another, in the order of every array."""


@dataclass(frozen=True, slots=True)
class Span(JsonRecord):
    """`text[start:end]`, in characters of a submitted text."""

    start: int = field(metadata=about("Offset of the first character in the submitted text.", ge=0, example=0))
    end: int = field(metadata=about("Offset after the last character.", ge=0, example=29))


@dataclass(frozen=True, slots=True)
class Edit(JsonRecord):
    """A run of words of two aligned passages: the same in both, replaced, or in only one of them."""

    operation: Operation = field(metadata=about("What happened to the words.", example="replaced"))
    suspect: Span | None = field(metadata=about("The words in the suspect; null if they were deleted."))
    source: Span | None = field(metadata=about("The words in the source; null if they were inserted."))


@dataclass(frozen=True, slots=True)
class Alignment(JsonRecord):
    """A passage of the suspect (one or more sentences) and the passage of the source that it was made from.

    If nothing in the source corresponds, there are no edits and the similarity is 0.
    """

    suspect: Span | None = field(
        metadata=about("A passage of the suspect; null if a passage of the source does not reappear.")
    )
    source: Span | None = field(
        metadata=about("The passage of the source that it was made from; null if nothing corresponds.")
    )
    similarity: float = field(metadata=about("How similar the two passages are.", ge=0, le=1, example=0.71))
    moved: bool = field(
        metadata=about("Whether the passage is in a different order than its neighbours.", example=False)
    )
    edits: tuple[Edit, ...] = field(
        default=(), metadata=about("Runs of words that cover both passages, in the suspect's order.")
    )


@dataclass(frozen=True, slots=True)
class WordSubstitution(JsonRecord):
    """Words of the source that were replaced by others in the suspect."""

    source: str = field(metadata=about("Words of the source, in lower case.", example="vision"))
    suspect: str = field(
        metadata=about("The words that replace them, in lower case.", example="imaginative and prescient")
    )
    count: int = field(metadata=about("How often.", ge=1, example=2))


@dataclass(frozen=True, slots=True)
class ComparedText(JsonRecord):
    """One of the two texts."""

    id: str | None = field(metadata=about("The id as submitted.", example="a"))
    words: int = field(metadata=about("Words and numbers in the text.", ge=0, example=409))


@dataclass(frozen=True, slots=True)
class Comparison(JsonRecord):
    """unspun's answer on a suspect text and its suspected source. The fields are in the order of the JSON."""

    derived: bool = field(metadata=about("Whether the suspect is judged to be made from the source.", example=True))
    probability: float = field(
        metadata=about(
            "The probability that it was, as opposed to two articles on the same event.", ge=0, le=1, example=0.99
        )
    )
    kind: Relation | None = field(metadata=about("How it was made; null if it was not.", example="spun"))
    kinds: dict[str, float] = field(
        metadata=about(
            "The probability of each kind, given that the suspect was made from the source. They add up to 1.",
            keys=RELATIONS,
            example={"copied": 0.01, "spun": 0.95, "translated": 0.02, "rewritten": 0.02},
        )
    )
    share: float = field(
        metadata=about(
            "The share of the source's words that reappear in the suspect, unchanged or replaced.",
            ge=0,
            le=1,
            example=0.93,
        )
    )
    reason: Obstacle | None = field(metadata=about("Why the texts cannot be compared; null if they can."))
    substitutions: tuple[WordSubstitution, ...] = field(
        metadata=about("The words that were replaced, most frequent first; empty if the suspect is not derived.")
    )
    suspect: ComparedText = field(metadata=about("The text that may have been made from the other."))
    source: ComparedText = field(metadata=about("The text that it may have been made from."))
    model: ModelInfo = field(metadata=about("The model whose words and vectors were used."))
    alignments: tuple[Alignment, ...] = field(
        metadata=about("Aligned passages in the suspect's order; passages missing from the suspect come last.")
    )

    def to_json(self) -> str:
        """Return the comparison as one line of JSON: the same bytes on every surface."""
        return json.dumps(self.to_dict(), ensure_ascii=True, separators=(", ", ": "))
