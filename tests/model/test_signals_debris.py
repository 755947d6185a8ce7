"""model/signals/debris.py: marks what tools leave behind, but not what people write on purpose."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tables import encode
from unspun.model.signals.debris import DEBRIS, _sounds_like_vowel
from unspun.model.signals.features import Signals

DATA = Path(__file__).parents[1] / "data" / "model"
CASES = tomllib.loads((DATA / "debris.toml").read_text("utf-8"))["case"]
ARTICLES = tomllib.loads((DATA / "articles.toml").read_text("utf-8"))


def marked(signals: Signals, text: str) -> dict[str, list[str]]:
    encoding = encode(signals, text)
    tokens = signals.debris.read(encoding).tokens
    found = {
        kind: [encoding.documents.token_text(place) for place in np.flatnonzero(column)]
        for kind, column in zip(DEBRIS, tokens.T, strict=True)
    }
    return {kind: words for kind, words in found.items() if words}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"])
def test_debris_is_marked(signals: Signals, case: dict[str, Any]) -> None:
    expected = {kind: case[kind] for kind in DEBRIS if kind in case}
    assert marked(signals, case["text"]) == expected


@pytest.mark.parametrize("word", ARTICLES["an"])
def test_an_goes_before_a_vowel_sound(word: str) -> None:
    assert _sounds_like_vowel(word)


@pytest.mark.parametrize("word", ARTICLES["a"])
def test_a_goes_before_a_consonant_sound(word: str) -> None:
    assert not _sounds_like_vowel(word)


def test_the_rate_is_per_hundred_words(signals: Signals) -> None:
    text = "The boats went back to the the harbour again. " + "We went to the market in the morning. " * 4
    reading = signals.debris.read(encode(signals, text))
    words = 9 + 4 * 8
    assert reading.documents[0, list(DEBRIS).index("doubled_word")] == pytest.approx(100 / words)
