"""Prepare lessons for the encoder: texts in word pieces, each machine text beside its human original.

Only texts with the role `train` are used. Lessons are written to shards (`.npz`), so that more can be added while the
encoder is being trained.

Examples:
    python -m unspun.training.encoder.lessons ../shared/corpora --lexicons ../shared/lexicons --output work/lessons \\
        --part human
    python -m unspun.training.encoder.lessons ../shared/corpora --output work/lessons --part machines
    python -m unspun.training.encoder.lessons work/round_trips_pt.jsonl --output work/lessons --part machines \\
        --name round_trips_pt
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from unspun.model.atomic import atomic_write
from unspun.model.comparing.align import substitutions
from unspun.model.text.document import Documents
from unspun.model.text.repair import repair
from unspun.model.tiers.deep import prose_pieces
from unspun.model.tiers.wordpieces import WordPieces
from unspun.model.verdict import JUDGEMENTS
from unspun.training.command import add_workers, labelled_parser
from unspun.training.corpora.corpus import LabelledText
from unspun.training.corpora.roles import default_roles, read_training_texts, sample, source_of
from unspun.training.encoder.network import pretrained_folder
from unspun.training.machines.base import Substitution
from unspun.training.machines.edits import EDITS, partly_reverted
from unspun.training.machines.spinning import spin

IGNORED = -1
"""Label of a piece that is not learned from, for example because it is not known whether it was replaced."""
NO_PIECE = -1
HUMAN_LIMIT, MACHINE_LIMIT = 900, 1500
"""Maximum lessons from human texts per source, and from machine texts per source and maker."""
EDITED_LIMIT = 40
"""Maximum edited texts per source and maker."""
LEAST_PIECES = 20
LEAST_CHANGES = 2
CHUNK = 100
"""Texts per job."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A text to learn from, whose label `kind` is one of JUDGEMENTS.

    `changes` are the words that a spinner replaced, in order; None if unknown. `original` is the human text that a
    machine text was made from. `source` and `maker` are used to balance the lessons.
    """

    text: str
    kind: str
    source: str
    maker: str
    changes: Sequence[Substitution] | None = None
    original: str | None = None


@dataclass(frozen=True, eq=False)
class Lessons:
    """N texts with P word pieces in total.

    `ids` (P,) are the pieces, `replaced` (P,) is 1 for a piece written by a spinner, 0 for others, or IGNORED, and
    `before` (P,) is the piece that was replaced, or NO_PIECE. Text n has the pieces ptr[n]:ptr[n + 1]. `kind` (N,) is
    an index into JUDGEMENTS, `partner` (N,) the index of the human original or -1; `source` and `maker` (N,) are names.
    """

    ids: NDArray[np.uint16]
    replaced: NDArray[np.int8]
    before: NDArray[np.int32]
    ptr: NDArray[np.int64]
    kind: NDArray[np.int8]
    partner: NDArray[np.int64]
    source: NDArray[np.str_]
    maker: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def save(self, file: Path) -> None:
        """Write a shard."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as handle:
            np.savez(handle, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, files: Iterable[Path]) -> Lessons:
        """Read shards and join them in the given order."""
        shards = []
        for file in files:
            with np.load(file, allow_pickle=False) as arrays:
                shards.append(cls(**arrays))
        return cls.join(shards)

    @classmethod
    def join(cls, parts: Sequence[Lessons]) -> Lessons:
        """Return all parts in one, with offsets and partners adjusted."""
        columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(cls)}
        texts = np.cumsum([0, *map(len, parts)]).tolist()
        pieces = np.cumsum([0, *(len(part.ids) for part in parts)]).tolist()
        columns["ptr"] = [part.ptr[1 if i else 0 :] + pieces[i] for i, part in enumerate(parts)]
        columns["partner"] = [np.where(part.partner >= 0, part.partner + texts[i], -1) for i, part in enumerate(parts)]
        return cls(**{name: np.concatenate(arrays) for name, arrays in columns.items()})


