"""The texts that accuracy is measured on: whole texts, long texts, anthologies, and articles with a spun passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from unspun.training.corpora.corpus import LabelledText, by_source
from unspun.training.corpora.roles import sample
from unspun.training.machines.round_trips import shortened

Shape = Literal["whole", "long", "anthology", "passage", "no passage"]
LONG = (3000, 8000, 20_000)
"""Words of the long texts."""
LONG_TEXTS = 2
"""Long texts for each source and length."""
PASSAGE, ARTICLE = 150, 1000
"""Words of a spun passage, and of the human article around it."""
ARTICLES = 60


@dataclass(frozen=True, slots=True)
class Case:
    """A text to score. `shape` says how it was put together; a whole text is unchanged."""

    text: LabelledText
    shape: Shape = "whole"
    length: int = 0


def cases(texts: Sequence[LabelledText], limit: int, seed: int = 0) -> list[Case]:
    """Return at most `limit` whole texts of each source and maker, and the texts that are put together from them.

    The same seed gives the same cases.
    """
    rng = np.random.default_rng(seed)
    answer = [Case(text) for text in sample(texts, limit)]
    human = [text for text in texts if text.label == "human"]
    answer += _long(human, rng)
    answer += _with_passages(human, [text for text in texts if text.label == "spun"], rng)
    return answer


def _long(human: Sequence[LabelledText], rng: np.random.Generator) -> Iterator[Case]:
    """Yield the pages of each source, joined in order up to each length.

    Pages that belong to no document are by many writers, so that the joined text is an anthology.
    """
    for pages in by_source(human).values():
        shape: Shape = "long" if all(page.group for page in pages) else "anthology"
        for length in LONG:
            for start in rng.permutation(len(pages))[:LONG_TEXTS].tolist():
                run = _run(pages[start:] + pages[:start], length)
                if run is not None:
                    yield Case(run, shape, length)


def _with_passages(
    human: Sequence[LabelledText], spun: Sequence[LabelledText], rng: np.random.Generator
) -> Iterator[Case]:
    """Yield articles of about ARTICLE words, with and without a spun passage of about PASSAGE words."""
    passages = [p for p in (shortened(text.text, PASSAGE) for text in spun) if len(p.split()) >= PASSAGE * 2 // 3]
    articles = [
        run
        for pages in by_source(human).values()
        if (run := _run([pages[i] for i in rng.permutation(len(pages)).tolist()], ARTICLE)) is not None
    ]
    if not passages or not articles:
        return
    for number in range(ARTICLES):
        article = articles[number % len(articles)]
        paragraphs = article.text.split("\n\n")
        at = int(rng.integers(len(paragraphs) + 1))
        inside = passages[int(rng.integers(len(passages)))]
        mixed = "\n\n".join([*paragraphs[:at], inside, *paragraphs[at:]])
        yield Case(replace(article, id=f"{article.id}#{number}", label="spun", text=mixed, tool="passage"), "passage")
        if number < len(articles):
            yield Case(article, "no passage")


def _run(pages: Sequence[LabelledText], length: int) -> LabelledText | None:
    """Join the first pages to a text of `length` words; None if there are too few."""
    taken: list[str] = []
    words = 0
    for page in pages:
        taken.append(page.text)
        words += len(page.text.split())
        if words >= length:
            return replace(pages[0], id=f"{pages[0].id}+{length}", text="\n\n".join(taken))
    return None
