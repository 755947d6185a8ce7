"""How often a spun passage inside a longer clean article is found, and how well it is located.

    python -m benchmarks.passages ../shared/corpora [--articles 100] [--depth auto]

Puts articles of about 1,500 words together from human texts of one source, each with 150 words of a spun text between
them, and the same number without. Prints for each source of spun text how many articles are called `suspect` or
`paraphrased`, and in how many a passage is shown of which both ends, or the middle, are within 40 words of where it is;
and how many of the clean articles are called so. Texts that the model learnt from are left out.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unspun.model.detector import Detector
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import judged_words
from unspun.model.verdict import Verdict
from unspun.training.corpora.corpus import LabelledText, read_labelled, text_keys

ARTICLE, PASSAGE, NEAR = 1350, 150, 40
BARELY_SPUN = 0.10
CALLED = ("suspect", "paraphrased")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path, help="labelled files or folders")
    parser.add_argument("--articles", type=int, default=100, help="articles with a passage, and without (default: 100)")
    parser.add_argument("--depth", choices=("auto", "fast", "deep"), default="auto")
    parser.add_argument("--model", type=Path, help="bundle (default: the one that ships)")
    options = parser.parse_args()
    detector = Detector.load(options.model)
    texts = list(read_labelled(options.paths))
    new = ~np.isin(text_keys([text.text for text in texts]), detector.bundle.seen)
    texts = [text for text, unseen in zip(texts, new.tolist(), strict=True) if unseen]
    rng = np.random.default_rng(0)
    clean = articles([text for text in texts if text.label == "human"], options.articles, rng)
    passages = spun_passages(texts, rng)
    made, spans, sources = [], [], []
    for number, body in enumerate(clean):
        source = sorted(passages)[number % len(passages)]
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
    print(f"{'source':34s}{'articles':>9s}{'found':>8s}{'both ends':>11s}{'middle':>8s}")
    for source in (*sorted(found), "all"):
        rows = np.array([row for name in found for row in found[name]] if source == "all" else found[source])
        print(f"{source:34s}{len(rows):9d}{rows[:, 0].mean():8.0%}{rows[:, 1].mean():11.0%}{rows[:, 2].mean():8.0%}")
    alone = detector.score_many(["\n\n".join(body) for body in clean], depth=options.depth, evidence=False)
    print(f"clean articles called suspect or more: {np.mean([v.verdict in CALLED for v in alone]):.1%} of {len(alone)}")


def articles(human: Sequence[LabelledText], count: int, rng: np.random.Generator) -> list[list[str]]:
    """Return articles as lists of texts of one source, of ARTICLE words and more together."""
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


def spun_passages(texts: Sequence[LabelledText], rng: np.random.Generator) -> dict[str, list[str]]:
    """Return the first PASSAGE words of the spun texts of each source."""
    answer: dict[str, list[str]] = defaultdict(list)
    for i in rng.permutation(len(texts)).tolist():
        text = texts[i]
        barely = text.changed_frac is not None and text.changed_frac < BARELY_SPUN
        if text.label == "spun" and not barely and len(text.text.split()) >= PASSAGE:
            answer[text.source].append(" ".join(text.text.split()[:PASSAGE]))
    return answer


def located(text: str, span: tuple[int, int], verdict: Verdict) -> tuple[bool, bool]:
    """Return whether both ends, and whether the middle, of a passage that is shown are near those of the true one."""
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
