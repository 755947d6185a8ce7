"""Fits the comparison of two texts: was one made from the other, and how, or are they merely on the same subject?

    python -m unspun.training.comparing ../shared/corpora [--output model/comparing/comparison.json] [--workers 2]

Positives are texts of the corpora with their `original`, and copies that we make of human text: whole, slightly
changed, cut down to a part, put into another text, disguised, or reordered. Negatives are pairs of human articles from
one source, drawn at random or nearest neighbours (by TF-IDF; many are on the same event), and paraphrases paired with
the original of another text. Single sentences are joined to texts of six. Barely spun texts (less than a tenth of the
words changed), and unrelated pairs that share runs of eight words, are left out.

Prints for each tool (each language model is one) the results of regressions that were fitted without it and without a
ninth of the negatives' sources: AUROC against unrelated pairs and against nearest neighbours, and how often the kind is
right. Then fits both regressions on all pairs and writes the weights.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from unspun.model import bundle
from unspun.model.comparing.comparer import Comparer
from unspun.model.comparing.comparison import RELATIONS
from unspun.model.comparing.judge import DECISIVE, STYLE, WEIGHTS, scale
from unspun.model.comparing.measures import NAMES
from unspun.training.classifier.classify import is_barely_spun
from unspun.training.classifier.matrix import maker_name
from unspun.training.command import add_workers, labelled_parser
from unspun.training.corpora.corpus import LabelledText, by_source, shingles
from unspun.training.corpora.roles import read_training_texts
from unspun.training.reporting.metrics import auroc
from unspun.training.rows import rows_by_name

Floats = NDArray[np.float64]

FEWEST_WORDS = 40
PER_SOURCE = 240
"""Maximum paraphrases of each source. At most ARTICLES articles of a source give PAIRS pairs of nearest neighbours and
as many random pairs. COPIES is the number of copies in all."""
COPIES, ARTICLES, PAIRS = 600, 1500, 60
SENTENCES = 6
FOLDS = 9
DERIVED_STRENGTH, KIND_STRENGTH = 0.03, 0.3
"""Inverse strengths of regularisation."""
UNRELATED, NEIGHBOUR = "unrelated", "neighbour"
_CHUNK = 50
_COLUMNS = [NAMES.index(name) for name in DECISIVE]
_LOOKALIKES = str.maketrans("aeocp", "\u0430\u0435\u043e\u0441\u0440")


@dataclass(frozen=True, slots=True)
class RelatedPair:
    """Two texts and their relation: one of RELATIONS, UNRELATED, or NEIGHBOUR (unrelated, but similar)."""

    suspect: str
    source: str
    relation: str
    corpus: str
    tool: str


def gather(paths: Sequence[Path], seed: int = 0) -> list[RelatedPair]:
    """Return the pairs that the corpora give."""
    rng = random.Random(seed)  # nosec B311 # for repeatable samples
    paraphrased: list[RelatedPair] = []
    human: dict[str, list[str]] = {}
    for source, texts in by_source(read_training_texts(paths)).items():
        rng.shuffle(texts)
        pairs = list(_joined_sentences(texts)) if source.endswith("_sent") else texts
        paraphrased += [
            RelatedPair(text.text, text.original or "", text.label, source, maker_name(text))
            for text in [text for text in pairs if _is_pair(text)][:PER_SOURCE]
        ]
        articles = [text.text for text in texts if text.label == "human" and len(text.text.split()) >= 2 * FEWEST_WORDS]
        if len(articles) >= 50:
            human[source] = articles[:ARTICLES]
    everything = [(source, text) for source, texts in human.items() for text in texts]
    copies = [
        RelatedPair(_copied(text, rng.choice(everything)[1], rng), text, "copied", source, "copied")
        for source, text in rng.sample(everything, min(COPIES, len(everything)))
    ]
    return [*paraphrased, *copies, *_negatives(human, rng), *_mismatched(paraphrased, rng)]


def _joined_sentences(texts: Sequence[LabelledText]) -> Iterator[LabelledText]:
    """Yield texts of SENTENCES sentences by one tool each, since some tools are known from single sentences only."""
    by_tool: dict[str, list[LabelledText]] = defaultdict(list)
    for text in texts:
        if text.original:
            own = by_tool[maker_name(text)]
            own.append(text)
            if len(own) == SENTENCES:
                joined, original = (" ".join(getattr(one, name) for one in own) for name in ("text", "original"))
                yield dataclasses.replace(text, text=joined, original=original)
                own.clear()


def _is_pair(text: LabelledText) -> bool:
    long = min(len(text.text.split()), len((text.original or "").split())) >= FEWEST_WORDS
    return text.label in RELATIONS and long and not is_barely_spun(text)


def _copied(text: str, other: str, rng: random.Random) -> str:
    """Return a copy: whole, slightly changed, a part, inside another text, disguised, or reordered."""
    sentences = re.split(r"(?<=[.!?])\s+", text)
    manner = rng.randrange(6)
    if manner == 1:
        return _slightly_changed(text, rng)
    if manner == 2:
        count = max(3, len(sentences) // 2)
        first = rng.randrange(max(1, len(sentences) - count + 1))
        part = " ".join(sentences[first : first + count])
        return part if len(part.split()) >= FEWEST_WORDS else text
    if manner == 3:
        around = re.split(r"(?<=[.!?])\s+", other)
        return " ".join([*around[: len(around) // 2], text])
    if manner == 4:
        return _disguised(text, rng)
    if manner == 5:
        passages = [" ".join(sentences[first : first + 3]) for first in range(0, len(sentences), 3)]
        rng.shuffle(passages)
        return "\n\n".join(passages)
    return text


def _disguised(text: str, rng: random.Random) -> str:
    """Return a text in lower or upper case, without punctuation, with other white space, or with lookalike letters."""
    manner = rng.randrange(5)
    if manner == 0:
        return text.lower()
    if manner == 1:
        return text.upper()
    if manner == 2:
        return re.sub(r"[.,;:!?\"]", "", text)
    if manner == 3:
        return text.replace(" ", "  ").replace(". ", ".\n\n")
    return text.translate(_LOOKALIKES)


def _slightly_changed(text: str, rng: random.Random) -> str:
    words = text.split()
    for _ in range(max(1, int(len(words) * rng.uniform(0.0, 0.06)))):
        place = rng.randrange(len(words))
        draw = rng.random()
        if draw < 0.2:
            words[place] = words[place].swapcase() if draw < 0.1 else f"{words[place]},"
        elif draw < 0.5:
            words[place] = rng.choice(words)
        elif draw < 0.8 and len(words) > 10:
            del words[place]
        else:
            words.insert(place, rng.choice(("also", "now", "very", "indeed")))
    return " ".join(words)


def _negatives(human: dict[str, list[str]], rng: random.Random) -> Iterator[RelatedPair]:
    for source, texts in sorted(human.items()):
        vectors = TfidfVectorizer(sublinear_tf=True, stop_words="english").fit_transform(texts)
        likeness = (vectors @ vectors.T).tocsr()
        runs = [frozenset(shingles(text).tolist()) for text in texts]
        near = []
        for i in range(len(texts)):
            row = likeness[[i]]
            for j in row.indices[np.argsort(-row.data, kind="stable")[:4]].tolist():
                if i < j and not runs[i] & runs[j]:
                    near.append((float(likeness[i, j]), i, j))
        for _, i, j in sorted(near, reverse=True)[:PAIRS]:
            yield RelatedPair(texts[i], texts[j], NEIGHBOUR, source, "")
        for _ in range(PAIRS):
            i, j = rng.sample(range(len(texts)), 2)
            if not runs[i] & runs[j]:
                yield RelatedPair(texts[i], texts[j], UNRELATED, source, "")


def _mismatched(paraphrased: Sequence[RelatedPair], rng: random.Random) -> Iterator[RelatedPair]:
    by_corpus: dict[str, list[RelatedPair]] = defaultdict(list)
    for case in paraphrased:
        by_corpus[case.corpus].append(case)
    for corpus, cases in sorted(by_corpus.items()):
        for _ in range(min(PAIRS, len(cases) // 2)):
            one, other = rng.sample(cases, 2)
            if not frozenset(shingles(one.source).tolist()) & frozenset(shingles(other.source).tolist()):
                yield RelatedPair(one.suspect, other.source, UNRELATED, corpus, "")


def measure(cases: Sequence[RelatedPair], jobs: int) -> Floats:
    """Return the numbers (N, len(NAMES) + len(STYLE)) of the pairs."""
    chunks = [cases[start : start + _CHUNK] for start in range(0, len(cases), _CHUNK)]
    work = (delayed(_measure)([(case.suspect, case.source) for case in chunk]) for chunk in chunks)
    results = Parallel(n_jobs=jobs, return_as="generator")(work)
    shown = track(results, "comparing", total=len(chunks), console=Console(stderr=True))
    return np.concatenate(list(shown))


@cache
def _comparer() -> Comparer:
    return Comparer(bundle.load())


def _measure(pairs: list[tuple[str, str]]) -> Floats:
    return np.stack([_comparer().measure(*pair) for pair in pairs])


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of N pairs, arrays of shape (N,); for unrelated pairs `tool` is "" and `positive` is False."""

    relation: NDArray[np.str_]
    corpus: NDArray[np.str_]
    tool: NDArray[np.str_]
    positive: NDArray[np.bool_]

    @classmethod
    def of(cls, cases: Sequence[RelatedPair]) -> Labels:
        """Collect the labels of pairs."""
        relation = np.array([case.relation for case in cases])
        return cls(
            relation,
            np.array([case.corpus for case in cases]),
            np.array([case.tool for case in cases]),
            np.isin(relation, RELATIONS),
        )


