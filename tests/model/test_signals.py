"""model/signals: properties of every signal."""

from __future__ import annotations

import numpy as np
import pytest

from tests import tables as tiny
from unspun.model.signals.base import Signal

SIGNALS = (*tiny.signals().for_tagger, *tiny.signals().for_documents)


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_every_value_has_a_name(signal: Signal) -> None:
    values = signal.read(tiny.encode("the old ship", "the harbour"))
    assert values.tokens.shape == (5, len(signal.token_names))
    assert values.documents.shape == (2, len(signal.document_names))
    assert values.tokens.dtype == values.documents.dtype == np.float32
    assert len(set(signal.document_names)) == len(signal.document_names)


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_texts_without_words_have_zeros(signal: Signal) -> None:
    assert not signal.read(tiny.encode("", "7", "...", "1 2 3 !")).documents.any()
