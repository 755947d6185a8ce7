"""The result of comparing two texts: the same object in Python, on the command line, over HTTP and on the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from unspun.model.verdict import KINDS, Kind, ModelInfo

Relation = Literal["copied", Kind]
Obstacle = Literal["too_short", "not_english"]
Operation = Literal["equal", "replaced", "inserted", "deleted"]

RELATIONS: tuple[Relation, ...] = ("copied", *KINDS)
"""How a text can have been made from another, in the order of every result."""


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`: offsets in characters into a text as submitted."""

    start: int
    end: int

    @classmethod
    def from_dict(cls, item: Mapping[str, Any] | None) -> Span | None:
        """Rebuild a span from its JSON form; null is None."""
        return None if item is None else cls(item["start"], item["end"])


@dataclass(frozen=True, slots=True)
class Edit:
    """A run of words in two aligned passages: equal, replaced, inserted or deleted.

    `suspect` is None for words of the source that were deleted, `source` for words that were inserted.
    """

    operation: Operation
    suspect: Span | None
    source: Span | None

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> Edit:
        """Rebuild an edit from its JSON form."""
        return cls(item["operation"], Span.from_dict(item["suspect"]), Span.from_dict(item["source"]))


@dataclass(frozen=True, slots=True)
class Alignment:
    """A passage of the suspect (one or more sentences) and the passage of the source that it corresponds to.

    If nothing in the source corresponds, `source` is None, `similarity` 0 and `edits` empty. If a passage of the source
    is missing from the suspect, `suspect` is None. `similarity` is 0 to 1. `moved` means that the passage is in another
    place in the order of the source. `edits` cover both passages, in the suspect's order.
    """

    suspect: Span | None
    source: Span | None
    similarity: float
    moved: bool
    edits: tuple[Edit, ...] = ()

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> Alignment:
        """Rebuild an alignment from its JSON form."""
        return cls(
            Span.from_dict(item["suspect"]),
            Span.from_dict(item["source"]),
            item["similarity"],
            item["moved"],
            tuple(Edit.from_dict(edit) for edit in item["edits"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the alignment as plain JSON types."""
        return {**asdict(self), "edits": [asdict(edit) for edit in self.edits]}


@dataclass(frozen=True, slots=True)
class WordReplacement:
    """Words of the source, the words that replace them in the suspect (both in lower case), and how often."""

    source: str
    suspect: str
    count: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing a suspect text with its suspected source.

    Attributes:
        suspect_id, source_id: the callers' names of the two texts.
        derived: whether the suspect was made from the source.
        probability: of that, as against two articles about the same event.
        kind: how it was made; None unless `derived`.
        kinds: the probabilities of RELATIONS if it was; they add up to 1.
        share: the part (0 to 1) of the source's words that is in the suspect, unchanged or replaced.
        reason: why the texts could not be compared; None if they were.
        suspect_words, source_words: number of words and numbers in each text.
        replacements: replaced words, most frequent first; empty unless `derived`.
        alignments: passages in the suspect's order, then those of the source that are missing from it.
        model: the model whose vocabulary and word vectors were used.
    """

    suspect_id: str | None
    source_id: str | None
    derived: bool
    probability: float
    kind: Relation | None
    kinds: dict[str, float]
    share: float
    reason: Obstacle | None
    suspect_words: int
    source_words: int
    replacements: tuple[WordReplacement, ...]
    alignments: tuple[Alignment, ...]
    model: ModelInfo

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON types, with keys in the documented order."""
        return {
            "derived": self.derived,
            "probability": self.probability,
            "kind": self.kind,
            "kinds": dict(self.kinds),
            "share": self.share,
            "reason": self.reason,
            "substitutions": [asdict(replacement) for replacement in self.replacements],
            "suspect": {"id": self.suspect_id, "words": self.suspect_words},
            "source": {"id": self.source_id, "words": self.source_words},
            "model": self.model.to_dict(),
            "alignments": [alignment.to_dict() for alignment in self.alignments],
        }

    @classmethod
    def from_dict(cls, answer: Mapping[str, Any]) -> Comparison:
        """Rebuild a comparison from its `to_dict` form. Unknown keys, from later versions, are ignored.

        Raises LookupError, TypeError, ValueError or AttributeError if `answer` is not one.
        """
        suspect, source = answer["suspect"], answer["source"]
        return cls(
            suspect_id=suspect["id"],
            source_id=source["id"],
            derived=answer["derived"],
            probability=answer["probability"],
            kind=answer["kind"],
            kinds=dict(answer["kinds"]),
            share=answer["share"],
            reason=answer["reason"],
            suspect_words=suspect["words"],
            source_words=source["words"],
            replacements=tuple(
                WordReplacement(item["source"], item["suspect"], item["count"]) for item in answer["substitutions"]
            ),
            alignments=tuple(Alignment.from_dict(item) for item in answer["alignments"]),
            model=ModelInfo.from_dict(answer["model"]),
        )

    def to_json(self) -> str:
        """Return the comparison as one line of JSON: the same bytes on every surface."""
        return json.dumps(self.to_dict(), ensure_ascii=True, separators=(", ", ": "))
