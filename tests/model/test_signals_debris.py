"""model/signals/debris.py: marks traces of tools, but not what people write on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cases import cases
from tests.tables import encode
from unspun.model.signals.debris import DEBRIS, _sounds_like_vowel
from unspun.model.signals.features import Signals


def marked(signals: Signals, text: str) -> dict[str, list[str]]:
    encoding = encode(text)
    tokens = signals.debris.read(encoding).tokens
    found = {
        kind: [encoding.documents.token_text(place) for place in np.flatnonzero(column)]
        for kind, column in zip(DEBRIS, tokens.T, strict=True)
    }
    return {kind: words for kind, words in found.items() if words}


@pytest.mark.parametrize("case", cases("model/debris.toml"), ids=lambda case: case["text"])
def test_debris_is_marked(signals: Signals, case: dict[str, Any]) -> None:
    expected = {kind: case[kind] for kind in DEBRIS if kind in case}
    assert marked(signals, case["text"]) == expected


@pytest.mark.parametrize(
    ("article", "word"), [(article, word) for article in ("a", "an") for word in cases("model/articles.toml", article)]
)
def test_the_article_follows_the_sound_of_the_word(article: str, word: str) -> None:
    assert _sounds_like_vowel(word) == (article == "an")


def test_the_rate_is_per_hundred_words(signals: Signals) -> None:
    text = "The boats went back to the the harbour again. " + "We went to the market in the morning. " * 4
    reading = signals.debris.read(encode(text))
    words = 9 + 4 * 8
    assert reading.documents[0, list(DEBRIS).index("doubled_word")] == pytest.approx(100 / words)
