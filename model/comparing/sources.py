"""Finds where a text may come from: the documents that are worth comparing with it, out of very many.

A spinner and a translator leave alone what is rare: names, numbers, terms. So documents are put in order by the rare
words that they share with a suspect (TF-IDF, scikit-learn's), and only the first of them are compared in full. Words of
more than PREFIX letters count a second time by their beginnings, since a translation brings another ending back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, cast

import numpy as np
from scipy.sparse import csr_array, vstack
from sklearn.feature_extraction.text import TfidfTransformer

from unspun.model.comparing.comparison import Comparison
from unspun.model.text.document import Documents
from unspun.model.text.tokens import TokenClass, hash_spans

PREFIX = 5
"""Letters of a longer word by which it is found with another ending."""
COLUMN_BITS = 22
"""Words are told apart by so many bits of their hash: four million columns, for the million words of a large folder."""
CANDIDATES = 20
"""Documents that are compared in full with each suspect. `python -m benchmarks.sources` tells what that misses."""
NEAR = 0.5
"""Part of the best candidate's similarity that others must have to be compared: a source stands out from the rest."""
BATCH_TEXTS = 512
BATCH_CHARACTERS = 1_000_000
"""Texts are read into the index in batches that end at either."""

Matrix = csr_array[np.float32, tuple[int, int]]


class Compares(Protocol):
    """What finding needs of a `model.compare.Comparer`."""

    def compare(
        self, suspect: str, source: str, *, suspect_id: str | None = None, source_id: str | None = None
    ) -> Comparison:
        """Compare two texts."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that may be a text's source: its place among all, from 0, and its cosine similarity, 0 to 1."""

    place: int
    similarity: float


@dataclass(frozen=True, slots=True)
class SourceMatch:
    """A document that was compared with a suspect, by its place among all, from 0."""

    place: int
    comparison: Comparison


class SourceIndex:
    """The words of N documents, in arrays: nothing else of the texts is kept."""

    def __init__(self, weighting: TfidfTransformer, documents_of_words: Matrix) -> None:
        self._weighting = weighting
        self._documents_of_words = documents_of_words

    @classmethod
    def build(cls, texts: Iterable[str]) -> SourceIndex:
        """Return the index of some texts; they are read once, in order, and a batch of them is held at a time."""
        counts = [_counts(batch) for batch in _batches(texts)] or [_counts([])]
        matrix = vstack(counts, format="csr", dtype=np.float32)
        counts.clear()
        weighting = TfidfTransformer(sublinear_tf=True)
        if matrix.shape[0]:
            matrix = weighting.fit(matrix).transform(matrix, copy=False)
        return cls(weighting, csr_array(matrix.T.tocsr()))

    def __len__(self) -> int:
        """Return how many documents there are."""
        return int(self._documents_of_words.shape[1])

    def candidates(self, text: str, count: int = CANDIDATES) -> list[Candidate]:
        """Return the `count` documents that share most with a text, the most similar first; none that shares nothing.

        Documents of the same similarity stand in their own order.
        """
        if not len(self):
            return []
        shared = self._weighting.transform(_counts([text])) @ self._documents_of_words
        places, similarities = shared.indices, shared.data
        if len(places) > count:
            least = np.partition(similarities, -count)[-count]
            places, similarities = places[similarities >= least], similarities[similarities >= least]
        order = np.lexsort((places, -similarities))[:count]
        return [Candidate(int(places[i]), min(1.0, float(similarities[i]))) for i in order]


class Sources:
    """Documents among which the sources of suspects are looked for.

    Ids and the index are in memory; the texts are in a file without a name, which is gone with the process, so that
    each is read once, from wherever it came. `documents` are ids and texts. To be used in a with block, or closed.
    """

    def __init__(self, documents: Iterable[tuple[str, str]]) -> None:
        self.ids: list[str] = []
        self._texts = _Texts()
        try:
            self.index = SourceIndex.build(self._take(documents))
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """Return how many documents there are."""
        return len(self.ids)

    def text(self, place: int) -> str:
        """Return the text of a document."""
        return self._texts[place]

    def find(
        self,
        suspect: str,
        comparer: Compares,
        *,
        suspect_id: str | None = None,
        without: Collection[int] = (),
        count: int = CANDIDATES,
        at_least: int = 1,
    ) -> list[SourceMatch]:
        """Compare a suspect with the documents that share most with it; return the likeliest source first.

        That is of those which one is said to be derived from, and then of the rest, the one that shares most: rarely is
        it the most probable by a hair that is the source (`python -m benchmarks.sources --compare`).
        Those are at most `count`, and at least `at_least` if so many share anything with it, however far they stand
        behind the best.
        `without` are places of documents that are left out: the suspect itself, where it is among them. Whether any is
        its source, each comparison says.
        """
        candidates = self.index.candidates(suspect, count + len(without))
        others = [one for one in candidates if one.place not in without][:count]
        chosen = [one for i, one in enumerate(others) if i < at_least or one.similarity >= NEAR * others[0].similarity]
        found = [
            SourceMatch(
                one.place,
                comparer.compare(suspect, self.text(one.place), suspect_id=suspect_id, source_id=self.ids[one.place]),
            )
            for one in chosen
        ]
        return sorted(found, key=lambda one: not one.comparison.derived)

    def close(self) -> None:
        """Give the file back."""
        self._texts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, documents: Iterable[tuple[str, str]]) -> Iterator[str]:
        for name, text in documents:
            self.ids.append(name)
            self._texts.append(text)
            yield text


class _Texts:
    """Texts one after another in a temporary file, and where each ends. All are written before one is read."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="unspun-")  # noqa: SIM115 - closed by who made this
        self._ends = [0]

    def append(self, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def __getitem__(self, place: int) -> str:
        start, end = self._ends[place : place + 2]
        self._file.seek(start)
        return self._file.read(end - start).decode("utf-8", "surrogatepass")

    def close(self) -> None:
        self._file.close()


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if len(batch) == BATCH_TEXTS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _counts(texts: Sequence[str]) -> Matrix:
    """Return how often each word and each beginning of a longer one stands in each text, shape (N, 2^COLUMN_BITS)."""
    documents = Documents.parse(texts)
    words = documents.token_class != TokenClass.PUNCTUATION
    start, end = documents.token_start[words], documents.token_end[words]
    owner = documents.token_document[words]
    longer = end - start > PREFIX
    beginnings = hash_spans(documents.characters, start[longer], start[longer] + PREFIX)
    hashes = np.concatenate([documents.token_hash[words], beginnings])
    owners = np.concatenate([owner, owner[longer]])
    columns = (hashes >> np.uint64(64 - COLUMN_BITS)).astype(np.int32)
    order = np.argsort(owners, kind="stable")
    ends = np.searchsorted(owners[order], np.arange(len(texts) + 1)).astype(np.int32)
    counts = csr_array((np.ones(len(columns), np.float32), columns[order], ends), shape=(len(texts), 1 << COLUMN_BITS))
    counts.sum_duplicates()
    return cast(Matrix, counts)
