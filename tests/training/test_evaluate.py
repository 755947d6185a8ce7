"""training/record/evaluate.py: which texts count, and that the figures are those of training.metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.judge import FakeJudge, text
from unspun.model.verdict import KINDS, LABELS
from unspun.training.corpora.corpus import LabelledText
from unspun.training.record.evaluate import Evaluation, FalsePositives, Separation, evaluate
from unspun.training.reporting.metrics import auroc, wilson_interval

HUMAN = [text("human", score, n=n) for n, score in enumerate([0.0, 0.1, 0.2, 0.95])]
SPUN = [text("spun", score, n=n, tool="PWWS") for n, score in enumerate([0.15, 0.6, 0.92, 0.99])]
TRANSLATED = [text("translated", 0.97, tool="DeepL"), text("translated", 0.05, tool="Marian")]

answers = st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0, "too_short", "not_prose", "unfamiliar"])
corpora = st.lists(
    st.tuples(st.sampled_from(LABELS), answers, st.sampled_from([10, 79, 80, 900]), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@pytest.fixture(autouse=True, scope="module")
def few_resamples() -> Iterator[None]:
    """Make intervals rough, and the tests quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unspun.training.record.evaluate.RESAMPLES", 20)
        yield


def of(texts: list[LabelledText], **options: Any) -> Evaluation:
    return evaluate(FakeJudge(), texts, **options)


def named(rows: tuple[Any, ...]) -> dict[str, Any]:
    return {row.name: row for row in rows}


def test_what_the_model_learnt_from_is_left_out_and_counted() -> None:
    found = evaluate(FakeJudge(learnt=HUMAN[:2]), HUMAN + SPUN)
    assert (found.texts, found.learnt_from, len(found.answers.labels)) == (8, 2, 6)
    assert [(count.source, count.texts, count.learnt_from) for count in found.counts] == [
        ("human", 4, 2),
        ("spun", 4, 0),
    ]


def test_what_the_model_learnt_from_counts_when_asked_for() -> None:
    found = evaluate(FakeJudge(learnt=HUMAN[:2]), HUMAN + SPUN, include_training=True)
    assert (found.learnt_from, found.false_positives[0].texts) == (0, 4)


def test_white_space_does_not_hide_what_was_learnt_from() -> None:
    again = text("human", 0.3)
    spaced = LabelledText("x", "human", "human", again.text.replace(" ", "\n  "))
    assert evaluate(FakeJudge(learnt=[again]), [spaced]).learnt_from == 1


@pytest.mark.parametrize(("changed", "counted"), [(0.09, 4), (0.10, 5), (None, 5)])
def test_barely_changed_paraphrases_are_no_positives(changed: float | None, counted: int) -> None:
    found = of([*HUMAN, *SPUN, text("spun", 0.0, n=9, changed_frac=changed)])
    assert found.overall[0].texts == counted
    assert sum(count.barely_changed for count in found.counts) == 5 - counted


def test_human_text_is_never_barely_changed() -> None:
    assert of([text("human", 0.0, changed_frac=0.0)]).false_positives[0].texts == 1


def test_abstentions_are_in_no_rate_and_told_by_label_and_reason() -> None:
    found = of([*HUMAN, text("human", "too_short"), text("human", "not_prose"), text("spun", "unfamiliar")])
    assert found.false_positives[0].texts == 4
    none = {"too_short": 0, "not_english": 0, "not_prose": 0, "unfamiliar": 0}
    assert found.to_dict()["abstentions"]["rows"] == [
        {"label": "human", "texts": 6, **none, "too_short": 1, "not_prose": 1},
        {"label": "spun", "texts": 1, **none, "unfamiliar": 1},
    ]


def test_a_text_without_a_score_is_no_part_of_the_separation() -> None:
    abstained = [text("spun", "too_short", n=8), text("spun", "unfamiliar", n=9), text("human", "unfamiliar", n=9)]
    with_them, without = of([*HUMAN, *SPUN, *abstained]).overall[0], of([*HUMAN, *SPUN]).overall[0]
    assert (with_them.texts, with_them.auroc, with_them.tpr_1) == (without.texts, without.auroc, without.tpr_1)


