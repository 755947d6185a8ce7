"""What the encoder learns from: texts as word pieces, each machine text beside the human text that it was made from.

Only texts with the role `train` become lessons. They are written to shards (`.npz`), so that more machine text can be
added while a training run is under way:

    python -m unspun.training.encoder.lessons ../shared/corpora --lexicons ../shared/lexicons \\
        --output work/lessons --part human
    python -m unspun.training.encoder.lessons ../shared/corpora --output work/lessons --part machines
    python -m unspun.training.encoder.lessons work/round_trips_pt.jsonl \\
        --output work/lessons --part machines --name round_trips_pt
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from unspun.model.atomic import atomic_write
from unspun.model.comparing.align import substitutions
from unspun.model.text.document import Documents
from unspun.model.text.repair import repair
from unspun.model.tiers.deep import prose_pieces
from unspun.model.tiers.wordpieces import WordPieces
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import default_roles, sample, source_of
from unspun.training.encoder.network import pretrained_folder
from unspun.training.machines.edits import corrected, respelled, restored
from unspun.training.machines.spinners import Substitution
from unspun.training.machines.spinning import PARAPHRASERS, spin

KINDS = ("human", "spun", "translated", "rewritten")
UNSAID = -1
"""Label of a piece of which it is not known, or does not matter, whether a spinner put it there."""
NO_PIECE = -1
HUMAN_LIMIT, MACHINE_LIMIT = 900, 1500
"""Human texts of one source, and machine texts of one source and maker, that become lessons."""
EDITED_LIMIT = 40
"""Texts of each source and maker that are edited."""
LEAST_PIECES = 20
LEAST_CHANGES = 2
CHUNK = 100


@dataclass(frozen=True, slots=True)
class Lesson:
    """A text to learn from. `changes` are the words that a spinner replaced, in order; None where they are not known.

    `original` is the human text that a machine text was made from. `source` names where it comes from, `maker` the
    machine; both only weigh the lesson.
    """

    text: str
    kind: str
    source: str
    maker: str
    changes: Sequence[Substitution] | None = None
    original: str | None = None


@dataclass(frozen=True, eq=False)
class Lessons:
    """N texts of P word pieces.

    `ids` (P,) uint16; `replaced` (P,) int8: 1 where a spinner put the piece there, 0 where none did, UNSAID; `before`
    (P,) int32: the piece that was there before, or NO_PIECE; the pieces of text n are ptr[n]:ptr[n + 1]. `kind` (N,)
    int8 is a place among KINDS, `partner` (N,) the text that it was made from, or -1; `source` and `maker` (N,).
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
        """Read shards and join them, in the order given."""
        shards = []
        for file in files:
            with np.load(file, allow_pickle=False) as arrays:
                shards.append({name: arrays[name] for name in arrays.files})
        return cls._joined(shards)

    @classmethod
    def _joined(cls, shards: Sequence[dict[str, NDArray[Any]]]) -> Lessons:
        values = {field.name: [shard[field.name] for shard in shards] for field in fields(cls)}
        texts = np.cumsum([0, *(len(kind) for kind in values["kind"])])
        pieces = np.cumsum([0, *(len(ids) for ids in values["ids"])])
        values["ptr"] = [
            ptr[0 if i == 0 else 1 :] + shift for i, (ptr, shift) in enumerate(zip(values["ptr"], pieces, strict=False))
        ]
        values["partner"] = [
            np.where(partner >= 0, partner + shift, -1)
            for partner, shift in zip(values["partner"], texts, strict=False)
        ]
        return cls(**{name: np.concatenate(parts) for name, parts in values.items()})


def prepare(lessons: Sequence[Lesson], jobs: int = 1) -> Lessons:
    """Cut lessons into word pieces exactly as the engine reads a text, and label them."""
    chunks = [lessons[start : start + CHUNK] for start in range(0, len(lessons), CHUNK)]
    found = Parallel(n_jobs=jobs)(delayed(_prepare)(chunk) for chunk in chunks)
    return Lessons._joined([_as_dict(one) for one in found])


def _as_dict(lessons: Lessons) -> dict[str, NDArray[Any]]:
    return {field.name: getattr(lessons, field.name) for field in fields(lessons)}


def _prepare(lessons: Sequence[Lesson]) -> Lessons:
    wordpieces = WordPieces.read(pretrained_folder() / "vocab.txt")
    singles = {piece: number for number, piece in enumerate(wordpieces.pieces)}
    ids: list[NDArray[np.uint16]] = []
    replaced: list[NDArray[np.int8]] = []
    before: list[NDArray[np.int32]] = []
    partner: list[int] = []
    kept: list[Lesson] = []
    for lesson in lessons:
        read = _read(lesson, wordpieces, singles)
        if read is None:
            continue
        place = -1
        if lesson.original is not None:
            human = Lesson(lesson.original, "human", lesson.source, "original", ())
            original = _read(human, wordpieces, singles)
            if original is not None:
                place = len(kept)
                kept.append(human)
                partner.append(-1)
                for column, part in zip((ids, replaced, before), original, strict=True):
                    column.append(part)  # type: ignore[attr-defined]
        kept.append(lesson)
        partner.append(place)
        for column, part in zip((ids, replaced, before), read, strict=True):
            column.append(part)  # type: ignore[attr-defined]
    return Lessons(
        ids=np.concatenate([np.zeros(0, np.uint16), *ids]),
        replaced=np.concatenate([np.zeros(0, np.int8), *replaced]),
        before=np.concatenate([np.zeros(0, np.int32), *before]),
        ptr=np.cumsum([0, *(len(one) for one in ids)]).astype(np.int64),
        kind=np.array([KINDS.index(lesson.kind) for lesson in kept], dtype=np.int8),
        partner=np.array(partner, dtype=np.int64),
        source=np.array([lesson.source for lesson in kept], dtype=np.str_),
        maker=np.array([lesson.maker for lesson in kept], dtype=np.str_),
    )


