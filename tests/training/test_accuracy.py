"""training/record/accuracy.py: the accuracy page, from invented verdicts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unspun.training.corpora.corpus import LabelledText
from unspun.training.corpora.roles import default_roles
from unspun.training.record.accuracy import (
    PARAPHRASED,
    SUSPECT,
    AccuracyRecord,
    ProgramVerdicts,
    false_positive_table,
    held_out,
    markdown,
    score_by,
    separation,
    share,
    summary,
    worst_source,
)
from unspun.training.record.cases import Case


def verdict(word: str, score: float | None = 0.1, reason: str | None = None) -> dict[str, Any]:
    kinds = {"spun": score, "translated": 0.1, "rewritten": 0.1}
    return {"verdict": word, "score": score, "kinds": kinds, "reason": reason, "depth": "fast", "words": 200}


def record(rows: list[tuple[str, str, str, dict[str, Any]]]) -> AccuracyRecord:
    """Return a record of rows: label, source, maker, verdict."""
    labels, sources, makers, verdicts = zip(*rows, strict=True)
    return AccuracyRecord(
        np.array(labels),
        np.array(sources),
        np.array(makers),
        np.array(["whole"] * len(rows)),
        np.zeros(len(rows), dtype=np.int64),
        np.array(["2019"] * len(rows)),
        {"auto": ProgramVerdicts.of(verdicts)},
    )


ABSTAINED = verdict("abstained", None, "unfamiliar") | {"kinds": None}
SETTLED = verdict("clear", None) | {"kinds": None, "depth": "first"}
SHORT = verdict("abstained", None, "too_short") | {"kinds": None}
HUMAN = [("human", "essays", "", verdict("clear", i / 1000)) for i in range(98)]
MIXED = record(
    [
        *HUMAN,
        ("human", "essays", "", verdict("suspect", 0.6)),
        ("human", "essays", "", verdict("paraphrased", 0.95)),
        ("human", "essays", "", ABSTAINED),
        ("human", "essays", "", SHORT),
        *(("spun", "pages", "spinner", verdict("paraphrased", 0.9 + i / 1000)) for i in range(20)),
    ]
)
AUTO = MIXED.programs["auto"]


def test_verdicts_are_counted_over_the_texts_that_could_be_judged() -> None:
    assert share(AUTO, MIXED.human(), PARAPHRASED) == (1, 101)
    assert share(AUTO, MIXED.human(), SUSPECT) == (2, 101)


def test_unfamiliar_texts_can_be_counted_against_the_program() -> None:
    assert share(AUTO, MIXED.human(), SUSPECT, unfamiliar=True) == (3, 101)


def test_texts_without_a_verdict_are_left_out_of_separation() -> None:
    found = separation(AUTO.kinds[:, 0], MIXED.made_by("spun")["spinner"], MIXED.human())
    assert found["auroc"] == pytest.approx(1.0, abs=0.02)


def test_texts_that_the_first_tier_settled_rank_below_all_others() -> None:
    found = ProgramVerdicts.of([SETTLED, verdict("clear", 0.0), ABSTAINED])
    assert found.score[0] < found.score[1]
    assert (found.kinds[0] < found.kinds[1]).all()
    assert np.isnan(found.score[2])


def test_separation_without_texts_is_nan() -> None:
    nobody = np.zeros(len(AUTO.score), dtype=bool)
    assert np.isnan(separation(AUTO.score, nobody, MIXED.human())["auroc"])


def test_the_kinds_of_older_versions_are_relative_to_human() -> None:
    kinds = {"human": 0.6, "spun": 0.3, "translated": 0.1, "rewritten": 0.0}
    old = ProgramVerdicts.of([verdict("clear", 0.4) | {"kinds": kinds}])
    assert old.kinds[0].tolist() == pytest.approx([1 / 3, 1 / 7, 0.0])


def test_the_worst_source_needs_enough_texts() -> None:
    rows = [("human", "small", "", verdict("paraphrased", 0.99)), *HUMAN]
    assert worst_source(record(rows), record(rows).programs["auto"], PARAPHRASED)[0] != "small"


def test_sources_are_listed_worst_first() -> None:
    rows = [*HUMAN, *(("human", "worse", "", verdict("paraphrased", 0.95)) for _ in range(3))]
    made = record(rows)
    groups = [(name, made.sources == name) for name in ("essays", "worse")]
    assert [cells[0] for cells in false_positive_table(made, groups)] == ["worse", "essays"]


def test_the_page_has_every_table() -> None:
    page = markdown(MIXED, default_roles(), "test", "python -m unspun.training.record.accuracy corpora")
    for title in ("# Accuracy", "by source, worst first", "by length", "by year", "Recall by maker"):
        assert title in page
    assert "python -m unspun.training.record.accuracy corpora" in page
    assert any(name == "human texts called `paraphrased`" for name, _ in summary(MIXED, AUTO, default_roles()))


def test_a_text_that_also_has_another_role_is_left_out() -> None:
    roles = default_roles()
    texts = [
        LabelledText("1", "human", "scitldr_abstracts", "The same words."),
        LabelledText("2", "human", "bbc_news", "The same  words."),
        LabelledText("3", "human", "scitldr_abstracts", "Other words."),
    ]
    assert [text.id for text in held_out(texts, roles, "test")] == ["3"]


def test_another_program_is_measured_on_the_same_texts(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    one = json.loads(line)\n"
        f"    print(json.dumps({verdict('clear', 0.2)!r} | {{'id': one['id']}}))\n"
    )
    some = [Case(LabelledText(str(i), "human", "essays", "Words.")) for i in range(3)]
    assert score_by(f"{sys.executable} {program}", some).verdict.tolist() == ["clear"] * 3


def test_a_program_that_fails_is_named() -> None:
    some = [Case(LabelledText("1", "human", "essays", "Words."))]
    with pytest.raises(RuntimeError, match="0 of 1 texts scored"):
        score_by(f"{sys.executable} -c pass", some)
