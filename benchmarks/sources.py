"""Measure how often the source of a paraphrased text is found among 100,000 documents, how fast and in how much memory.

    python -m benchmarks.sources ../shared/corpora [--documents 100000] [--suspects 60] [--compare]

The documents are the originals of all paraphrased texts, and human texts, which are cut into parts of about 150 words
if there would not be enough of them. The suspects are paraphrased texts of at least 50 words. A suspect's source counts
as found if the candidates include its original, or a document that shares nine tenths of its words: the corpora hold
some texts twice. Prints for each source of suspects how often the first candidate is right, and how often one of the
first 10 and 20 is.

`--compare` also compares the best candidates in full, as `unspun compare --against` does, and prints how often the one
ranked first is right ("likeliest"), how often it is also reported as the source ("reported"), and how often another
document is reported after the source and its copies are removed ("wrong"; texts in several versions may leave some).
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.common import make_parser, peak_megabytes, print_by_source
from unspun.model.comparing.sources import CANDIDATES, Sources
from unspun.model.verdict import KINDS
from unspun.training.corpora.corpus import LabelledText, read_labelled

LEAST, PART = 50, 150
"""Words of the shortest suspect and original, and of a part of a longer human text."""
ALIKE = 0.9
RANKS = (1, 10, CANDIDATES)


def main() -> None:
    """Print the table."""
    parser = make_parser("benchmarks.sources", __doc__, "paths")
    parser.add_argument("--documents", type=int, default=100_000, help="documents to search (default: 100,000)")
    parser.add_argument("--suspects", type=int, default=60, help="suspects from each source (default: 60)")
    parser.add_argument("--compare", action="store_true", help="compare the candidates in full")
    options = parser.parse_args()
    suspects, documents = read(options.paths, options.documents, options.suspects)
    if not suspects:
        parser.error(f"the corpus has no paraphrased texts of at least {LEAST} words with their originals")
    before = peak_megabytes()
    started = time.perf_counter()
    with Sources((str(place), text) for place, text in enumerate(documents)) as sources:
        built = time.perf_counter() - started
        megabytes = sum(map(len, documents)) / 1e6
        print(f"{len(sources):,} documents, {megabytes:,.0f} MB of text: index built in {built:.1f} s;", end=" ")
        print(f"peak memory {peak_megabytes():,.0f} MB, of which {before:,.0f} MB are the benchmark's own texts")
        found, seconds = search(sources, suspects, documents)
        print(f"candidates in {np.mean(seconds) * 1000:.1f} ms (95 %: {np.quantile(seconds, 0.95) * 1000:.1f} ms)\n")
        heads = [f"first {depth}" if depth > 1 else "first" for depth in RANKS]
        if options.compare:
            found = compare(sources, suspects, documents, found)
            heads += ["likeliest", "reported", "wrong"]
        rows: dict[str, list[list[bool]]] = defaultdict(list)
        for (suspect, _), hits in zip(suspects, found, strict=True):
            rows[suspect.source].append(hits)
        print_by_source(heads, rows)


def read(paths: Sequence[Path], most: int, each: int) -> tuple[list[tuple[LabelledText, int]], list[str]]:
    """Return the suspects, each with the index of its original, and the documents."""
    places: dict[str, int] = {}
    human: list[str] = []
    pairs: dict[str, list[tuple[LabelledText, int]]] = defaultdict(list)
    for text in read_labelled(paths):
        if text.label == "human":
            human.append(text.text)
        elif text.label in KINDS and text.original is not None:
            place = places.setdefault(text.original, len(places))
            if min(len(text.text.split()), len(text.original.split())) >= LEAST:
                pairs[text.source].append((text, place))
    cut = len(places) + len(set(human)) < most
    for one in human:
        for part in parts(one) if cut else (one,):
            if len(places) < most:
                places.setdefault(part, len(places))
    rng = np.random.default_rng(0)
    chosen = []
    for source in sorted(pairs):
        order = rng.permutation(len(pairs[source]))[:each]
        chosen += [pairs[source][i] for i in sorted(order.tolist())]
    return chosen, list(places)


def parts(text: str) -> Iterator[str]:
    """Yield a text in parts of about PART words."""
    words = re.findall(r"\S+\s*", text)
    count = max(1, round(len(words) / PART))
    for part in range(count):
        yield "".join(words[len(words) * part // count : len(words) * (part + 1) // count])


def search(
    sources: Sources, suspects: Sequence[tuple[LabelledText, int]], documents: Sequence[str]
) -> tuple[list[list[bool]], list[float]]:
    """Return for each suspect whether its source is among the first RANKS candidates, and the seconds it took."""
    found, seconds = [], []
    for suspect, original in suspects:
        started = time.perf_counter()
        candidates = sources.index.candidates(suspect.text, CANDIDATES)
        seconds.append(time.perf_counter() - started)
        hits = [is_source(one.place, original, documents) for one in candidates]
        found.append([any(hits[:depth]) for depth in RANKS])
    return found, seconds


def compare(
    sources: Sources,
    suspects: Sequence[tuple[LabelledText, int]],
    documents: Sequence[str],
    found: list[list[bool]],
) -> list[list[bool]]:
    """Return `found` with the results of comparing in full added to each row."""
    from unspun.model.comparing.comparer import Comparer

    comparer = Comparer.load()
    seconds, answers = [], []
    for (suspect, original), hits in zip(suspects, found, strict=True):
        started = time.perf_counter()
        compared = sources.find(suspect.text, comparer)
        seconds.append(time.perf_counter() - started)
        first = compared[0] if compared else None
        likeliest = first is not None and is_source(first.place, original, documents)
        candidates = sources.index.candidates(suspect.text, CANDIDATES)
        own = [one.place for one in candidates if is_source(one.place, original, documents)]
        others = sources.find(suspect.text, comparer, without=own)
        wrong = bool(others) and others[0].comparison.derived
        answers.append([*hits, likeliest, likeliest and first is not None and first.comparison.derived, wrong])
    print(f"candidates compared in {np.mean(seconds):.2f} s per suspect\n")
    return answers


def is_source(place: int, original: int, documents: Sequence[str]) -> bool:
    """Return whether a document is the original, or shares nearly all of its words."""
    if place == original:
        return True
    first, second = (set(re.findall(r"\w+", documents[one].lower())) for one in (place, original))
    return len(first & second) >= ALIKE * max(len(first), len(second), 1)


if __name__ == "__main__":
    main()
