"""training/record/evaluate.py: which texts count, and figures that agree with training/reporting/metrics.py."""

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
from unspun.training.record.evaluate import Evaluation, evaluate
from unspun.training.reporting.metrics import auroc, share_with_interval

HUMAN = [text("human", score, n=n) for n, score in enumerate([0.0, 0.1, 0.2, 0.95])]
SPUN = [text("spun", score, n=n, tool="PWWS") for n, score in enumerate([0.15, 0.6, 0.92, 0.99])]
TRANSLATED = [text("translated", 0.97, tool="DeepL"), text("translated", 0.05, tool="Marian")]
NO_FIGURES = ("auroc", "kind_auroc", "tpr_1", "tpr_1_with_unfamiliar", "tpr_05", "suspect_share", "paraphrased_share")

answers = st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0, "too_short", "not_prose", "unfamiliar"])
corpora = st.lists(
    st.tuples(st.sampled_from(LABELS), answers, st.sampled_from([10, 79, 80, 900]), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@pytest.fixture(autouse=True, scope="module")
def few_resamples() -> Iterator[None]:
    """Compute rough intervals, to keep the tests fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unspun.training.record.evaluate.RESAMPLES", 20)
        yield


def of(*texts: list[LabelledText] | LabelledText, **options: Any) -> Evaluation:
    flat = [one for part in texts for one in (part if isinstance(part, list) else [part])]
    return evaluate(FakeJudge(), flat, **options)


def table(found: Evaluation, section: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return the named columns of a section, a tuple for each row."""
    return [tuple(row[column] for column in columns) for row in found.sections[section]["rows"]]


def first(found: Evaluation, section: str) -> dict[str, Any]:
    row: dict[str, Any] = found.sections[section]["rows"][0]
    return row


def test_texts_that_the_model_learnt_from_are_left_out_and_counted() -> None:
    found = evaluate(FakeJudge(learnt=HUMAN[:2]), HUMAN + SPUN)
    assert (found.texts, found.learnt_from, len(found.answers.labels)) == (8, 2, 6)
    assert table(found, "counts", "source", "texts", "learnt_from") == [("human", 4, 2), ("spun", 4, 0)]


def test_texts_that_the_model_learnt_from_count_on_request() -> None:
    found = evaluate(FakeJudge(learnt=HUMAN[:2]), HUMAN + SPUN, include_training=True)
    assert (found.learnt_from, first(found, "false_positives")["texts"]) == (0, 4)


def test_other_white_space_does_not_hide_a_text_that_the_model_learnt_from() -> None:
    again = text("human", 0.3)
    spaced = LabelledText("x", "human", "human", again.text.replace(" ", "\n  "))
    assert evaluate(FakeJudge(learnt=[again]), [spaced]).learnt_from == 1


@pytest.mark.parametrize(("changed", "counted"), [(0.09, 4), (0.10, 5), (None, 5)])
def test_barely_changed_paraphrases_are_not_counted_as_positives(changed: float | None, counted: int) -> None:
    found = of(HUMAN, SPUN, text("spun", 0.0, n=9, changed_frac=changed))
    assert first(found, "machine_against_human")["texts"] == counted
    assert sum(barely for (barely,) in table(found, "counts", "barely_changed")) == 5 - counted


def test_human_text_is_never_barely_changed() -> None:
    assert first(of(text("human", 0.0, changed_frac=0.0)), "false_positives")["texts"] == 1


def test_abstentions_are_in_no_rate_and_are_counted_by_label_and_reason() -> None:
    found = of(HUMAN, text("human", "too_short"), text("human", "not_prose"), text("spun", "unfamiliar"))
    assert first(found, "false_positives")["texts"] == 4
    none = {"too_short": 0, "not_english": 0, "verse": 0, "not_prose": 0, "allowed_terms": 0, "unfamiliar": 0} | {
        "unsettled": 0
    }
    assert found.sections["abstentions"]["rows"] == [
        {"label": "human", "texts": 6, **none, "too_short": 1, "not_prose": 1},
        {"label": "spun", "texts": 1, **none, "unfamiliar": 1},
    ]


def test_texts_without_a_score_do_not_change_the_separation() -> None:
    abstained = [text("spun", "too_short", n=8), text("spun", "unfamiliar", n=9), text("human", "unfamiliar", n=9)]
    columns = ("texts", "auroc", "tpr_1")
    assert (
        table(of(HUMAN, SPUN, abstained), "machine_against_human", *columns)[0]
        == (table(of(HUMAN, SPUN), "machine_against_human", *columns)[0])
    )


class TestFirstTier:
    """Texts that the first tier settled have no score: they rank below all others, as the least suspicious ones."""

    def test_settled_human_texts_rank_below_all_paraphrases(self) -> None:
        lowest = [text("spun", 0.0, n=n) for n in range(4)]
        row = first(of([text("human", "settled", n=n) for n in range(4)], lowest), "machine_against_human")
        assert (row["auroc"], row["kind_auroc"], row["tpr_1"], row["suspect_share"]) == (1.0, 1.0, 1.0, 0.0)

    def test_settled_paraphrases_are_missed(self) -> None:
        missed = [text("spun", "settled", n=n) for n in range(4)]
        row = first(of(HUMAN, missed), "machine_against_human")
        assert (row["texts"], row["auroc"], row["kind_auroc"], row["tpr_1"]) == (4, 0.0, 0.0, 0.0)

    def test_settled_human_texts_are_no_false_positives(self) -> None:
        row = first(of(HUMAN, [text("human", "settled", n=20 + n) for n in range(6)]), "false_positives")
        assert (row["texts"], row["paraphrased"]) == (10, 1)

    def test_unsettled_texts_are_abstentions(self) -> None:
        found = of(HUMAN, SPUN, text("human", "unsettled", n=9), text("spun", "unsettled", n=9))
        assert [row["unsettled"] for row in found.sections["abstentions"]["rows"]] == [1, 1]
        assert first(found, "machine_against_human")["texts"] == 4

    def test_the_plots_show_them_at_the_lowest_score(self, tmp_path: Path) -> None:
        found = of(HUMAN, SPUN, text("human", "settled", n=9))
        assert [path.name for path in found.write(tmp_path)] == ["evaluation.json", "roc.png", "scores.png"]


class TestUnfamiliar:
    """Texts that are too unfamiliar for a verdict count against the model in the columns that say so."""

    @pytest.mark.parametrize("section", ["machine_against_human", "by_tool", "by_source"])
    def test_paraphrases_count_as_missed(self, section: str) -> None:
        row = first(of(HUMAN, SPUN, [text("spun", "unfamiliar", n=20 + n, tool="PWWS") for n in range(4)]), section)
        assert (row["texts"], row["unfamiliar"]) == (4, 4)
        assert (row["tpr_1"], row["tpr_1_with_unfamiliar"]) == (0.25, 0.125)

    def test_human_texts_count_as_suspect(self) -> None:
        found = of(HUMAN, text("human", "unfamiliar"), text("human", "too_short"))
        columns = ("texts", "unfamiliar", "suspect_rate", "suspect_or_unfamiliar_rate")
        assert table(found, "false_positives", *columns)[0] == (4, 1, 0.25, 2 / 5)  # too short counts nowhere

    def test_a_tool_with_unfamiliar_texts_alone_has_a_row(self) -> None:
        row = first(of(HUMAN, text("spun", "unfamiliar", tool="Acme")), "by_tool")
        assert (row["tool"], row["texts"], row["unfamiliar"]) == ("acme", 0, 1)
        assert [row[name] for name in NO_FIGURES] == [None] * len(NO_FIGURES)

    def test_a_source_with_unfamiliar_texts_alone_has_a_row(self) -> None:
        found = of(text("human", "unfamiliar"))
        columns = ("texts", "unfamiliar", "suspect_or_unfamiliar_rate")
        assert table(found, "false_positives_by_source", *columns) == [(0, 1, 1.0)]


def test_separation_is_measured_by_the_metrics() -> None:
    row = first(of(HUMAN + SPUN), "machine_against_human")
    truth = [0] * 4 + [1] * 4
    scores = [0.0, 0.1, 0.2, 0.95, 0.15, 0.6, 0.92, 0.99]
    assert row["auroc"] == auroc(truth, scores)
    assert (row["tpr_1"], row["tpr_05"]) == (0.25, 0.25)  # above 0.95, the highest of so few human texts
    assert (row["suspect_share"], row["paraphrased_share"]) == (3 / 4, 2 / 4)


def test_each_kind_is_compared_with_all_human_text_by_the_score_and_by_its_own_entry() -> None:
    # The judge gives the other kinds a tenth of the score; for human text, `translated` is one of them.
    found = of(HUMAN, SPUN, TRANSLATED)
    assert table(found, "machine_against_human", "kind", "texts") == [("all", 6), ("spun", 4), ("translated", 2)]
    row = found.sections["machine_against_human"]["rows"][2]
    truth = [0] * 4 + [1] * 2
    assert row["auroc"] == auroc(truth, [0.0, 0.1, 0.2, 0.95, 0.97, 0.05])
    assert row["kind_auroc"] == auroc(truth, [0.0, 0.01, 0.02, 0.095, 0.97, 0.05])


def test_texts_of_several_kinds_have_no_entry_of_their_own() -> None:
    found = of(HUMAN, SPUN, TRANSLATED)
    assert [area is None for (area,) in table(found, "machine_against_human", "kind_auroc")] == [True, False, False]
    assert all(area is not None for (area,) in table(found, "by_tool", "kind_auroc"))


def test_tools_are_grouped_by_maker_and_sources_by_name() -> None:
    found = of(
        HUMAN,
        text("spun", 0.9, n=1, tool="TextFooler via TextAttack", source="imdb"),
        text("spun", 0.8, n=2, tool="TextFooler", source="yelp"),
    )
    assert table(found, "by_tool", "tool", "texts") == [("textfooler", 2)]
    assert table(found, "by_source", "source", "texts") == [("imdb", 1), ("yelp", 1)]


def test_false_positives_count_both_verdicts_with_their_intervals() -> None:
    found = of([text("human", score, n=n) for n, score in enumerate([0.1] * 7 + [0.6, 0.6, 0.93])])
    assert first(found, "false_positives") == {
        "human texts": "all",
        "texts": 10,
        "unfamiliar": 0,
        "paraphrased": 1,
        **share_with_interval("paraphrased_rate", 1, 10, digits=6),
        **share_with_interval("suspect_rate", 3, 10, digits=6),
        "suspect_or_unfamiliar_rate": 0.3,
    }


def test_false_positives_of_long_texts_have_rows_of_their_own() -> None:
    found = of(text("human", 0.95, words=79), text("human", 0.1, words=80))
    assert table(found, "false_positives", "human texts", "texts", "paraphrased") == [
        ("all", 2, 1),
        ("80 words and more", 1, 0),
    ]
    assert table(found, "false_positives_by_source_from_80_words", "paraphrased") == [(0,)]


def test_false_positives_by_length() -> None:
    lengths = [0, 59, 60, 79, 80, 149, 150, 299, 300, 599, 600, 5000]
    found = of([text("human", 0.1, words=words) for words in lengths])
    bands = ("<60", "60-79", "80-149", "150-299", "300-599", "600+")
    assert table(found, "false_positives_by_length", "words", "texts") == [(band, 2) for band in bands]


def test_false_positives_by_domain() -> None:
    found = of(text("human", 0.95, n=1, domain="news"), text("human", 0.1, n=2, domain="IMDB review"))
    assert table(found, "false_positives_by_domain", "domain", "paraphrased") == [("news", 1), ("review", 0)]


def test_text_by_language_models_is_neither_human_nor_paraphrased() -> None:
    found = of(HUMAN, SPUN, [text("llm", score) for score in (0.95, 0.6, 0.1, 0.2)])
    assert first(found, "machine_against_human")["texts"] == first(found, "false_positives")["texts"] == 4
    columns = ("clear_share", "suspect_share", "paraphrased_share", "spun_share")
    assert table(found, "llm", *columns) == [(0.5, 0.25, 0.25, 0.5)]


def test_verdicts_and_kinds_by_label() -> None:
    found = of(HUMAN, SPUN, TRANSLATED)
    assert table(found, "kinds", "truth", "clear_share", "spun_share", "translated_share") == [
        ("human", 0.75, 0.25, 0.0),
        ("spun", 0.25, 0.75, 0.0),
        ("translated", 0.5, 0.0, 0.5),
    ]


def test_human_text_alone_has_false_positives_and_no_separation() -> None:
    found = of(HUMAN)
    assert table(found, "machine_against_human", "kind", "texts", *NO_FIGURES) == [("all", 0, *[None] * 7)]
    assert found.sections["by_tool"]["rows"] == []
    assert first(found, "false_positives")["paraphrased"] == 1


def test_paraphrases_alone_have_no_separation() -> None:
    found = of(SPUN)
    assert table(found, "machine_against_human", "texts", *NO_FIGURES) == [(4, *[None] * 7)] * 2
    assert found.sections["false_positives_by_length"]["rows"] == []


def test_an_empty_collection_can_be_evaluated() -> None:
    assert of([]).to_dict()["texts"]["read"] == 0


@settings(max_examples=30)
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


@settings(max_examples=15)
@given(corpora, st.randoms(use_true_random=False))
def test_the_order_of_texts_does_not_matter(rows: list[tuple[str, Any, int, int]], order: Any) -> None:
    texts = [text(label, said, words=words, n=n) for label, said, words, n in rows]
    shuffled = list(texts)
    order.shuffle(shuffled)
    found = [of(some).to_dict() for some in (texts, shuffled)]
    for section in ("machine_against_human", "by_tool", "by_source"):
        for row in (row for one in found for row in one[section]["rows"]):
            del row["auroc_low"], row["auroc_high"]  # the bootstrap draws texts by their position
    assert found[0] == found[1]


def test_json_is_strict_and_reproducible() -> None:
    written = of(HUMAN + SPUN).to_json()
    assert written == of(HUMAN + SPUN).to_json()
    assert json.loads(written, parse_constant=pytest.fail)["model"]["name"] == "fake"


def test_figures_and_plots_are_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = of(HUMAN + SPUN + TRANSLATED)
    written = found.write(tmp_path / "new" / "folder")
    assert [path.name for path in written] == ["evaluation.json", "roc.png", "scores.png"]
    assert written[0].read_text("utf-8") == found.to_json()
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in written[1:])


def test_without_paraphrases_no_plot_is_written(tmp_path: Path) -> None:
    assert [path.name for path in of(HUMAN).write(tmp_path)] == ["evaluation.json"]
