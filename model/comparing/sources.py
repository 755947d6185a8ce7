"""Source search: finds the few documents, out of very many, that a suspect text may have been made from.

Spinners and translators leave rare words alone: names, numbers, technical terms. So documents are ranked by the rare
words that they share with the suspect (scikit-learn's TF-IDF), and only the best are compared in full. Longer words
count a second time by their first PREFIX letters, because a round trip through translation often changes endings.
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
"""Letters of a longer word that identify it whatever its ending."""
COLUMN_BITS = 22
"""Bits of a word's hash that identify it: four million columns, for the million distinct words of a large folder."""
CANDIDATES = 20
"""Documents that are compared in full with each suspect. `python -m benchmarks.sources` measures what that misses."""
NEAR = 0.5
"""Least similarity of a candidate, relative to the best one's. A true source stands out from the rest."""
BATCH_TEXTS, BATCH_CHARACTERS = 512, 1_000_000
"""Most texts and characters that are added to the index in one batch."""

Matrix = csr_array[np.float32, tuple[int, int]]


class Compares(Protocol):
    """The part of `Comparer` that the search needs."""

    def compare(
        self, suspect: str, source: str, *, suspect_id: str | None = None, source_id: str | None = None
    ) -> Comparison:
        """Compare two texts."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that may be a text's source: its number, from 0, and its cosine similarity, 0 to 1."""

    place: int
    similarity: float


@dataclass(frozen=True, slots=True)
class SourceMatch:
    """A document that was compared with a suspect, by its number, from 0."""

    place: int
    comparison: Comparison


class SourceIndex:
    """An index of the words of N documents. The texts themselves are not kept."""

    def __init__(self, weighting: TfidfTransformer, documents_of_words: Matrix) -> None:
        self._weighting = weighting
        self._documents_of_words = documents_of_words

    @classmethod
    def build(cls, texts: Iterable[str]) -> SourceIndex:
        """Build the index. Texts are read once, in order, and only one batch is in memory at a time."""
        counts = [_counts(batch) for batch in _batches(texts)] or [_counts([])]
        matrix = vstack(counts, format="csr", dtype=np.float32)
        counts.clear()
        weighting = TfidfTransformer(sublinear_tf=True)
        if matrix.shape[0]:
            matrix = weighting.fit(matrix).transform(matrix, copy=False)
        return cls(weighting, csr_array(matrix.T.tocsr()))

    def __len__(self) -> int:
        """Return the number of documents."""
        return int(self._documents_of_words.shape[1])

    def candidates(self, text: str, count: int = CANDIDATES) -> list[Candidate]:
        """Return up to `count` documents that share words with a text, most similar first.

        Equally similar documents keep their order.
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
    """Documents that are searched for the sources of suspects.

    Ids and the index are in memory. The texts are in an unnamed temporary file, so that each document is read from its
    origin only once. Use it as a context manager, or call `close`.

    Args:
        documents: id and text of each document.
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
        """Return the number of documents."""
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
        """Compare a suspect with the documents that share most with it; the likeliest source comes first.

        Documents that the suspect is derived from come before the rest. Both groups are ordered by similarity, which
        finds the source more often than the probability does (`python -m benchmarks.sources --compare`).

        Args:
            suspect: the text whose source is wanted.
            comparer: compares the suspect with each candidate.
            suspect_id: the id that comparisons show.
            without: numbers of documents to leave out, such as the suspect's own.
            count: the most documents to compare.
            at_least: documents to compare even if they are much less similar than the best one.

        Returns:
            One match for each document that was compared; its comparison says whether it is a source.
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
        """Delete the temporary file."""
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
    """Texts in a temporary file, one after another. All must be written before the first is read."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="unspun-")  # noqa: SIM115 - the owner calls close
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
    """Count the words of each text, and the first letters of longer words: shape (N, 2^COLUMN_BITS)."""
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