def _read(
    lesson: Lesson, wordpieces: WordPieces, singles: dict[str, int]
) -> tuple[NDArray[np.uint16], NDArray[np.int8], NDArray[np.int32]] | None:
    """Return the pieces of a lesson with their labels; None for a text with too few words of prose.

    A replaced word is the spinner's in all its pieces.
    """
    documents = Documents.parse([lesson.text])
    ids, token = prose_pieces(wordpieces, documents, 0)
    if len(ids) < LEAST_PIECES:
        return None
    replaced = np.full(len(ids), UNSAID if lesson.changes is None else 0, dtype=np.int8)
    before = np.full(len(ids), NO_PIECE, dtype=np.int32)
    starts, ends = documents.token_start[token], documents.token_end[token]
    for change in lesson.changes or ():
        rows = slice(
            int(np.searchsorted(ends, change.start, side="right")), int(np.searchsorted(starts, change.end, "left"))
        )
        original = change.original.lower()
        if original in ("a", "an"):  # an article that was mended after a replaced word
            replaced[rows] = UNSAID
        else:
            replaced[rows] = 1
            before[rows] = singles.get(original, NO_PIECE)
    return ids.astype(np.uint16), replaced, before


def of_people(
    texts: Sequence[LabelledText], copies: int, lexicons: Path | None, seed: int, jobs: int
) -> Iterator[Lesson]:
    """Yield human texts, and what our own spinners make of them."""
    human = []
    for text in sample([text for text in texts if text.label == "human"], HUMAN_LIMIT):
        repaired = repair(text.text).text
        if not repair(repaired).counts:
            human.append((text.source, repaired))
    for copy in range(copies):
        shift = (2 * copy) % len(PARAPHRASERS)
        names = PARAPHRASERS[shift:] + PARAPHRASERS[:shift]
        spun = spin([text for _, text in human], names, seed=seed + 1000 * (copy + 1), lexicons=lexicons, jobs=jobs)
        for (source, original), one in zip(human, spun, strict=True):
            if len(one.substitutions) >= LEAST_CHANGES and not repair(one.text).counts:
                yield Lesson(one.text, "spun", source, f"own:{one.paraphraser}", one.substitutions, original)
            elif not copy:
                yield Lesson(original, "human", source, "people", ())


def of_machines(texts: Sequence[LabelledText], jobs: int) -> Iterator[Lesson]:
    """Yield texts of real machines. The words that a real spinner replaced are found by alignment with the original."""
    chosen = [text for text in texts if text.label not in ("human", "llm")]
    chosen = sample(chosen, MACHINE_LIMIT)
    chunks = [chosen[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)]
    for chunk in Parallel(n_jobs=jobs, return_as="generator")(delayed(_of_machines)(one) for one in chunks):
        yield from chunk


def _of_machines(texts: Sequence[LabelledText]) -> list[Lesson]:
    roles = default_roles()
    answer = []
    for text in texts:
        repaired = repair(text.text).text
        if repair(repaired).counts:
            continue
        original = repair(text.original).text if text.original and text.original_is_human is not False else None
        changes = None
        if text.label == "spun" and text.original:
            # The tool's input may be a language model's; which words it replaced is known all the same.
            pairs = substitutions(repair(text.original).text, repaired, inflections=True)
            changes = [Substitution(pair.start, pair.end, pair.original_text) for pair in pairs]
        answer.append(Lesson(repaired, text.label, source_of(text), roles.maker(text) or "", changes, original))
    return answer


def of_edits(texts: Sequence[LabelledText], limit: int, seed: int) -> Iterator[Lesson]:
    """Yield text that was edited and is still what it was, of at most `limit` texts of each source and maker: people's,
    corrected or in another spelling, and machines', of which some passages were changed back.
    """
    rng = np.random.default_rng(seed)
    roles = default_roles()
    for text in sample(texts, limit):
        repaired = repair(text.text).text
        if repair(repaired).counts:
            continue
        if text.label == "human":
            for edited, by in ((corrected(repaired), "corrected"), (respelled(repaired), "respelled")):
                if edited != repaired:
                    yield Lesson(edited, "human", source_of(text), by, ())
        elif text.label in ("translated", "rewritten") and text.original and text.original_is_human is not False:
            original = repair(text.original).text
            edited = restored(repaired, original, rng)
            yield Lesson(edited, text.label, source_of(text), roles.maker(text) or "", None, original)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("labelled", type=Path, nargs="+", help="labelled files or folders")
    parser.add_argument("--output", type=Path, required=True, help="folder of shards")
    parser.add_argument("--part", choices=("human", "machines", "edits"), required=True)
    parser.add_argument("--name", help="the shard's name (default: the part)")
    parser.add_argument("--copies", type=int, default=1, help="paraphrases of each human text (default: 1)")
    parser.add_argument("--lexicons", type=Path, help="folder of phrase lists")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    roles = default_roles()
    texts = [text for text in read_labelled(options.labelled) if roles.role(text) == "train"]
    if options.part == "human":
        lessons = list(of_people(texts, options.copies, options.lexicons, options.seed, options.jobs))
    elif options.part == "edits":
        lessons = list(of_edits(texts, EDITED_LIMIT, options.seed))
    else:
        lessons = list(of_machines(texts, options.jobs))
    prepared = prepare(lessons, options.jobs)
    prepared.save(options.output / f"{options.name or options.part}.npz")
    counts = Counter(KINDS[kind] for kind in prepared.kind.tolist())
    print(f"{len(prepared)} lessons, {len(prepared.ids):,} pieces: {dict(counts)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