class TestUnfamiliar:
    """Texts that are too unfamiliar for a verdict count against the model where it is said so."""

    def test_paraphrases_count_as_missed(self) -> None:
        found = of([*HUMAN, *SPUN, *(text("spun", "unfamiliar", n=20 + n, tool="PWWS") for n in range(4))])
        for row in (found.overall[0], found.by_tool[0], found.by_source[0]):
            assert (row.texts, row.unfamiliar) == (4, 4)
            assert (row.tpr_1, row.tpr_1_with_unfamiliar) == (0.25, 0.125)

    def test_human_texts_count_as_suspect(self) -> None:
        found = of([*HUMAN, text("human", "unfamiliar"), text("human", "too_short")]).false_positives[0]
        assert (found.texts, found.unfamiliar, found.suspect_rate) == (4, 1, 0.25)
        assert found.suspect_or_unfamiliar_rate == 2 / 5  # what is too short is nobody's fault

    def test_a_tool_of_which_all_is_unfamiliar_has_a_row(self) -> None:
        found = of([*HUMAN, text("spun", "unfamiliar", tool="Acme")])
        assert found.by_tool == (Separation("acme", 0, 1),)

    def test_a_source_of_which_all_is_unfamiliar_has_a_row(self) -> None:
        (row,) = of([text("human", "unfamiliar")]).false_positives_by_source
        assert (row.texts, row.unfamiliar, row.suspect_or_unfamiliar_rate) == (0, 1, 1.0)


def test_separation_is_measured_by_the_metrics() -> None:
    found = of(HUMAN + SPUN).overall[0]
    truth = [0] * 4 + [1] * 4
    scores = [0.0, 0.1, 0.2, 0.95, 0.15, 0.6, 0.92, 0.99]
    assert found.auroc == auroc(truth, scores)
    assert (found.tpr_1, found.tpr_05) == (0.25, 0.25)  # above 0.95, the highest of so few human texts


def test_shares_are_at_the_thresholds_of_the_model() -> None:
    found = of(HUMAN + SPUN).overall[0]
    assert (found.suspect_share, found.paraphrased_share) == (3 / 4, 2 / 4)


def test_a_kinds_own_entry_is_measured_beside_the_score() -> None:
    # The judge gives other kinds a tenth of the score: of human text, `translated` is one of these.
    row = named(of(HUMAN + TRANSLATED).overall)["translated"]
    truth = [0] * 4 + [1] * 2
    assert row.auroc == auroc(truth, [0.0, 0.1, 0.2, 0.95, 0.97, 0.05])
    assert row.kind_auroc == auroc(truth, [0.0, 0.01, 0.02, 0.095, 0.97, 0.05])


def test_texts_of_several_kinds_have_no_kind_of_their_own() -> None:
    found = of([*HUMAN, *SPUN, *TRANSLATED])
    assert found.overall[0].kind_auroc is None
    assert all(row.kind_auroc is not None for row in found.overall[1:])
    assert all(row.kind_auroc is not None for row in found.by_tool)


def test_kinds_are_each_told_from_all_human_text() -> None:
    found = named(of(HUMAN + SPUN + TRANSLATED).overall)
    assert {name: row.texts for name, row in found.items()} == {"all": 6, "spun": 4, "translated": 2}
    assert found["translated"].auroc == auroc([0] * 4 + [1] * 2, [0.0, 0.1, 0.2, 0.95, 0.97, 0.05])


def test_tools_go_by_maker_and_sources_by_name() -> None:
    found = of(
        [
            *HUMAN,
            text("spun", 0.9, n=1, tool="TextFooler via TextAttack", source="imdb"),
            text("spun", 0.8, n=2, tool="TextFooler", source="yelp"),
        ]
    )
    assert [(row.name, row.texts) for row in found.by_tool] == [("textfooler", 2)]
    assert [(row.name, row.texts) for row in found.by_source] == [("imdb", 1), ("yelp", 1)]


def test_false_positives_count_both_words_and_their_intervals() -> None:
    texts = [text("human", score, n=n) for n, score in enumerate([0.1] * 7 + [0.6, 0.6, 0.93])]
    assert of(texts).false_positives[0] == FalsePositives(
        "all", 10, 0, 1, 0.1, *wilson_interval(1, 10), 0.3, *wilson_interval(3, 10), 0.3
    )


def test_false_positives_of_long_texts_stand_by_themselves() -> None:
    found = of([text("human", 0.95, words=79), text("human", 0.1, words=80)])
    assert [(row.name, row.texts, row.paraphrased) for row in found.false_positives] == [
        ("all", 2, 1),
        ("80 words and more", 1, 0),
    ]
    assert [row.paraphrased for row in found.false_positives_by_source_from_80_words] == [0]