def fit_derived(numbers: Floats, labels: Labels, rows: NDArray[np.bool_]) -> LogisticRegression:
    """Fit the regression that separates derived from unrelated pairs, on scaled numbers. Both weigh the same."""
    weights = np.where(labels.positive, 1 / labels.positive.sum(), 1 / (~labels.positive).sum())
    model = LogisticRegression(C=DERIVED_STRENGTH, max_iter=1000)
    share = weights[rows] * labels.positive.sum()
    return model.fit(numbers[rows][:, _COLUMNS], labels.positive[rows], sample_weight=share)


def fit_kinds(numbers: Floats, labels: Labels, rows: NDArray[np.bool_]) -> LogisticRegression:
    """Fit the regression that names the kind of derived texts. Kinds, and the tools of each, have equal weights."""
    chosen = rows & labels.positive
    weights = np.zeros(len(numbers))
    for relation in RELATIONS:
        tools = np.unique(labels.tool[chosen & (labels.relation == relation)])
        for tool in tools:
            own = chosen & (labels.relation == relation) & (labels.tool == tool)
            weights[own] = chosen.sum() / (len(RELATIONS) * len(tools) * own.sum())
    model = LogisticRegression(C=KIND_STRENGTH, max_iter=1000)
    return model.fit(numbers[chosen], labels.relation[chosen], sample_weight=weights[chosen])


