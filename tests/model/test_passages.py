"""model/passages.py: the part of a longer text in which a spinner was at work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model import passages as module
from model.passages import (
    ABOVE,
    NOTABLE_CONTRAST,
    ROLLING,
    Passage,
    contrast,
    find_passage,
    stands_out,
    strongest_stretch,
)

WORDS = 400
SHARES = st.lists(st.integers(0, 8).map(lambda eighths: eighths / 8), min_size=1, max_size=12)


def text(*spun: tuple[int, int, float], clean: float = 0.02) -> NDArray[np.float64]:
    """Return the probabilities of a text of WORDS words with passages (start, stop, probability) that stand out."""
    probability = np.full(WORDS, clean)
    for start, stop, share in spun:
        probability[start:stop] = share
    return probability


class TestFindPassage:
    """The run of words that stands out most."""

    def test_a_spun_passage_is_found_exactly(self) -> None:
        found = find_passage(text((150, 190, 0.5)))
        assert (found.start, found.stop) == (150, 190)

    def test_its_weight_is_what_it_has_above_the_rest(self) -> None:
        assert find_passage(text((150, 190, 0.5))).weight == pytest.approx(40 * (0.5 - 0.02 - ABOVE))

    @pytest.mark.parametrize("place", [0, WORDS - 40])
    def test_it_may_stand_at_either_end(self, place: int) -> None:
        found = find_passage(text((place, place + 40, 0.5)))
        assert (found.start, found.stop) == (place, place + 40)

    def test_of_two_the_heavier_is_found(self) -> None:
        found = find_passage(text((50, 80, 0.5), (300, 340, 0.5)))
        assert (found.start, found.stop) == (300, 340)

    def test_of_two_alike_the_first_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "ABOVE", 1 / 16)  # sums without rounding
        found = find_passage(text((10, 40, 0.5), (360, 390, 0.5), clean=0.0))
        assert (found.start, found.stop) == (10, 40)

    def test_words_that_add_nothing_are_no_part_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "ABOVE", 1 / 16)
        found = find_passage(text((100, 110, 1 / 16), (110, 140, 0.5), (140, 150, 1 / 16), clean=0.0))
        assert (found.start, found.stop) == (110, 140)

    def test_a_few_words_that_were_left_do_not_part_it(self) -> None:
        found = find_passage(text((150, 170, 0.5), (175, 195, 0.5)))
        assert (found.start, found.stop) == (150, 195)

    def test_what_is_common_throughout_grows_none(self) -> None:
        assert find_passage(text(clean=0.4)) == Passage(0, 0, 0.0)

    def test_in_a_text_that_uses_odd_words_throughout_a_spun_passage_still_stands_out(self) -> None:
        found = find_passage(text((150, 190, 0.7), clean=0.3))
        assert (found.start, found.stop) == (150, 190)

    def test_no_words_have_none(self) -> None:
        assert find_passage(np.zeros(0)) == Passage(0, 0, 0.0)

    @given(SHARES)
    def test_no_run_of_words_is_heavier(self, shares: list[float]) -> None:
        values = np.array(shares)
        above = values - values.mean() - ABOVE  # a text shorter than a stretch is one stretch
        runs = [above[a:b].sum() for a in range(len(values)) for b in range(a + 1, len(values) + 1)]
        found = find_passage(values)
        assert found.weight == pytest.approx(max([0.0, *runs]))
        assert above[found.start : found.stop].sum() == pytest.approx(found.weight)


class TestStrongestStretch:
    """The largest mean over ROLLING words in a row."""

    def test_a_passage_of_that_length_is_its_own_mean(self) -> None:
        assert strongest_stretch(text((120, 120 + ROLLING, 0.6))) == pytest.approx(0.6)

    def test_a_shorter_passage_shares_it_with_what_is_around(self) -> None:
        assert strongest_stretch(text((120, 120 + ROLLING // 2, 0.6))) == pytest.approx((0.6 + 0.02) / 2)

    @given(SHARES)
    def test_a_short_text_is_one_stretch(self, shares: list[float]) -> None:
        assert strongest_stretch(np.array(shares)) == pytest.approx(np.mean(shares))

    def test_no_words_have_none(self) -> None:
        assert strongest_stretch(np.zeros(0)) == 0.0

    def test_log_odds_may_all_be_negative(self) -> None:
        assert strongest_stretch(text((100, 300, -3.0), clean=-9.0)) == pytest.approx(-3.0)


class TestContrast:
    """By how many standard errors the strongest stretch stands out."""

    def test_one_tone_throughout_has_none(self) -> None:
        assert contrast(text()) == pytest.approx(0.0, abs=1e-9)

    def test_it_rises_with_the_passage(self) -> None:
        shares = (0.1, 0.3, 0.5, 0.9)
        found = [contrast(text((150, 190, share))) for share in shares]
        assert found == sorted(found)
        assert found[0] > 0

    def test_among_odd_words_the_same_passage_stands_out_less(self) -> None:
        assert contrast(text((150, 190, 0.5), clean=0.2)) < contrast(text((150, 190, 0.5)))

    @pytest.mark.parametrize("words", [0, 1, ROLLING])
    def test_a_text_no_longer_than_a_stretch_has_none(self, words: int) -> None:
        assert contrast(np.linspace(0, 1, words)) == 0.0

    @pytest.mark.parametrize("share", [0.0, 1.0])
    def test_certainty_is_no_division_by_zero(self, share: float) -> None:
        assert contrast(np.full(WORDS, share)) == 0.0


class TestStandsOut:
    """Whether there is a passage at all."""

    def test_a_spun_passage_in_what_people_write_does(self) -> None:
        assert stands_out(text((150, 190, 0.5)))

    def test_a_few_odd_words_do_not(self) -> None:
        assert not stands_out(text((150, 153, 0.5)))

    def test_what_people_write_does_not(self) -> None:
        assert not stands_out(text())

    def test_in_a_text_that_is_spun_throughout_none_does(self) -> None:
        probability = text((150, 190, 0.9), clean=0.1)
        assert contrast(probability) > NOTABLE_CONTRAST
        assert not stands_out(probability)

    @pytest.mark.parametrize("words", [0, 1, ROLLING])
    def test_in_a_text_no_longer_than_a_stretch_none_does(self, words: int) -> None:
        assert not stands_out(np.linspace(0, 1, words))
