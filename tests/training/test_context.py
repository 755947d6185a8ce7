"""training/encoder/context.py: what the network of the signal `context` learns, and how it is packed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if not all(map(find_spec, ("torch", "onnx"))):
    pytest.skip("needs `pip install unspun[deep]`", allow_module_level=True)

import torch

from tests import tables as tiny
from tests.training.labelled import TEXTS
from tests.training.small import small_paraphrasers
from unspun.model.detector import Detector
from unspun.model.signals.context import CHUNK, ROW_BITS, TYPICAL_WORDS, ContextNetwork
from unspun.model.text.quick import QuickWords
from unspun.training.encoder.context import Lessons, Network, lessons, packed, train, trained

SOME = TEXTS[::4]
PARTS = (*tiny.SENTENCES[:4], "vessel", "\n\n", "\U0001f600", "\ud800", "...", "Moreover,")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def taught(first_detector: Detector) -> Lessons:
    with small_paraphrasers():
        return lessons(SOME, first_detector, lexicons=None, workers=1)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture(scope="module")
def small(network: Network) -> ContextNetwork:
    return packed(network, [tiny.ARTICLE])


def in_floats(network: Network, text: str) -> list[float]:
    """Return the evidence that the network has before it is packed."""
    words = QuickWords.of([text])
    ids = torch.from_numpy((words.hashes >> np.uint64(64 - ROW_BITS)).astype(np.int64))[None]
    capital = torch.from_numpy(words.capital.astype(np.float32))[None]
    with torch.no_grad():
        found = network(ids, capital, torch.ones_like(capital))[0, :, 2:]
    scale = float(np.sqrt(len(words.hashes) / TYPICAL_WORDS))
    return [value * scale for value in found.mean(0).tolist()]


class TestLessons:
    def test_human_words_were_not_replaced(self, taught: Lessons) -> None:
        rows = taught.kinds[taught.replaced.owner] == "human"
        assert set(taught.replaced.values[rows].tolist()) == {0}

    def test_the_words_that_a_spinner_replaced_are_known(self, taught: Lessons) -> None:
        row = int(np.flatnonzero(taught.kinds == "spun")[0])
        words = QuickWords.of([SOME[row].text])
        run = slice(*taught.replaced.starts[row : row + 2].tolist())
        places = words.start[taught.replaced.values[run] == 1].tolist()
        assert places
        assert all(SOME[row].text[place:].startswith(("vessel", "instructed")) for place in places)

    def test_human_texts_are_spun_as_well(self, taught: Lessons) -> None:
        own = taught.replaced.values[taught.kinds[taught.replaced.owner] == "own"]
        assert 0.0 < own.mean() < 0.6

    def test_the_deep_tier_teaches_the_words_that_it_judges(self, taught: Lessons) -> None:
        known = np.isfinite(taught.taught.values)
        assert known.mean() > 0.5

    def test_they_survive_a_round_trip(self, taught: Lessons, tmp_path: Path) -> None:
        taught.save(tmp_path / "lessons.npz")
        again = Lessons.load(tmp_path / "lessons.npz")
        np.testing.assert_array_equal(again.words.values, taught.words.values)
        np.testing.assert_array_equal(again.taught.values, taught.taught.values)


class TestTraining:
    def test_it_learns_and_continues_from_its_checkpoint(
        self, taught: Lessons, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "checkpoint.pt"
        for steps in (2, 12):
            train(taught, file, steps=steps)
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[1] for line in lines] == ["2", "12"]
        assert torch.load(file, weights_only=True)["step"] == 12
        trained(file)

    def test_a_file_that_is_not_a_checkpoint_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="not a checkpoint"):
            trained(tmp_path / "missing.pt")


class TestPacking:
    def test_eight_bits_change_little(self, network: Network, small: ContextNetwork) -> None:
        words = QuickWords.of([tiny.ARTICLE])
        found = small.log_odds(words, words.ptr)[0].tolist()
        assert found == pytest.approx(in_floats(network, tiny.ARTICLE), abs=0.05)

    @settings(max_examples=30)
    @given(st.lists(st.lists(st.sampled_from(PARTS) | st.text(max_size=9), max_size=9).map(" ".join), max_size=5))
    def test_a_text_gets_the_same_bits_alone_and_in_a_batch(self, small: ContextNetwork, texts: list[str]) -> None:
        words = QuickWords.of(texts)
        together = small.log_odds(words, words.ptr)
        for row, text in zip(together, texts, strict=True):
            alone = QuickWords.of([text])
            assert small.log_odds(alone, alone.ptr)[0].tolist() == row.tolist()

    def test_a_long_text_is_read_in_chunks_without_a_seam(
        self, small: ContextNetwork, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = QuickWords.of([f"{tiny.ARTICLE} " * 20])
        assert len(words.hashes) > CHUNK
        ptr, _ = words.in_sections(290)
        expected = small.log_odds(words, ptr)
        monkeypatch.setattr("unspun.model.signals.context.CHUNK", 10**9)
        np.testing.assert_array_equal(small.log_odds(words, ptr), expected)

    def test_no_sum_overflows_in_8_or_16_bits(self, small: ContextNetwork) -> None:
        table, capital = small.table.astype(int), small.capital.view(np.int8).astype(int)
        assert min(table.min(), (table + capital).min()) >= 1
        assert max(table.max(), (table[:-1] + capital).max()) <= 255

    def test_a_section_without_words_has_no_evidence(self, small: ContextNetwork) -> None:
        words = QuickWords.of(["", "The ferry was late.", ""])
        assert small.log_odds(words, words.ptr)[[0, 2]].tolist() == [[0.0] * 3] * 2