def report(numbers: Floats, labels: Labels) -> None:
    """Print for each tool how well regressions that were fitted without it do on it."""
    odds = np.full(len(numbers), np.nan)
    named = np.full(len(numbers), "", dtype=labels.relation.dtype)
    corpora = np.unique(labels.corpus[~labels.positive])
    for number, tool in enumerate(np.unique(labels.tool[labels.positive])):
        tested = labels.positive & (labels.tool == tool)
        if tool == "copied":  # all copies are by one "tool", so only half of them are left out
            tested &= np.arange(len(numbers)) % 2 == 0
        negatives = ~labels.positive & np.isin(labels.corpus, corpora[number % FOLDS :: FOLDS])
        rows = ~tested & ~negatives
        derived = fit_derived(numbers, labels, rows)
        judged = tested | negatives
        odds[judged] = derived.decision_function(numbers[judged][:, _COLUMNS])
        named[tested] = fit_kinds(numbers, labels, rows).predict(numbers[tested])
    known = np.isfinite(odds)
    unrelated = known & (labels.relation == UNRELATED)
    neighbour = known & (labels.relation == NEIGHBOUR)
    print(f"{'tool left out':<34}{'pairs':>7}{'AUROC':>8}{'nearest':>9}{'found':>8}{'kind right':>12}")
    every = known & labels.positive
    right = named == labels.relation
    for tool, own in (*rows_by_name(labels.tool, every), ("all but copies", every & (labels.tool != "copied"))):
        areas = [
            auroc(np.r_[np.ones(own.sum(), bool), np.zeros(other.sum(), bool)], np.r_[odds[own], odds[other]])
            for other in (unrelated, neighbour)
        ]
        found, named_right = (odds[own] > 0).mean(), right[own].mean()
        print(f"{tool:<34}{own.sum():>7}{areas[0]:>8.4f}{areas[1]:>9.4f}{found:>8.1%}{named_right:>12.1%}")
    for name, other in (("unrelated", unrelated), ("nearest neighbours", neighbour)):
        print(f"called derived, of {other.sum()} {name}: {(odds[other] > 0).mean():.2%}")
    means = [float(right[own].mean()) for tool, own in rows_by_name(labels.tool, every) if tool != "copied"]
    print(f"kind right, mean over tools: {np.mean(means):.1%}")


def write(numbers: Floats, labels: Labels, centre: Floats, spread: Floats, output: Path) -> None:
    """Fit on all pairs and write the weights."""
    everything = np.ones(len(numbers), dtype=bool)
    derived, kinds = fit_derived(numbers, labels, everything), fit_kinds(numbers, labels, everything)
    order = [kinds.classes_.tolist().index(relation) for relation in RELATIONS]

    def plain(values: NDArray[np.floating]) -> object:
        return np.round(values, 6).tolist()

    weights = {
        "names": [*NAMES, *STYLE],
        "centre": plain(centre),
        "spread": plain(spread),
        "decisive": list(DECISIVE),
        "derived": plain(derived.coef_[0]),
        "derived_bias": round(float(derived.intercept_[0]), 6),
        "relations": list(RELATIONS),
        "kinds": plain(kinds.coef_[order]),
        "kinds_bias": plain(kinds.intercept_[order]),
    }
    output.write_text(json.dumps(weights, indent=1) + "\n", "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--output", type=Path, default=WEIGHTS, help="file to write (default: the shipped weights)")
    add_workers(parser, 2)
    options = parser.parse_args(arguments)
    cases = gather(options.labelled)
    raw = measure(cases, options.workers)
    labels = Labels.of(cases)
    centre, spread = raw.mean(axis=0), np.maximum(raw.std(axis=0), 1e-6)
    numbers = scale(raw, centre, spread)
    report(numbers, labels)
    write(numbers, labels, centre, spread, options.output)
    return 0


if __name__ == "__main__":
    # Worker processes import functions by the name of their module, which is not __main__.
    from unspun.training.comparing import main as importable

    sys.exit(importable())
