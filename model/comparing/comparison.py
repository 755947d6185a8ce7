"""The one answer to "was this text made from that one?", on every surface: Python, command line, HTTP and page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from unspun.model.verdict import KINDS, Kind, ModelInfo

Relation = Literal["copied", Kind]
Obstacle = Literal["too_short", "not_english"]
Operation = Literal["equal", "replaced", "inserted", "deleted"]

RELATIONS: tuple[Relation, ...] = ("copied", *KINDS)
"""How a text may have been made from another, in the order in which every answer holds them."""


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`, in characters of a text as it was submitted."""

    start: int
    end: int

    def to_dict(self) -> dict[str, int]:
        """Return the span as plain JSON types."""
        return {"start": self.start, "end": self.end}

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> Span:
        """Return the span of which `item` is the `to_dict`."""
        return cls(item["start"], item["end"])


def _span(item: Mapping[str, Any] | None) -> Span | None:
    return None if item is None else Span.from_dict(item)


@dataclass(frozen=True, slots=True)
class Edit:
    """A run of words of two aligned sentences: the same in both, replaced, or in one of them only.

    `suspect` is None where words of the source were deleted, `source` where words were inserted.
    """

    operation: Operation
    suspect: Span | None
    source: Span | None

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> Edit:
        """Return the edit of which `item` is the `to_dict`."""
        return cls(item["operation"], _span(item["suspect"]), _span(item["source"]))

    def to_dict(self) -> dict[str, Any]:
        """Return the edit as plain JSON types."""
        return {
            "operation": self.operation,
            "suspect": None if self.suspect is None else self.suspect.to_dict(),
            "source": None if self.source is None else self.source.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Alignment:
    """A passage of the suspect (one or more sentences) and the passage of the source that it was made from.

    `source` is None, with no `edits` and a `similarity` of 0, where nothing in the source corresponds; `suspect` where
    a passage of the source does not reappear. `similarity` is 0 to 1. `moved` says that the passage stands in another
    order than its neighbours. `edits` cover both passages in the suspect's order of words.
    """

    suspect: Span | None
    source: Span | None
    similarity: float
    moved: bool
    edits: tuple[Edit, ...] = ()

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> Alignment:
        """Return the alignment of which `item` is the `to_dict`."""
        edits = tuple(Edit.from_dict(edit) for edit in item["edits"])
        return cls(_span(item["suspect"]), _span(item["source"]), item["similarity"], item["moved"], edits)

    def to_dict(self) -> dict[str, Any]:
        """Return the alignment as plain JSON types."""
        return {
            "suspect": None if self.suspect is None else self.suspect.to_dict(),
            "source": None if self.source is None else self.source.to_dict(),
            "similarity": self.similarity,
            "moved": self.moved,
            "edits": [edit.to_dict() for edit in self.edits],
        }


@dataclass(frozen=True, slots=True)
class Replacement:
    """Words of the source that stand as other words in the suspect, lower-cased, and how often."""

    source: str
    suspect: str
    count: int

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> Replacement:
        """Return the replacement of which `item` is the `to_dict`."""
        return cls(item["source"], item["suspect"], item["count"])

    def to_dict(self) -> dict[str, Any]:
        """Return the replacement as plain JSON types."""
        return {"source": self.source, "suspect": self.suspect, "count": self.count}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What unspun says about a suspect text and its suspected source.

    `probability` that one was made from the other, against two articles on the same event; `derived` whether it is
    called so. `kind` is how, None where it is not; `kinds` are the probabilities of RELATIONS given that it was, and
    sum to 1. `share` (0 to 1) is the part of the source's words that reappears in the suspect, as themselves or
    replaced. `reason` is why nothing can be said, None where something is. `suspect_words` and `source_words` count
    words and numbers. `replacements` are most frequent first, none where it is not derived; `alignments` in the
    suspect's order, what is missing from it at the end. `model` is the one whose words and vectors were compared with.
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
    replacements: tuple[Replacement, ...]
    alignments: tuple[Alignment, ...]
    model: ModelInfo

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON types, keys in the documented order."""
        return {
            "derived": self.derived,
            "probability": self.probability,
            "kind": self.kind,
            "kinds": dict(self.kinds),
            "share": self.share,
            "reason": self.reason,
            "substitutions": [replacement.to_dict() for replacement in self.replacements],
            "suspect": {"id": self.suspect_id, "words": self.suspect_words},
            "source": {"id": self.source_id, "words": self.source_words},
            "model": self.model.to_dict(),
            "alignments": [alignment.to_dict() for alignment in self.alignments],
        }

    @classmethod
    def from_dict(cls, answer: Mapping[str, Any]) -> Comparison:
        """Return the comparison of which `answer` is the `to_dict`; what a later version says besides is passed over.

        Raises LookupError, TypeError, ValueError and AttributeError where it is none.
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
            replacements=tuple(Replacement.from_dict(item) for item in answer["substitutions"]),
            alignments=tuple(Alignment.from_dict(item) for item in answer["alignments"]),
            model=ModelInfo.from_dict(answer["model"]),
        )

    def to_json(self) -> str:
        """Return the comparison as one line of JSON: the same bytes on every surface."""
        return json.dumps(self.to_dict(), ensure_ascii=True, separators=(", ", ": "))
