"""model/verdict.py: where a score becomes a word, and the bytes that every surface shows."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.verdict import KINDS, Band, Doubt, Evidence, ModelInfo, SpunPassage, Thresholds, Verdict, decide

DATA = Path(__file__).parents[1] / "data" / "model"
CASES = tomllib.loads((DATA / "verdicts.toml").read_text("utf-8"))["case"]
MODEL = ModelInfo("tiny", "1", "00")
THRESHOLDS = Thresholds(40, (Band(40, 0.4, 0.7), Band(100, 0.3, 0.6)))
SHARES = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(any)


def verdict(probabilities: tuple[float, ...], **changed: Any) -> Verdict:
    fixed: dict[str, Any] = {"id": None, "words": 100, "reason": None, "depth": "fast", "evidence": None}
    return decide(probabilities=probabilities, model=MODEL, thresholds=THRESHOLDS, **{**fixed, **changed})


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["probabilities"]))
def test_a_score_becomes_a_word(case: dict[str, Any]) -> None:
    found = verdict(tuple(case["probabilities"]), words=case["words"], reason=case.get("reason"))
    assert (found.verdict, found.kind) == (case["verdict"], case.get("kind"))


@given(SHARES)
def test_kinds_sum_to_one_as_printed(shares: list[float]) -> None:
    found = verdict(tuple(share / sum(shares) for share in shares))
    assert sum(Decimal(str(value)) for value in found.kinds.values()) == 1
    assert list(found.kinds) == list(KINDS)
    assert all(0 <= value <= 1 for value in found.kinds.values())


@given(SHARES)
def test_the_score_is_what_is_not_human_as_printed(shares: list[float]) -> None:
    answer = json.loads(verdict(tuple(share / sum(shares) for share in shares)).to_json(), parse_float=Decimal)
    assert answer["score"] == 1 - answer["kinds"]["human"]


@given(SHARES)
def test_rounding_moves_no_kind_by_more_than_a_millionth(shares: list[float]) -> None:
    probabilities = tuple(share / sum(shares) for share in shares)
    found = verdict(probabilities).kinds.values()
    assert all(abs(a - b) <= 1.000001e-6 for a, b in zip(found, probabilities, strict=True))


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 300))
def test_a_higher_score_is_never_a_milder_word(first: float, second: float, words: int) -> None:
    order = ("clear", "suspect", "paraphrased")
    low, high = sorted((first, second))
    assert order.index(THRESHOLDS.word(low, words)) <= order.index(THRESHOLDS.word(high, words))


def test_bands_are_read_in_any_order() -> None:
    bands = [{"words": 100, "suspect": 0.3, "paraphrased": 0.6}, {"words": 40, "suspect": 0.4, "paraphrased": 0.7}]
    assert Thresholds.from_manifest({"minimum_words": 40, "bands": bands}) == THRESHOLDS


def test_the_keys_are_in_the_documented_order() -> None:
    evidence = (Evidence(0, 3, "abc", None, "misfit", 1.5), Evidence(4, 6, "de", "x", "substitution", 2.5, ("y", "z")))
    found = verdict((0.1, 0.9, 0.0, 0.0), id="a.txt", evidence=evidence, passages=(SpunPassage(0, 6, 2),))
    assert found.to_json() == (
        '{"id": "a.txt", "score": 0.9, "verdict": "paraphrased", "kind": "spun", '
        '"kinds": {"human": 0.1, "spun": 0.9, "translated": 0.0, "rewritten": 0.0}, '
        '"reason": null, "words": 100, "depth": "fast", '
        '"evidence": [{"start": 0, "end": 3, "text": "abc", "suggestion": null, "signal": "misfit", "weight": 1.5, '
        '"alternatives": []}, {"start": 4, "end": 6, "text": "de", "suggestion": "x", "signal": "substitution", '
        '"weight": 2.5, "alternatives": ["y", "z"]}], '
        '"passages": [{"start": 0, "end": 6, "words": 2}], '
        '"model": {"name": "tiny", "version": "1", "sha256": "00"}}'
    )


def test_evidence_that_was_not_asked_for_is_left_out() -> None:
    assert {"evidence", "passages"}.isdisjoint(verdict((1.0, 0.0, 0.0, 0.0)).to_dict())


def test_evidence_that_was_asked_for_and_not_found_is_an_empty_list() -> None:
    assert verdict((1.0, 0.0, 0.0, 0.0), evidence=()).to_dict()["evidence"] == []


def test_passages_that_were_not_found_are_an_empty_list() -> None:
    assert verdict((1.0, 0.0, 0.0, 0.0), evidence=()).to_dict()["passages"] == []


@pytest.mark.parametrize(
    ("probabilities", "shown"),
    [
        ((0.1, 0.9, 0.0, 0.0), True),  # paraphrased, spun
        ((0.5, 0.5, 0.0, 0.0), True),  # suspect, spun
        ((0.9, 0.1, 0.0, 0.0), False),  # clear
        ((0.1, 0.0, 0.9, 0.0), False),  # translated: the whole text is
        ((0.1, 0.0, 0.0, 0.9), False),  # rewritten
    ],
)
def test_only_of_a_spun_text_a_passage_is_shown(probabilities: tuple[float, ...], shown: bool) -> None:
    passages = (SpunPassage(10, 90, 20),)
    assert verdict(probabilities, passages=passages).passages == (passages if shown else ())


def test_a_text_that_is_abstained_from_has_no_passages() -> None:
    assert verdict((0.0, 1.0, 0.0, 0.0), reason="not_prose", passages=(SpunPassage(10, 90, 20),)).passages == ()


class TestDoubt:
    """Where the fast tier's answer stands: the limit of the score depends on length, that of the contrast does not."""

    DOUBT = Doubt(((40, 0.1), (100, 0.2)), 3.0)

    @pytest.mark.parametrize(
        ("score", "words", "contrast", "settled"),
        [
            (0.05, 60, 0.0, True),
            (0.15, 60, 0.0, False),
            (0.15, 100, 0.0, True),  # from 100 words on the fast tier is trusted with more
            (0.15, 99, 0.0, False),
            (0.25, 5000, 0.0, False),  # the last band has no end
            (0.05, 10, 0.0, True),  # below the first band its limit holds
            (0.15, 10, 0.0, False),
            (0.1, 60, 0.0, False),  # at a limit the deep tier is asked
            (0.05, 60, 2.9, True),
            (0.05, 60, 3.0, False),
            (0.05, 500, 9.0, False),  # a low score with a passage that stands out
        ],
    )
    def test_the_fast_tier_is_believed_below_both_limits(
        self, score: float, words: int, contrast: float, settled: bool
    ) -> None:
        assert self.DOUBT.settles(score, words, contrast) is settled

    def test_bands_are_read_in_any_order(self) -> None:
        bands = [{"words": 100, "score": 0.2}, {"words": 40, "score": 0.1}]
        assert Doubt.from_manifest({"bands": bands, "contrast": 3}) == self.DOUBT


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_leaves_as_one_line_of_json(text: str) -> None:
    line = verdict((1.0, 0.0, 0.0, 0.0), id=text).to_json()
    assert json.loads(line.encode("utf-8"))["id"] == text
    assert "\n" not in line


def test_letters_beyond_ascii_are_written_as_they_are() -> None:
    assert '"Ω.txt"' in verdict((1.0, 0.0, 0.0, 0.0), id="Ω.txt").to_json()