def prepare(lessons: Sequence[Lesson], jobs: int = 1) -> Lessons:
    """Split lessons into word pieces exactly as the engine does, and label the pieces."""
    chunks = [lessons[start : start + CHUNK] for start in range(0, max(len(lessons), 1), CHUNK)]
    return Lessons.join(Parallel(n_jobs=jobs)(delayed(_prepare)(chunk) for chunk in chunks))


class _Pieces(NamedTuple):
    """The columns of `Lessons` with one value per piece."""

    ids: NDArray[np.uint16]
    replaced: NDArray[np.int8]
    before: NDArray[np.int32]


def _prepare(lessons: Sequence[Lesson]) -> Lessons:
    wordpieces = WordPieces.read(pretrained_folder() / "vocab.txt")
    numbers = {piece: number for number, piece in enumerate(wordpieces.pieces)}
    kept: list[tuple[Lesson, _Pieces, int]] = []
    for lesson in lessons:
        pieces = _label_pieces(lesson, wordpieces, numbers)
        if pieces is None:
            continue
        partner = -1
        if lesson.original is not None:
            human = Lesson(lesson.original, "human", lesson.source, "original", ())
            original = _label_pieces(human, wordpieces, numbers)
            if original is not None:
                partner = len(kept)
                kept.append((human, original, -1))
        kept.append((lesson, pieces, partner))
    return Lessons(
        ids=np.concatenate([np.zeros(0, np.uint16), *(pieces.ids for _, pieces, _ in kept)]),
        replaced=np.concatenate([np.zeros(0, np.int8), *(pieces.replaced for _, pieces, _ in kept)]),
        before=np.concatenate([np.zeros(0, np.int32), *(pieces.before for _, pieces, _ in kept)]),
        ptr=np.cumsum([0, *(len(pieces.ids) for _, pieces, _ in kept)]).astype(np.int64),
        kind=np.array([JUDGEMENTS.index(lesson.kind) for lesson, _, _ in kept], dtype=np.int8),
        partner=np.array([partner for _, _, partner in kept], dtype=np.int64),
        source=np.array([lesson.source for lesson, _, _ in kept], dtype=np.str_),
        maker=np.array([lesson.maker for lesson, _, _ in kept], dtype=np.str_),
    )


def _label_pieces(lesson: Lesson, wordpieces: WordPieces, numbers: dict[str, int]) -> _Pieces | None:
    """Return the labelled pieces of a lesson, or None if it has too little prose.

    All pieces of a replaced word are labelled as replaced.
    """
    documents = Documents.parse([lesson.text])
    ids, token = prose_pieces(wordpieces, documents, 0)
    if len(ids) < LEAST_PIECES:
        return None
    replaced = np.full(len(ids), IGNORED if lesson.changes is None else 0, dtype=np.int8)
    before = np.full(len(ids), NO_PIECE, dtype=np.int32)
    starts, ends = documents.token_start[token], documents.token_end[token]
    for change in lesson.changes or ():
        first = int(np.searchsorted(ends, change.start, side="right"))
        rows = slice(first, int(np.searchsorted(starts, change.end, "left")))
        original = change.original.lower()
        if original in ("a", "an"):  # an article corrected before a replaced word
            replaced[rows] = IGNORED
        else:
            replaced[rows] = 1
            before[rows] = numbers.get(original, NO_PIECE)
    return _Pieces(ids.astype(np.uint16), replaced, before)


def _repaired(text: str) -> str | None:
    """Return a repaired text, or None if a second repair would change it again."""
    repaired = repair(text).text
    return None if repair(repaired).counts else repaired


