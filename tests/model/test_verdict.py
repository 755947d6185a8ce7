"""model/verdict.py: the verdict, and its JSON form, which is the same everywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspun.model.verdict import KINDS, Evidence, ModelInfo, Repair, SpunPassage, Verdict

MODEL = ModelInfo("tiny", "1", "00")
SHARES = st.floats(0, 1)
EVIDENCE = (
    Evidence(0, 3, "abc", None, "misfit", 1.5),
    Evidence(4, 6, "de", "x", "substitution", 2.5, ("y", "z"), True),
)


def verdict(**changed: Any) -> Verdict:
    plain: dict[str, Any] = {
        "id": "a.txt",
        "verdict": "paraphrased",
        "kind": "spun",
        "score": 0.97,
        "false_positive_rate": 0.0021,
        "share": 0.93,
        "kinds": {"spun": 0.97, "translated": 0.12, "rewritten": 0.08},
        "reason": None,
        "words": 812,
        "depth": "deep",
        "repairs": (),
        "evidence": None,
        "model": MODEL,
    }
    return Verdict(**{**plain, **changed})


ABSTAINED = verdict(
    verdict="abstained", kind=None, score=None, false_positive_rate=None, share=None, kinds=None, reason="unfamiliar"
)
verdicts = st.builds(
    verdict,
    score=SHARES,
    false_positive_rate=SHARES,
    share=SHARES,
    kinds=st.fixed_dictionaries(dict.fromkeys(KINDS, SHARES)),
    probability=st.none() | SHARES,
    evidence=st.sampled_from([None, (), EVIDENCE]),
    repairs=st.sampled_from([(), (Repair("entity", 2),)]),
) | st.just(ABSTAINED)


def test_the_keys_are_in_the_documented_order() -> None:
    found = verdict(
        repairs=(Repair("entity", 2),), evidence=EVIDENCE, passages=(SpunPassage(0, 6, 2),), probability=0.61
    )
    assert found.to_json() == (
        '{"id": "a.txt", "verdict": "paraphrased", "kind": "spun", "score": 0.97, "false_positive_rate": 0.0021, '
        '"share": 0.93, "kinds": {"spun": 0.97, "translated": 0.12, "rewritten": 0.08}, "probability": 0.61, '
        '"reason": null, "words": 812, "english": 1.0, "depth": "deep", "repairs": [{"what": "entity", "count": 2}], '
        '"evidence": [{"start": 0, "end": 3, "text": "abc", "suggestion": null, "signal": "misfit", "weight": 1.5, '
        '"alternatives": [], "probable": false}, {"start": 4, "end": 6, "text": "de", "suggestion": "x", '
        '"signal": "substitution", "weight": 2.5, "alternatives": ["y", "z"], "probable": true}], '
        '"passages": [{"start": 0, "end": 6, "words": 2}], "sentences": [], "observations": [], '
        '"model": {"name": "tiny", "version": "1", "sha256": "00"}}'
    )


def test_the_numbers_of_an_abstention_are_null() -> None:
    assert ABSTAINED.to_json().startswith(
        '{"id": "a.txt", "verdict": "abstained", "kind": null, "score": null, "false_positive_rate": null, '
        '"share": null, "kinds": null, "reason": "unfamiliar", '
    )


def test_a_probability_is_given_only_with_a_base_rate() -> None:
    assert "probability" not in verdict().to_dict()
    assert verdict(probability=0.0).to_dict()["probability"] == 0.0


def test_evidence_that_was_not_requested_is_left_out() -> None:
    assert {"evidence", "passages"}.isdisjoint(verdict().to_dict())


def test_evidence_that_was_requested_but_not_found_is_an_empty_list() -> None:
    found = verdict(evidence=()).to_dict()
    assert (found["evidence"], found["passages"]) == ([], [])


def test_a_verdict_without_evidence_is_that_of_a_request_for_none() -> None:
    found = verdict(evidence=EVIDENCE, passages=(SpunPassage(0, 6, 2),))
    assert found.without_evidence() == verdict()


def test_the_dictionary_is_a_copy() -> None:
    found = verdict()
    found.to_dict()["kinds"]["spun"] = 0.0
    assert found.kinds == {"spun": 0.97, "translated": 0.12, "rewritten": 0.08}


@given(verdicts)
def test_a_verdict_comes_back_from_its_json(found: Verdict) -> None:
    assert Verdict.from_dict(json.loads(found.to_json())) == found


def test_keys_of_a_later_version_are_ignored() -> None:
    assert Verdict.from_dict({**verdict().to_dict(), "mood": "grim"}) == verdict()


@pytest.mark.parametrize("missing", ["verdict", "score", "false_positive_rate", "share", "kinds", "words", "model"])
def test_an_answer_without_a_required_key_is_refused(missing: str) -> None:
    answer = verdict().to_dict()
    del answer[missing]
    with pytest.raises(LookupError):
        Verdict.from_dict(answer)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_is_written_as_one_line_of_json(text: str) -> None:
    line = verdict(id=text).to_json()
    assert json.loads(line.encode("utf-8"))["id"] == text
    assert "\n" not in line


def test_letters_beyond_ascii_are_written_as_they_are() -> None:
    assert '"Ω.txt"' in verdict(id="Ω.txt").to_json()


def test_repairs_of_the_format_are_added_to_those_of_the_text() -> None:
    found = verdict(repairs=(Repair("entity", 2), Repair("zero_width", 1))).with_repairs({"hidden": 40, "entity": 3})
    assert found.repairs == (Repair("entity", 5), Repair("hidden", 40), Repair("zero_width", 1))


def test_without_more_repairs_a_verdict_stays_as_it_is() -> None:
    assert verdict().with_repairs({}) == verdict()