def test_bands_of_length() -> None:
    lengths = [0, 59, 60, 79, 80, 149, 150, 299, 300, 599, 600, 5000]
    found = of([text("human", 0.1, words=words) for words in lengths])
    assert [(row.name, row.texts) for row in found.false_positives_by_length] == [
        ("<60", 2),
        ("60-79", 2),
        ("80-149", 2),
        ("150-299", 2),
        ("300-599", 2),
        ("600+", 2),
    ]


def test_false_positives_by_domain() -> None:
    found = of([text("human", 0.95, n=1, domain="news"), text("human", 0.1, n=2, domain="IMDB review")])
    assert [(row.name, row.paraphrased) for row in found.false_positives_by_domain] == [
        ("news", 1),
        ("review", 0),
    ]


def test_text_of_language_models_is_neither_human_nor_paraphrased() -> None:
    found = of([*HUMAN, *SPUN, text("llm", 0.95), text("llm", 0.6), text("llm", 0.1), text("llm", 0.2)])
    assert (found.overall[0].texts, found.false_positives[0].texts) == (4, 4)
    (row,) = found.llm
    assert (row.clear_share, row.suspect_share, row.paraphrased_share) == (0.5, 0.25, 0.25)
    assert row.spun_share == 0.5


def test_confusion_of_kinds() -> None:
    found = named(of(HUMAN + SPUN + TRANSLATED).kinds)
    assert list(found) == ["human", "spun", "translated"]
    assert (found["translated"].clear_share, found["translated"].translated_share) == (0.5, 0.5)
    assert (found["human"].clear_share, found["human"].spun_share) == (0.75, 0.25)


def test_human_text_alone_has_false_positives_and_nothing_to_tell_apart() -> None:
    found = of(HUMAN)
    assert found.overall == (Separation("all", 0),)
    assert found.by_tool == ()
    assert found.false_positives[0].paraphrased == 1


def test_paraphrases_alone_have_nothing_to_be_told_from() -> None:
    found = of(SPUN)
    assert found.overall[0] == Separation("all", 4)
    assert found.false_positives_by_length == ()


def test_no_text_at_all() -> None:
    assert of([]).to_dict()["texts"]["read"] == 0


@settings(max_examples=30, deadline=None)
@given(corpora)
def test_every_text_is_counted_once(rows: list[tuple[str, Any, int, int]]) -> None:
    texts = [text(label, said, words=words, n=n) for label, said, words, n in rows]
    found = of(texts).to_dict()
    counted = found["texts"]
    assert counted.pop("read") == len(texts) == sum(counted.values())
    assert sum(row["texts"] for row in found["counts"]["rows"]) == len(texts)
    assert sum(row["texts"] for row in found["false_positives_by_length"]["rows"]) == counted["human"]
    assert sum(row["unfamiliar"] for row in found["by_tool"]["rows"]) == sum(
        said == "unfamiliar" and label in KINDS for label, said, _, _ in rows
    )
    assert sum(row["texts"] for row in found["kinds"]["rows"]) == len(texts) - counted["left_out_since_abstained"]


@settings(max_examples=15, deadline=None)
@given(corpora, st.randoms(use_true_random=False))
def test_the_order_of_texts_does_not_matter(rows: list[tuple[str, Any, int, int]], order: Any) -> None:
    texts = [text(label, said, words=words, n=n) for label, said, words, n in rows]
    shuffled = list(texts)
    order.shuffle(shuffled)
    intervals = ("auroc_low", "auroc_high")  # of samples drawn by place
    first, second = of(texts).to_dict(), of(shuffled).to_dict()
    for found in (first, second):
        for section in ("machine_against_human", "by_tool", "by_source"):
            for row in found[section]["rows"]:
                for name in intervals:
                    row.pop(name)
    assert first == second


def test_json_is_strict_and_the_same_twice() -> None:
    first, second = of(HUMAN + SPUN).to_json(), of(HUMAN + SPUN).to_json()
    assert first == second
    assert json.loads(first, parse_constant=pytest.fail)["model"]["name"] == "fake"


def test_figures_and_plots_are_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = of(HUMAN + SPUN + TRANSLATED)
    written = found.write(tmp_path / "new" / "folder")
    assert [path.name for path in written] == ["evaluation.json", "roc.png", "scores.png"]
    assert written[0].read_text("utf-8") == found.to_json()
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in written[1:])


def test_without_paraphrases_there_is_nothing_to_plot(tmp_path: Path) -> None:
    assert [path.name for path in of(HUMAN).write(tmp_path)] == ["evaluation.json"]
