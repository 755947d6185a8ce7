"""model/text/allowed.py: terms that are never evidence, and that change the score of no kind."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tables as tiny
from tests.cases import cases, why
from unspun.model.detector import Detector
from unspun.model.text.allowed import MOST_TERMS, Allowed, AllowedError
from unspun.model.text.document import Documents, TokenClass

NAMES = ("zyx", "Qwert", "ACME", "mayor", "bridge")
"""Words that the tiny model knows, and words that it does not."""
SPUN = Path(__file__).parents[2] / "seeds" / "examples" / "spun" / "01-harbour-swimmers.wordnet.txt"


@pytest.mark.parametrize("case", cases("model/allowed.toml", "found"), ids=why)
def test_terms_are_found(case: dict[str, Any]) -> None:
    documents = Documents.parse([case["text"]], allowed=Allowed(case["terms"]))
    found = np.flatnonzero(documents.token_allowed & (documents.token_class == TokenClass.WORD))
    assert [documents.token_text(token) for token in found.tolist()] == case["words"]


@pytest.mark.parametrize("case", cases("model/allowed.toml", "refused"), ids=why)
def test_a_wrong_entry_is_refused_and_named(case: dict[str, Any]) -> None:
    with pytest.raises(AllowedError) as refused:
        Allowed(case["terms"])
    assert str(refused.value).startswith(case["message"])


def test_a_term_that_is_one_too_many_is_refused_and_named() -> None:
    with pytest.raises(AllowedError, match=r"term 10,001: 'w10000' is one too many: a list may have 10,000 terms"):
        Allowed(f"w{number}" for number in range(100_000))


def test_a_file_has_a_term_on_each_line(tmp_path: Path) -> None:
    file = tmp_path / "terms.txt"
    file.write_bytes(b"\xef\xbb\xbf# Our terms\r\nspline\r\n\r\nGradient  Boosting\r\nSPLINE\r\n")
    assert Allowed.read(file).terms == ("spline", "gradient boosting")
    assert Allowed.read(file) == Allowed(["gradient boosting", "spline"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"spline\ntime\n", r"terms\.txt: line 2: 'time' is one of the thousand commonest words"),
        ("spline".encode("utf-16"), r"terms\.txt: is not UTF-8 text; save it as UTF-8"),
        (b"x" * 1_000_000, r"terms\.txt: line 1: 'x+\.\.\.' is too long"),
        (b"\0" * 1_000_000, r"terms\.txt: line 1: .* has no word"),
    ],
    ids=["a common word", "another encoding", "one long line", "a binary file"],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "terms.txt"
    file.write_bytes(content)
    with pytest.raises(AllowedError, match=message):
        Allowed.read(file)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AllowedError, match="No such file or directory; give a text file"):
        Allowed.read(tmp_path / "missing.txt")
    with pytest.raises(AllowedError, match="Is a directory"):
        Allowed.read(tmp_path)


@settings(max_examples=20)
@given(first=st.sampled_from(NAMES), second=st.sampled_from(NAMES), places=st.sets(st.integers(0, 9), max_size=5))
def test_it_does_not_matter_which_term_it_is(
    deep_detector: Detector, first: str, second: str, places: set[int]
) -> None:
    detector = deep_detector.allowing(Allowed(NAMES))
    texts = [
        " ".join(
            f"They met {name} there. {sentence}" if i in places else sentence for i, sentence in enumerate(SENTENCES)
        )
        for name in (first, second)
    ]
    for depth in ("fast", "deep"):
        one, other = (detector.score(text, depth=depth) for text in texts)
        assert (one.kinds, one.words, one.allowed) == (other.kinds, other.words, other.allowed)


SENTENCES = tiny.SENTENCES[:10]


def test_terms_are_never_evidence(shipped: Detector) -> None:
    text = SPUN.read_text("utf-8")
    odd = ("atomic", "calendar", "paries", "swum", "corroded")
    before = shipped.score(text)
    assert {*odd} <= {evidence.text for evidence in before.evidence or ()}
    after = shipped.allowing(Allowed(odd)).score(text)
    assert not {*odd} & {evidence.text.lower() for evidence in after.evidence or ()}
    assert (after.kinds or {})["spun"] < (before.kinds or {})["spun"]
    assert after.allowed
    assert after.words + after.allowed == before.words


def test_a_known_phrase_that_is_allowed_does_not_count(detector: Detector) -> None:
    text = f"{tiny.ARTICLE} They spoke of counterfeit consciousness."
    allowing = detector.allowing(Allowed(["counterfeit consciousness"]))
    assert "known_phrase" in {evidence.signal for evidence in detector.score(text, evidence="all").evidence or ()}
    assert "known_phrase" not in {evidence.signal for evidence in allowing.score(text, evidence="all").evidence or ()}


def test_slips_around_a_term_do_not_count(detector: Detector) -> None:
    text = f"{tiny.ARTICLE} They spoke of {{spline}} and of a iguana."
    allowing = detector.allowing(["spline", "iguana"])
    assert "debris" in {evidence.signal for evidence in detector.score(text, evidence="all").evidence or ()}
    assert "debris" not in {evidence.signal for evidence in allowing.score(text, evidence="all").evidence or ()}


def test_more_than_a_fifth_of_the_words_gives_no_verdict(detector: Detector) -> None:
    words = tiny.ARTICLE.split()
    text = " ".join([*words, *["spline"] * (len(words) // 4)])
    assert detector.allowing(Allowed(["spline"])).score(text).reason is None
    verdict = detector.allowing(Allowed(["spline"])).score(f"{text} spline spline")
    assert (verdict.verdict, verdict.reason, verdict.score) == ("abstained", "allowed_terms", None)
    assert detector.allowing(Allowed(["kriging"])).score(f"{text} spline spline").reason is None


def test_allowed_words_do_not_make_a_text_long_enough(detector: Detector) -> None:
    verdict = detector.allowing(Allowed(["spline"])).score("The mayor of the town opened the spline. " * 5)
    assert (verdict.reason, verdict.words, verdict.allowed) == ("too_short", 35, 5)


def test_a_list_of_strings_will_do(detector: Detector) -> None:
    assert detector.allowing(["ferry"]).score(tiny.ARTICLE) == detector.allowing(Allowed(["ferry"])).score(tiny.ARTICLE)
    with pytest.raises(TypeError, match=r"use Allowed\.read\(path\)"):
        detector.allowing("terms.txt")


def test_a_verdict_without_a_list_says_nothing_of_it(detector: Detector) -> None:
    assert "allowed" not in detector.score(tiny.ARTICLE).to_dict()
    assert detector.allowing(Allowed([])).score(tiny.ARTICLE).to_dict()["allowed"] == 0


def test_a_detector_keeps_its_terms_in_another_process(detector: Detector) -> None:
    copy = pickle.loads(pickle.dumps(detector.allowing(Allowed(["ferry"]))))
    assert copy.score(tiny.ARTICLE) == detector.allowing(Allowed(["ferry"])).score(tiny.ARTICLE)


def test_a_long_list_takes_little_time(detector: Detector) -> None:
    assert detector.allowing(Allowed(f"w{i} x{i} y{i}" for i in range(MOST_TERMS))).score(tiny.ARTICLE).allowed == 0
