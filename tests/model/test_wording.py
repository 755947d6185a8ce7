"""model/wording.py: the numbers of a verdict in words."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import why
from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN, cases
from unspun.model.verdict import Repair
from unspun.model.wording import (
    DISGUISES,
    REPAIRS,
    human_texts,
    is_disguised,
    looks_like_this,
    percent,
    repairs_in_words,
    share_of_words,
)
from unspun.service.batch.scoring import supported_by

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("case", cases("rates.toml"), ids=why)
def test_rates_are_shown_as_counts_of_human_texts(case: dict[str, Any]) -> None:
    assert human_texts(case["rate"], case.get("supported", 0.0)) == case["shown"]


@given(st.floats(0, 1), st.floats(0, 0.01))
def test_any_rate_can_be_shown(rate: float, supported: float) -> None:
    assert human_texts(rate, supported)


def test_a_rate_is_shown_as_a_sentence() -> None:
    detector = FakeDetector()
    assert looks_like_this(detector.score(SPUN)) == "about 1 in 480 human texts of this length looks like this"
    assert looks_like_this(detector.score(CLEAR)) == "about 8 in 10 human texts of this length look like this"
    assert looks_like_this(detector.score("Too short.")) is None


def test_only_a_suspicious_share_is_shown() -> None:
    detector = FakeDetector()
    shown = [share_of_words(detector.score(text)) for text in (SPUN, CLEAR, "Too short.")]
    assert shown == ["93 % of the words", None, None]


def test_repairs_are_listed_in_words() -> None:
    repairs = (Repair("entity", 1), Repair("hidden", 1400), Repair("new_kind", 2))
    assert repairs_in_words(repairs) == "1 HTML entity, hidden text (1,400 words), new kind (2 places)"
    assert repairs_in_words(()) is None


def test_every_kind_of_repair_has_a_wording() -> None:
    counted = re.compile(r'(?:editor|work)\.count\("(\w+)"|_remove\(editor, "(\w+)"|repairs\["(\w+)"\]')
    code = "".join(file.read_text("utf-8") for room in ("model", "reading") for file in (ROOT / room).rglob("*.py"))
    found = {name for names in counted.findall(code) for name in names if name}
    assert "homoglyph" in found
    assert found - set(REPAIRS) == set()


def test_every_kind_of_repair_is_documented() -> None:
    page = (ROOT / "docs" / "verdict.md").read_text("utf-8")
    assert [what for what in REPAIRS if f"`{what}`" not in page] == []
    assert set(REPAIRS) >= DISGUISES


@pytest.mark.parametrize(
    ("repair", "disguised"),
    [
        (Repair("homoglyph", 10), True),
        (Repair("homoglyph", 9), False),  # too few to matter
        (Repair("ligature", 100), False),  # printers and programs make them
    ],
)
def test_many_repairs_of_a_disguise_are_a_sign(repair: Repair, disguised: bool) -> None:
    assert is_disguised(replace(FakeDetector().score(SPUN), repairs=(repair,))) is disguised


def test_a_few_hidden_words_in_a_long_text_are_usual() -> None:
    verdict = replace(FakeDetector().score(SPUN), words=1000, repairs=(Repair("hidden", 40),))
    assert not is_disguised(verdict)


@pytest.mark.parametrize(
    ("part", "shown"), [(0.974, "97 %"), (0.9982, ">99 %"), (0.002, "<1 %"), (0.0, "0 %"), (1.0, "100 %")]
)
def test_a_part_is_never_shown_as_0_or_100_percent(part: float, shown: str) -> None:
    assert percent(part) == shown


def test_the_supported_rate_comes_from_the_decision() -> None:
    assert (supported_by(FakeDetector()), supported_by(object())) == (0.002, 0.0)
