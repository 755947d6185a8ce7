"""A quick, deterministic comparer with the interface of model.comparing.comparer.Comparer, made with difflib."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path

from unspun.model.comparing.comparison import (
    RELATIONS,
    Alignment,
    ComparedText,
    Comparison,
    Edit,
    Obstacle,
    Operation,
    Relation,
    Span,
    WordSubstitution,
)
from unspun.model.verdict import ModelInfo

SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)|$)", re.DOTALL)
WORD = re.compile(r"\w+(?:'\w+)*")
OPERATIONS: dict[str, Operation] = {
    "equal": "equal",
    "replace": "replaced",
    "insert": "inserted",
    "delete": "deleted",
}
WORDS_NEEDED = 5
SHARE_NEEDED = 0.4
ALIKE = 0.5
MODEL = ModelInfo("fake", "0.0.1", "0" * 64)


class FakeComparer:
    """Pairs the sentences that share most words; a text is derived if it has two fifths of the source's words.

    "raise-error" in the suspect makes the comparison fail, as a bug would.
    """

    def compare(
        self, suspect: str, source: str, *, suspect_id: str | None = None, source_id: str | None = None
    ) -> Comparison:
        if "raise-error" in suspect:
            raise ZeroDivisionError("division by zero\nsecond line")
        words = len(WORD.findall(suspect)), len(WORD.findall(source))
        reason: Obstacle | None = "too_short" if min(words) < WORDS_NEEDED else None
        if reason:
            return self._answer(suspect_id, source_id, words, 0.0, reason, (), Counter())
        alignments, replaced, shared = _align(suspect, source)
        return self._answer(suspect_id, source_id, words, shared / words[1], None, alignments, replaced)

    def _answer(
        self,
        suspect_id: str | None,
        source_id: str | None,
        words: tuple[int, int],
        share: float,
        reason: Obstacle | None,
        alignments: tuple[Alignment, ...],
        replaced: Counter[tuple[str, str]],
    ) -> Comparison:
        derived = share >= SHARE_NEEDED
        kind: Relation = "spun" if replaced else "copied"
        return Comparison(
            derived,
            round(min(1.0, share), 6),
            kind if derived else None,
            {name: float(name == kind) for name in RELATIONS},
            round(share, 6),
            reason,
            tuple(WordSubstitution(*pair, count) for pair, count in replaced.most_common()),
            ComparedText(suspect_id, words[0]),
            ComparedText(source_id, words[1]),
            MODEL,
            alignments,
        )


def _align(suspect: str, source: str) -> tuple[tuple[Alignment, ...], Counter[tuple[str, str]], int]:
    left = [found.span() for found in SENTENCE.finditer(source)]
    alignments: list[Alignment] = []
    replaced: Counter[tuple[str, str]] = Counter()
    shared, last = 0, -1
    for start, end in (found.span() for found in SENTENCE.finditer(suspect)):
        own = {word.lower() for word in WORD.findall(suspect[start:end])}
        scored = [
            (len(own & {word.lower() for word in WORD.findall(source[a:b])}) / max(1, len(own)), -place)
            for place, (a, b) in enumerate(left)
        ]
        best = max(scored, default=(0.0, 0))
        if best[0] < ALIKE:
            alignments.append(Alignment(Span(start, end), None, 0.0, False))
            continue
        twin = left.pop(-best[1])
        edits, count = _edits(suspect, Span(start, end), source, Span(*twin), replaced)
        shared += count
        alignments.append(Alignment(Span(start, end), Span(*twin), round(best[0], 6), twin[0] < last, edits))
        last = max(last, twin[0])
    alignments += [Alignment(None, Span(*span), 0.0, False) for span in left]
    return tuple(alignments), replaced, shared


def _edits(
    suspect: str, passage: Span, source: str, twin: Span, replaced: Counter[tuple[str, str]]
) -> tuple[tuple[Edit, ...], int]:
    ours = list(WORD.finditer(suspect, passage.start, passage.end))
    theirs = list(WORD.finditer(source, twin.start, twin.end))
    matcher = SequenceMatcher(None, [one[0].lower() for one in theirs], [one[0].lower() for one in ours], False)
    edits, shared = [], 0
    for name, a, b, c, d in matcher.get_opcodes():
        before = Span(theirs[a].start(), theirs[b - 1].end()) if b > a else None
        after = Span(ours[c].start(), ours[d - 1].end()) if d > c else None
        edits.append(Edit(OPERATIONS[name], after, before))
        shared += b - a if name in ("equal", "replace") else 0
        if before and after and name == "replace":
            replaced[source[before.start : before.end].lower(), suspect[after.start : after.end].lower()] += 1
    return tuple(edits), shared


def load_fake(bundle: Path | None) -> FakeComparer:
    """Stand in for service.commands.compare.load_comparer."""
    return FakeComparer()


if __name__ == "__main__":  # the command line in a separate process, for terminals
    from unspun.service.cli import cli

    cli(prog_name="unspun", obj=load_fake)
