"""A small collection of labelled texts: human pages of two sources, and spun ones."""

from __future__ import annotations

import numpy as np

from tests import tables as tiny
from unspun.training.corpora.corpus import LabelledText


def human(number: int, source: str, *, group: str | None = None, sentences: int = 14) -> LabelledText:
    chosen = np.random.default_rng(number).choice(tiny.SENTENCES, size=sentences)
    return LabelledText(f"{source}-{number}", "human", source, " ".join(chosen), group=group)


def spun(number: int) -> LabelledText:
    original = human(number, "essays").text
    text = original.replace("ferry", "vessel").replace("council", "instructed")
    return LabelledText(f"spun-{number}", "spun", "essays", text, tool="pwws", original=original)


TEXTS = [
    *(human(i, "handbook", group=f"page {i}") for i in range(40)),
    *(human(100 + i, "essays") for i in range(40)),
    *(spun(200 + i) for i in range(30)),
]