def human_lessons(
    texts: Sequence[LabelledText], copies: int, lexicons: Path | None, seed: int, jobs: int
) -> Iterator[Lesson]:
    """Yield human texts, and paraphrases of them by our own spinners."""
    chosen = sample([text for text in texts if text.label == "human"], HUMAN_LIMIT)
    human = [(text.source, repaired) for text in chosen if (repaired := _repaired(text.text)) is not None]
    originals = [text for _, text in human]
    for copy in range(copies):
        spun = spin(originals, seed=seed + 1000 * (copy + 1), lexicons=lexicons, jobs=jobs, first=2 * copy)
        for (source, original), one in zip(human, spun, strict=True):
            if len(one.substitutions) >= LEAST_CHANGES and not repair(one.text).counts:
                yield Lesson(one.text, "spun", source, f"own:{one.paraphraser}", one.substitutions, original)
            elif not copy:
                yield Lesson(original, "human", source, "people", ())


def machine_lessons(texts: Sequence[LabelledText], jobs: int) -> Iterator[Lesson]:
    """Yield texts by real machines. Words replaced by a real spinner are found by alignment with the original."""
    chosen = sample([text for text in texts if text.label not in ("human", "llm")], MACHINE_LIMIT)
    chunks = [chosen[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)]
    for chunk in Parallel(n_jobs=jobs, return_as="generator")(delayed(_machine_lessons)(one) for one in chunks):
        yield from chunk


def _machine_lessons(texts: Sequence[LabelledText]) -> list[Lesson]:
    answer = []
    for text in texts:
        repaired = _repaired(text.text)
        if repaired is None:
            continue
        changes = None
        if text.label == "spun" and text.original:
            # Even if the spinner's input was not human, it is known which words the spinner replaced.
            pairs = substitutions(repair(text.original).text, repaired, inflections=True)
            changes = [Substitution(pair.start, pair.end, pair.original_text) for pair in pairs]
        answer.append(_machine_lesson(text, repaired, changes))
    return answer


def _machine_lesson(text: LabelledText, content: str, changes: Sequence[Substitution] | None) -> Lesson:
    maker = default_roles().maker(text) or ""
    return Lesson(content, text.label, source_of(text), maker, changes, _human_original(text))


def _human_original(text: LabelledText) -> str | None:
    return repair(text.original).text if text.original and text.original_is_human is not False else None


def edited_lessons(texts: Sequence[LabelledText], limit: int, seed: int) -> Iterator[Lesson]:
    """Yield texts that were edited but keep their label, at most `limit` per source and maker.

    Human texts are corrected or respelled. In machine texts, some passages are changed back to the original.
    """
    rng = np.random.default_rng(seed)
    for text in sample(texts, limit):
        repaired = _repaired(text.text)
        if repaired is None:
            continue
        if text.label == "human":
            for edit in EDITS:
                edited = edit.paraphrase(repaired, rng).text
                if edited != repaired:
                    yield Lesson(edited, edit.kind, source_of(text), edit.name, ())
        elif text.label in ("translated", "rewritten") and (original := _human_original(text)) is not None:
            yield _machine_lesson(text, partly_reverted(repaired, original, rng), None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of shards")
    parser.add_argument(
        "--part",
        choices=("human", "machines", "edits"),
        required=True,
        help="human texts and our own paraphrases of them, texts by real machines, or edited texts",
    )
    parser.add_argument("--name", help="name of the shard (default: the part)")
    parser.add_argument("--copies", type=int, default=1, help="paraphrases per human text (default: 1)")
    parser.add_argument("--lexicons", type=Path, help="folder of phrase lists for our own spinners")
    parser.add_argument("--seed", type=int, default=0, help="seed of the paraphrases and edits (default: 0)")
    add_workers(parser, 2)
    options = parser.parse_args(arguments)
    texts = read_training_texts(options.labelled)
    if options.part == "human":
        lessons = list(human_lessons(texts, options.copies, options.lexicons, options.seed, options.workers))
    elif options.part == "edits":
        lessons = list(edited_lessons(texts, EDITED_LIMIT, options.seed))
    else:
        lessons = list(machine_lessons(texts, options.workers))
    prepared = prepare(lessons, options.workers)
    prepared.save(options.output / f"{options.name or options.part}.npz")
    counts = Counter(JUDGEMENTS[kind] for kind in prepared.kind.tolist())
    print(f"{len(prepared)} lessons, {len(prepared.ids):,} pieces: {dict(counts)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
