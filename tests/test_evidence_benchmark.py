"""benchmarks/evidence.py: what counts as true evidence and as a right suggestion."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from benchmarks.evidence import judge, people
from tests.service.fake_detector import FakeDetector
from unspun.training.corpora.corpus import LabelledText

SPUN = "The imaginative and prescient of the town has a lot of vitality, and everybody was glad about it."


def counted(original: str) -> Counter[str]:
    detector: Any = FakeDetector()
    return judge(detector, [LabelledText("a", "spun", "made up", SPUN, original=original)], "auto")


@pytest.mark.parametrize(
    ("was", "true", "right"),
    [
        (("vision", "energy"), 2, 2),  # as suggested
        (("Vision", "energy"), 2, 2),  # in any case
        (("plan", "energy"), 2, 1),  # replaced, but not what is suggested
        (("imaginative and prescient", "energy"), 1, 1),  # not replaced at all
    ],
)
def test_evidence_is_judged_by_the_original(was: tuple[str, str], true: int, right: int) -> None:
    counts = counted(SPUN.replace("imaginative and prescient", was[0]).replace("vitality", was[1]))
    assert (counts["shown"], counts["true"], counts["probable"], counts["probable_right"]) == (2, true, 2, right)


def test_texts_that_are_not_found_show_nothing() -> None:
    detector: Any = FakeDetector()
    clear = LabelledText("a", "spun", "made up", "The plan of the town was clear to all of us.", original="The plan.")
    counts = judge(detector, [clear], "auto")
    assert (counts["texts"], counts["found"], counts["shown"]) == (1, 0, 0)


def test_the_phrases_of_people_are_counted_by_the_million() -> None:
    detector: Any = FakeDetector()
    figures = people(detector, [LabelledText("a", "human", "made up", SPUN)])
    assert figures["known phrases"] == 2
    assert figures["known phrases per million words"] == f"{2e6 / len(SPUN.split()):.1f}"
