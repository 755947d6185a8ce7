"""Measure how often a spun passage inside a longer clean article is found, and how well it is located.

    python -m benchmarks.passages ../shared/corpora [--articles 100] [--depth auto]

Joins human texts of one source into articles of about 1,500 words, and inserts 150 words of a spun text into each; the
same articles without the insertion are the clean ones. Prints for each source of spun text the share of articles called
`suspect` or `paraphrased`, and the shares in which a shown passage has both ends, or its middle, within 40 words of the
true one. Below the table is the share of clean articles called so. Texts that the model learnt from are skipped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from benchmarks.common import is_spun, load_detector, make_parser, print_by_source, read_unseen, sample
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import judged_words
from unspun.model.verdict import Verdict
from unspun.training.corpora.corpus import LabelledText

ARTICLE, PASSAGE, NEAR = 1350, 150, 40
CALLED = ("suspect", "paraphrased")


def main() -> None:
    """Print the table."""
    parser = make_parser("benchmarks.passages", __doc__, "paths", "--depth", "--model")
    parser.add_argument("--articles", type=int, default=100, help="articles with a passage, and without (default: 100)")
    options = parser.parse_args()
    detector = load_detector(options.model)
    texts = read_unseen(options.paths, detector)
    rng = np.random.default_rng(0)
    clean = articles([text for text in texts if text.label == "human"], options.articles, rng)
    passages = {
        source: [" ".join(text.text.split()[:PASSAGE]) for text in spun]
        for source, spun in sample((text for text in texts if is_spun(text, PASSAGE)), len(texts), rng).items()
    }
    if not clean or not passages:
        parser.error("the corpus has too few human or spun texts that are new to the model")
    made, spans, sources = [], [], []
    for number, body in enumerate(clean):
        source = list(passages)[number % len(passages)]
        spun = passages[source][number // len(passages) % len(passages[source])]
        place = int(rng.integers(1, len(body))) if len(body) > 1 else 1
        before = "\n\n".join(body[:place]) + "\n\n"
        made.append("\n\n".join([*body[:place], spun, *body[place:]]))
        spans.append((len(before), len(before) + len(spun)))
        sources.append(source)
    verdicts = detector.score_many(made, depth=options.depth)
    found: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    for text, span, source, verdict in zip(made, spans, sources, verdicts, strict=True):
        found[source].append((verdict.verdict in CALLED, *located(text, span, verdict)))
    print_by_source(["found", "both ends", "middle"], found)
    alone = detector.score_many(["\n\n".join(body) for body in clean], depth=options.depth, evidence=False)
    print(f"clean articles called suspect or more: {np.mean([v.verdict in CALLED for v in alone]):.1%} of {len(alone)}")


def articles(human: Sequence[LabelledText], count: int, rng: np.random.Generator) -> list[list[str]]:
    """Return up to `count` articles: lists of texts of one source with at least ARTICLE words together."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for text in human:
        if len(text.text.split()) >= PASSAGE:
            by_source[text.source].append(text.text.strip())
    answer: list[list[str]] = []
    for texts in by_source.values():
        body: list[str] = []
        for i in rng.permutation(len(texts)).tolist():
            body.append(texts[i])
            if sum(len(part.split()) for part in body) >= ARTICLE:
                answer.append(body)
                body = []
    return [answer[i] for i in rng.permutation(len(answer))[:count].tolist()]


def located(text: str, span: tuple[int, int], verdict: Verdict) -> tuple[bool, bool]:
    """Return whether a shown passage has both ends, and whether one has its middle, near those of the true passage."""
    if verdict.verdict not in CALLED or not verdict.passages:
        return False, False
    documents = Documents.parse([text])
    starts = np.array([documents.source_span(int(word), int(word))[0] for word in judged_words(documents, 0)])
    true = np.searchsorted(starts, span)
    shown = np.searchsorted(starts, [(passage.start, passage.end) for passage in verdict.passages])
    off = np.abs(true - shown)
    return bool((off <= NEAR).all(axis=1).any()), bool((np.abs(true.mean() - shown.mean(axis=1)) <= NEAR).any())


if __name__ == "__main__":
    main()
